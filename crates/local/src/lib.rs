//! The embedded stack that the local service and every test run on.

pub mod aws;
mod cors;
pub mod demo;
pub mod edge;
pub mod faults;
pub mod full_socket;
pub mod lambda;
mod listen;
pub mod postgres;
pub mod s3;
pub mod schema;
mod spawn;
pub mod stack;
pub mod state;
pub mod testing;
pub mod tokens;
pub mod workspace;
