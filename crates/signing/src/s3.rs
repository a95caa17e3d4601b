//! S3 presigned URLs: making them, and parsing untrusted ones.
//!
//! The signature is AWS Signature Version 4 in the query ("Authenticating Requests: Using Query Parameters", *Amazon
//! S3 API Reference*). [`Presigner`] makes a link in about a microsecond, without a call to AWS.
//! [`PresignedUrl::parse`] is for a service that redirects to such links and does not have the secret. It accepts
//! only complete, unexpired links to S3 itself, and rebuilds them from their parts.

mod credentials;
mod date;
mod endpoint;
mod host;
mod names;
mod partition;
mod presign;
mod presigned;
mod presigned_error;
mod query;
mod query_names;
mod signature;
pub mod sigv4;

pub use credentials::Credentials;
pub use endpoint::{AddressingStyle, CustomEndpoint, Endpoint, ParseEndpointError};
pub use names::{Bucket, ParseBucketError, ParseRegionError, Region};
pub use presign::{PresignError, PresignRequest, Presigner};
pub use presigned::{PresignedUrl, S3Home};
pub use presigned_error::PresignedUrlError;
pub use sigv4::Method;

/// The maximum lifetime of a presigned URL, in seconds: seven days.
pub const MAX_EXPIRES_SECONDS: u32 = 604_800;

/// The maximum length of a key, in bytes of UTF-8 ("Naming Amazon S3 objects").
const MAX_KEY_BYTES: usize = 1024;
