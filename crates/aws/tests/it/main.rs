//! The clients over sockets: against ministack, which checks signatures and policies, and against a server with prepared
//! replies.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test panics on unexpected results"
)]

mod calls;
mod limits;
mod queue;
mod roles;
