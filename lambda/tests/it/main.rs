//! The three functions, each as a process that Lambda would run.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test panics on unexpected results"
)]

mod authorizer;
mod chain;
mod doctor;
mod environment;
mod function;
mod pools;
mod restore;
mod restore_panics;
mod roles;
mod rotation;
mod service;
mod start;
mod traces;
