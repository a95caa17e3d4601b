//! The embedded stack: the servers and the data that the local service and all tests use.

pub mod aws;
mod child_process;
pub mod closed_port;
mod cors;
pub mod demo;
pub mod edge;
pub mod faults;
pub mod full_backlog;
mod http_host;
mod http_server;
pub mod lambda;
mod lock_file;
pub mod postgres;
pub mod s3;
pub mod schema;
pub mod stack;
pub mod state;
pub mod testing;
pub mod tokens;
pub mod workspace;
