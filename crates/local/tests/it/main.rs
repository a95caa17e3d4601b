//! Tests of the embedded stack through its public API.

mod edge;
mod lambda;
mod postgres;
mod s3;
mod trees;
mod workspace;
