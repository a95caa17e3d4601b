//! The embedded stack, seen from outside.

mod aws;
mod edge;
mod lambda;
mod postgres;
mod s3;
mod shapes;
mod workspace;
