//! Keys that a server publishes, fetched over a socket.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at what it did not expect"
)]

mod key_server;
mod keys;
mod tokens;
