//! One module per section of the report, and the parts of a server.

pub(crate) mod clock;
pub(crate) mod configuration;
pub(crate) mod database;
pub(crate) mod endpoints;
pub(crate) mod network;
pub(crate) mod pools;
pub(crate) mod queues;
pub(crate) mod server;
pub(crate) mod signing_key;
pub(crate) mod storage;
