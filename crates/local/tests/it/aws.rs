//! The domain's adapters for AWS, over sockets: against a stand-in that checks signatures and policies, and against a
//! server that does what a stand-in does not.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at what it did not expect"
)]

mod calls;
mod deletions;
mod limits;
mod queue;
mod secrets;

use uuid::Uuid;

/// A name that no other test has.
fn unique(name: &str) -> String {
    format!("{name}-{}", Uuid::new_v4().simple())
}
