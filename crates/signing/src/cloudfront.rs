//! CloudFront signed URLs and signed cookies: the signer's side and the CDN's side.
//!
//! The rules are those of the *Amazon CloudFront Developer Guide*, "Serve private content with signed URLs and
//! signed cookies". A policy is a line of JSON that names a resource and conditions; the signature covers exactly
//! its bytes. With a *canned* policy the line is not sent, since the CDN can rebuild it from the URL and the
//! expiry; a *custom* policy travels with the link and may hold wildcards, a start and an address range.
//!
//! CloudFront assumes SHA-1 unless the link announces `Hash-Algorithm=SHA256`, for ECDSA keys too.

mod encoding;
mod key;
mod legacy_sha1;
mod parameters;
mod pem;
mod policy;
mod sign;
mod verify;
mod wildcard;

pub use key::{KeyAlgorithm, KeyError, PrivateKey, PublicKey, parameter_text};
pub use parameters::{Hash, InvalidHash, InvalidKeyPairId, KeyPairId};
pub use policy::CustomPolicy;
pub use sign::{SignError, Signer};
pub use verify::{Refused, Verified, Verifier};
