//! CloudFront signed URLs and signed cookies: signing, and verifying as the CDN does.
//!
//! The rules are those of the *Amazon CloudFront Developer Guide*, "Serve private content with signed URLs and
//! signed cookies". A policy is a line of JSON that names a resource and conditions. The signature covers exactly
//! its bytes. A *canned* policy is not sent: the CDN rebuilds it from the URL and the expiry. A *custom* policy is
//! sent with the link and may hold wildcards, a start time and an IP range.
//!
//! CloudFront assumes SHA-1 unless the link has `Hash-Algorithm=SHA256`, for ECDSA keys too.

mod encoding;
mod key;
mod legacy_sha1;
mod parameters;
mod pem;
mod policy;
mod sign;
mod verify;
mod wildcard;

pub use key::{KeyAlgorithm, KeyError, PrivateKey, PublicKey, decode_pem_parameter};
pub use parameters::{HashAlgorithm, KeyPairId, ParseHashAlgorithmError, ParseKeyPairIdError};
pub use policy::CustomPolicy;
pub use sign::{SignError, SignedPolicy, Signer};
pub use verify::{VerifiedSignature, Verifier, VerifyError};
