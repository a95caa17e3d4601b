//! The three programs, each as a process that Lambda would run.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at what it did not expect"
)]

mod authorizer;
mod chain;
mod doctor;
mod function;
mod pools;
mod restore;
mod restore_panics;
mod rotation;
mod service;
mod stand;
mod start;
mod traces;
