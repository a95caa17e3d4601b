//! The embedded stack, seen from outside.

mod edge;
mod postgres;
mod s3;
mod workspace;
