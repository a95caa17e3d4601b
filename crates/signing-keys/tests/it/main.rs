//! Keys in Parameter Store: against ministack, which checks signatures and policies, and against a server with prepared
//! replies.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test panics on unexpected results")]

mod secrets;
