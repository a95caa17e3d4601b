//! The service through its front door: HTTP through the router, orders through the worker's own function, links fetched
//! from a real S3 and a real edge. Each test owns a tenant.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at what it did not expect"
)]

mod app;
mod authority;
mod aws_restore;
mod cloudfront;
mod cors;
mod database;
mod dev;
mod doctor;
mod hostile;
mod interrupt;
mod limits;
mod listener;
mod openapi;
mod pinning;
mod plans;
mod presign;
mod privileges;
mod proxy;
mod restore;
mod restore_faults;
mod restore_names;
mod restore_nested;
mod restore_overlaps;
mod restore_panics;
mod restore_queue;
mod restore_random;
mod restore_schema;
mod restore_steps;
mod restore_storage;
mod restore_usage;
mod standalone;
mod trash;
mod wire;
