//! Tests of the public API: against the signatures of other signers, and against tampering.
#![expect(clippy::panic, clippy::unwrap_used, reason = "these are tests")]

mod cloudfront_links;
mod cloudfront_vectors;
mod keys;
mod s3_links;
mod s3_untrusted_urls;
mod s3_vectors;
mod vectors;
