//! The service as one process on one machine: authentication by bearer token, a restore worker, an accept loop.

pub mod authentication;
pub mod metrics;
pub mod serve;
pub mod worker;
