//! S3 presigned URLs: making them, and reading one that a stranger hands in.
//!
//! The signature is AWS Signature Version 4 in the query ("Authenticating Requests: Using Query Parameters", *Amazon
//! S3 API Reference*). Making a link needs no call to AWS: [`Presigner`] computes it in about a microsecond. The
//! other direction, [`PresignedUrl::parse`], is for a service that redirects to such links without knowing any
//! secret: it accepts only complete, unexpired links to S3 itself, and rebuilds them from their parts.

mod allowed;
mod credentials;
mod date;
mod endpoint;
mod host;
mod invalid;
mod names;
mod presign;
mod presigned;
mod signature;
pub mod sigv4;

pub use credentials::Credentials;
pub use endpoint::{CustomEndpoint, Endpoint, InvalidEndpoint};
pub use invalid::InvalidPresignedUrl;
pub use names::{Bucket, InvalidBucket, InvalidRegion, Region};
pub use presign::{PresignError, PresignRequest, Presigner};
pub use presigned::PresignedUrl;
pub use sigv4::Method;

/// The longest life of a presigned URL, in seconds: seven days.
pub const LONGEST_LIFE: u32 = 604_800;

/// The longest key, in bytes of UTF-8 ("Naming Amazon S3 objects").
const LONGEST_KEY: usize = 1024;
