//! Making presigned URLs.

use std::fmt;

use super::credentials::Credentials;
use super::date::AmzDate;
use super::endpoint::{Endpoint, Place};
use super::names::{Bucket, Region};
use super::signature::{self, SigningKeys};
use super::sigv4::{self, Canonical, Method, Signed};
use super::{LONGEST_KEY, LONGEST_LIFE};

/// A link to ask for.
#[derive(Clone, Copy, Debug)]
pub struct PresignRequest<'a> {
    /// The method that the link is for.
    pub method: Method,
    /// The bucket's region.
    pub region: &'a Region,
    /// The bucket.
    pub bucket: &'a Bucket,
    /// The object's key, not encoded: 1 to 1,024 bytes. Nothing is normalised, not even `..`.
    pub key: &'a str,
    /// Further parameters, such as `versionId` or `response-content-disposition`, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// The life of the link in seconds, 1 to 604,800.
    pub expires_in: u32,
}

/// Why a link was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresignError {
    /// The key is empty or longer than 1,024 bytes.
    InvalidKey,
    /// The life is not 1 to 604,800 seconds.
    InvalidExpiry,
    /// The time is after the year 9999.
    InvalidTime,
    /// A further parameter has a name that belongs to the signature.
    ReservedParameter,
    /// The credentials have ended, so S3 would refuse the link.
    CredentialsExpired,
}

impl fmt::Display for PresignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidKey => "a key has 1 to 1024 bytes",
            Self::InvalidExpiry => "a presigned URL lives 1 to 604800 seconds",
            Self::InvalidTime => "the time is after the year 9999",
            Self::ReservedParameter => "a query parameter begins with X-Amz-",
            Self::CredentialsExpired => "the credentials have expired",
        })
    }
}

impl std::error::Error for PresignError {}

/// Makes presigned URLs for one endpoint, and remembers the day's signing keys. Share one between threads.
#[derive(Default)]
pub struct Presigner {
    endpoint: Endpoint,
    keys: SigningKeys,
}

impl Presigner {
    /// A presigner whose links point to `endpoint`.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, keys: SigningKeys::default() }
    }

    /// Where the links point to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Makes a link, valid from `now` in Unix seconds.
    ///
    /// It ends after `expires_in` seconds or with the credentials, whichever is earlier:
    /// [`Credentials::link_expiry`] tells.
    pub fn presign(
        &self,
        request: &PresignRequest<'_>,
        credentials: &Credentials,
        now: u64,
    ) -> Result<String, PresignError> {
        if !(1..=LONGEST_KEY).contains(&request.key.len()) {
            return Err(PresignError::InvalidKey);
        }
        let Place { scheme, host, path } =
            Place::of(&self.endpoint, request.region, request.bucket, request.key);
        let raw = sigv4::Request {
            method: request.method,
            host: &host,
            path: &path,
            region: request.region,
            query: request.query,
            expires_in: request.expires_in,
        };
        Ok(self.sign(&raw, credentials, now)?.url(scheme, &raw))
    }

    /// Signs a request with any host and path, at `now` in Unix seconds. The endpoint plays no part.
    pub fn sign(
        &self,
        request: &sigv4::Request<'_>,
        credentials: &Credentials,
        now: u64,
    ) -> Result<Signed, PresignError> {
        if !(1..=LONGEST_LIFE).contains(&request.expires_in) {
            return Err(PresignError::InvalidExpiry);
        }
        if credentials.expires_at().is_some_and(|end| end <= now) {
            return Err(PresignError::CredentialsExpired);
        }
        let date = AmzDate::from_unix(now).ok_or(PresignError::InvalidTime)?;
        let canonical = Canonical::new(request, credentials, &date)?;
        let key = self.keys.get(credentials, request.region, &date);
        let signature = signature::sign(&key, canonical.text(), request.region, &date);
        Ok(Signed { canonical, signature })
    }
}

impl fmt::Debug for Presigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigner").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
