//! Tests of the whole service: HTTP through the router, restores through the worker, links fetched from the embedded S3 and
//! edge. Each test has its own tenant.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test panics on unexpected results"
)]

mod app;
mod assets;
mod audit;
mod authority;
mod aws_restore;
mod callbacks;
mod children;
mod cloudfront;
mod connections;
mod console;
mod cors;
mod database;
mod datasets;
mod dev;
mod doctor;
mod external_buckets;
mod failover;
mod hostile;
mod interrupt;
mod limits;
mod link_forms;
mod listener;
mod log_capture;
mod maintenance;
mod manifest;
mod openapi;
mod pinning;
mod plans;
mod postgres_proxy;
mod prefetched_packages;
mod prepared_statements;
mod presign;
mod presign_batch;
mod privileges;
mod proxy;
mod restore;
mod restore_faults;
mod restore_locks;
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
mod routes;
mod standalone;
mod trash;
mod workspaces;
