//! Each part of a working service is broken in turn, and the doctor reports it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test panics on unexpected results"
)]

mod aws;
mod configuration;
mod database;
mod environment;
mod network;
mod signing_key;
mod storage;
