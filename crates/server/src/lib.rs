//! The service as one process on one machine: authentication by bearer token, restore workers and the HTTP server.

pub mod authentication;
pub mod console;
pub mod metrics;
pub mod serve;
pub mod worker;
