//! Each part of a service that works is broken in turn, and the doctor says so.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at what it did not expect"
)]

mod aws;
mod configuration;
mod database;
mod network;
mod scene;
mod signing_key;
mod storage;
