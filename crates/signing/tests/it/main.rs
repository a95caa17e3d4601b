//! What the crate promises, checked from outside: against signatures of other signers, and against tampering.
#![expect(clippy::panic, clippy::unwrap_used, reason = "these are tests")]

mod cloudfront_links;
mod cloudfront_vectors;
mod keys;
mod s3_links;
mod s3_strangers;
mod s3_vectors;
mod vectors;
