//! The client of S3 over sockets, against a server with prepared replies.

#![allow(clippy::unwrap_used, reason = "a test panics on unexpected results")]

mod connections;
mod ipv6;
mod probe;
