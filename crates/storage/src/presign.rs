//! Presigned links to objects. Signing calls no server.

use std::fmt;

pub use signing::s3::Method;
use signing::s3::{Credentials, PresignRequest, Region};
use tracing::info_span;

use crate::{ObjectStore, routes::BucketRoute};
use aws::credentials::{CredentialsError, expires_at};
use packages::{
    link_period::{LinkPeriod, MAX_LINK_SECONDS},
    links::Location,
};

/// What to sign.
#[derive(Debug, Clone, Copy)]
pub struct LinkSpec<'a> {
    /// The object.
    pub location: &'a Location,
    /// The only method that the link works for.
    pub method: Method,
    /// The time in which the link works. It ends sooner if the credentials that sign it do.
    pub period: LinkPeriod,
    /// Headers that S3 sets in its answer in place of the object's own.
    pub headers: &'a ResponseHeaders,
}

/// Headers that S3 sets in an answer in place of the object's own (Amazon S3 API Reference, `GetObject`). `None` leaves the
/// object's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHeaders {
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<&'static str>,
}

impl<'a> LinkSpec<'a> {
    /// A request that the service sends itself, now.
    #[must_use]
    pub fn own_request(location: &'a Location, method: Method, now: u64) -> Self {
        const NO_HEADERS: &ResponseHeaders =
            &ResponseHeaders { content_disposition: None, content_type: None };
        let period = LinkPeriod::from_now(now, MAX_LINK_SECONDS);
        Self { location, method, period, headers: NO_HEADERS }
    }

    /// The query parameters besides those of the signature.
    fn query(&self, is_requester_pays: bool) -> Vec<(&str, &str)> {
        // In a link it is a parameter (Amazon S3 User Guide, "Downloading objects from Requester Pays buckets").
        let payer = is_requester_pays.then_some(("x-amz-request-payer", "requester"));
        let version = self.location.version.as_deref().map(|version| ("versionId", version));
        let disposition = self.headers.content_disposition.as_deref();
        let disposition = disposition.map(|value| ("response-content-disposition", value));
        let content_type = self.headers.content_type.map(|value| ("response-content-type", value));
        [version, disposition, content_type, payer].into_iter().flatten().collect()
    }
}

/// A presigned URL. It is a secret and is never logged: `Debug` shows only when it expires.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedLink {
    url: String,
    expires_at: u64,
}

impl PresignedLink {
    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// When the link expires, in seconds since the Unix epoch: at the end of its period, or with the credentials if
    /// that is sooner.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }
}

impl fmt::Debug for PresignedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignedLink").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Why there is no link. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub enum PresignError {
    /// There are no credentials.
    #[error("no credentials to sign with: {0}")]
    Credentials(CredentialsError),
    /// The object's bucket, region or key cannot be signed.
    #[error("the object's location cannot be signed: {0}")]
    Location(signing::s3::PresignError),
}

impl ObjectStore {
    /// Signs a link. `now` is in seconds since the Unix epoch; the period of the link may have begun before it.
    ///
    /// A signature needs no request. One is sent if it is not known yet where the bucket is, and one if the bucket's role has no
    /// session yet that may read the object.
    pub async fn presign(&self, spec: &LinkSpec<'_>, now: u64) -> Result<PresignedLink, PresignError> {
        let location = spec.location;
        let region = self.region_on(self.route(location), &location.bucket).await;
        self.presign_in(&region, spec, now).await
    }

    /// Signs a link for a region.
    pub(crate) async fn presign_in(
        &self,
        region: &Region,
        spec: &LinkSpec<'_>,
        now: u64,
    ) -> Result<PresignedLink, PresignError> {
        let (location, route) = (spec.location, self.route(spec.location));
        let credentials = self.reading_credentials(route, location, now).await?;
        let LinkPeriod { starts_at, ends_at } = spec.period;
        // A period that is too long for the number is too long for S3.
        let seconds = u32::try_from(ends_at - starts_at).unwrap_or(u32::MAX);
        let expires_at = credentials.effective_expiry(starts_at, seconds);
        // The signature is dated to the start of the period, when the credentials were still valid.
        if expires_at <= now {
            return Err(PresignError::Location(signing::s3::PresignError::CredentialsExpired));
        }
        let request = PresignRequest {
            method: spec.method,
            region,
            bucket: &location.bucket,
            key: &location.key,
            query: &spec.query(route.is_requester_pays),
            expires_in: u32::try_from(expires_at - starts_at).unwrap_or(seconds),
        };
        let url = info_span!(target: "trace", "sign", operation = "presign")
            .in_scope(|| route.presigner.presign(&request, &credentials, starts_at))
            .map_err(PresignError::Location)?;
        Ok(PresignedLink { url, expires_at })
    }

    pub(crate) fn route(&self, location: &Location) -> &BucketRoute {
        self.shared.routes.find(location.bucket.as_str())
    }

    /// The credentials that read an object: a session of its bucket's role, else the service's own.
    async fn reading_credentials(
        &self,
        route: &BucketRoute,
        location: &Location,
        now: u64,
    ) -> Result<Credentials, PresignError> {
        let credentials = match (&route.role, &self.shared.sessions) {
            (None, _) => self.shared.credentials.get(now).await,
            (Some(role), Some(sessions)) => {
                // Boxed: links of buckets without a role should not carry its size.
                Box::pin(sessions.get(role, &location.bucket, &location.key, now)).await
            }
            (Some(_), None) => Err(CredentialsError::Provider("there is no client for STS".to_owned())),
        };
        credentials.map_err(PresignError::Credentials)
    }
}

/// Credentials in the form that the presigner needs.
pub(super) fn signing_credentials(credentials: &aws_credential_types::Credentials) -> Credentials {
    let token = credentials.session_token().map(str::to_owned);
    Credentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key(),
        token,
        expires_at(credentials),
    )
}
