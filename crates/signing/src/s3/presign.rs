//! Making presigned URLs.

use std::fmt;

use super::credentials::Credentials;
use super::date::AmzDate;
use super::endpoint::{AddressingStyle, Endpoint, ObjectUrl};
use super::names::{Bucket, Region};
use super::signature::{self, SigningKeyCache};
use super::sigv4::{self, CanonicalRequest, Method, SignedRequest};
use super::{MAX_EXPIRES_SECONDS, MAX_KEY_BYTES};

/// The parameters of one presigned URL.
#[derive(Clone, Copy, Debug)]
pub struct PresignRequest<'a> {
    /// The method that the link is valid for.
    pub method: Method,
    /// The bucket's region.
    pub region: &'a Region,
    /// The bucket.
    pub bucket: &'a Bucket,
    /// The object's key, not encoded: 1 to 1,024 bytes. It is not normalised, not even `..`.
    pub key: &'a str,
    /// Further query parameters, such as `versionId` or `response-content-disposition`, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// The lifetime of the link in seconds, 1 to 604,800.
    pub expires_in: u32,
}

/// Why a link was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresignError {
    /// The key is empty or longer than 1,024 bytes.
    #[error("a key must have 1 to 1024 bytes")]
    InvalidKey,
    /// The lifetime is not 1 to 604,800 seconds.
    #[error("the lifetime of a presigned URL must be 1 to 604800 seconds")]
    InvalidExpiresIn,
    /// The time is after the year 9999.
    #[error("the time is after the year 9999")]
    InvalidTime,
    /// A further query parameter has a name that is reserved for the signature.
    #[error("a query parameter begins with X-Amz-")]
    ReservedParameter,
    /// The credentials have expired, so S3 would refuse the link.
    #[error("the credentials have expired")]
    CredentialsExpired,
}

/// Makes presigned URLs for one endpoint, and caches signing keys. Threads can share one.
pub struct Presigner {
    endpoint: Endpoint,
    style: AddressingStyle,
    keys: SigningKeyCache,
}

impl Presigner {
    /// A presigner for `endpoint`, with the bucket where [`Endpoint::default_style`] says.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self { style: endpoint.default_style(), endpoint, keys: SigningKeyCache::default() }
    }

    /// The same presigner with the bucket where `style` says.
    #[must_use]
    pub fn with_style(self, style: AddressingStyle) -> Self {
        Self { style, ..self }
    }

    /// What the URLs of a bucket's objects begin with, with a slash at the end.
    #[must_use]
    pub fn bucket_url(&self, region: &Region, bucket: &Bucket) -> String {
        let ObjectUrl { scheme, host, path } = ObjectUrl::new(&self.endpoint, self.style, region, bucket, "");
        format!("{scheme}://{host}{path}")
    }

    /// What the URLs of objects in all buckets of a region begin with, without a slash at the end. `*` stands for a bucket's
    /// name in the host.
    #[must_use]
    pub fn bucket_url_patterns(&self, region: &Region) -> Vec<String> {
        let (scheme, host) = self.endpoint.scheme_and_host(region);
        // Also where buckets are in the host: one with dots in its name is in the path.
        let in_path = format!("{scheme}://{host}");
        match self.style {
            AddressingStyle::Path => vec![in_path],
            AddressingStyle::VirtualHosted => vec![format!("{scheme}://*.{host}"), in_path],
        }
    }

    /// The endpoint of the links.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Makes a presigned URL, valid from `now` in Unix seconds.
    ///
    /// It ends after `expires_in` seconds or with the credentials, whichever is earlier: see
    /// [`Credentials::effective_expiry`].
    pub fn presign(
        &self,
        request: &PresignRequest<'_>,
        credentials: &Credentials,
        now: u64,
    ) -> Result<String, PresignError> {
        if !(1..=MAX_KEY_BYTES).contains(&request.key.len()) {
            return Err(PresignError::InvalidKey);
        }
        let ObjectUrl { scheme, host, path } =
            ObjectUrl::new(&self.endpoint, self.style, request.region, request.bucket, request.key);
        let signable = sigv4::SignableRequest {
            method: request.method,
            host: &host,
            path: &path,
            region: request.region,
            query: request.query,
            expires_in: request.expires_in,
        };
        Ok(self.sign(&signable, credentials, now)?.to_url(scheme, &signable))
    }

    /// Signs a request with any host and path, at `now` in Unix seconds. The presigner's endpoint is not used.
    pub fn sign(
        &self,
        request: &sigv4::SignableRequest<'_>,
        credentials: &Credentials,
        now: u64,
    ) -> Result<SignedRequest, PresignError> {
        if !(1..=MAX_EXPIRES_SECONDS).contains(&request.expires_in) {
            return Err(PresignError::InvalidExpiresIn);
        }
        // S3 checks the credentials when the link is used, so such a link would fail only at the client.
        if credentials.expires_at().is_some_and(|end| end <= now) {
            return Err(PresignError::CredentialsExpired);
        }
        let date = AmzDate::from_unix(now).ok_or(PresignError::InvalidTime)?;
        let canonical = CanonicalRequest::new(request, credentials, &date)?;
        let key = self.keys.get_or_derive(credentials, request.region, &date);
        let signature = signature::sign_canonical_request(&key, canonical.text(), request.region, &date);
        Ok(SignedRequest { canonical, signature })
    }
}

impl Default for Presigner {
    fn default() -> Self {
        Self::new(Endpoint::default())
    }
}

impl fmt::Debug for Presigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigner").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
