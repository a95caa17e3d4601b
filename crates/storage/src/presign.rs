//! Presigned links to objects. Signing calls no server.

use std::fmt;

pub use signing::s3::Method;
use signing::s3::{Credentials, PresignRequest};
use tracing::info_span;

use crate::ObjectStore;
use aws::credentials::{CredentialsError, expires_at};
use packages::links::Location;

/// How long a link is valid, unless the credentials that sign it expire sooner.
const LINK_LIFETIME_SECONDS: u32 = 3600;

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

    /// When the link expires, in seconds since the Unix epoch: after an hour, or with the credentials if that is sooner.
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
    /// Presigns one method on one object, from `now` (seconds since the Unix epoch) for an hour.
    pub async fn presign(
        &self,
        location: &Location,
        method: Method,
        now: u64,
    ) -> Result<PresignedLink, PresignError> {
        let credentials = self.credentials.get(now).await.map_err(PresignError::Credentials)?;
        let expires_at = credentials.effective_expiry(now, LINK_LIFETIME_SECONDS);
        let version = location.version.as_deref().map(|version| [("versionId", version)]);
        let request = PresignRequest {
            method,
            region: self.bucket_region(location.bucket.as_str()),
            bucket: &location.bucket,
            key: &location.key,
            query: version.as_ref().map_or(&[], |query| query),
            expires_in: u32::try_from(expires_at.saturating_sub(now)).unwrap_or(LINK_LIFETIME_SECONDS),
        };
        let url = info_span!(target: "trace", "sign", operation = "presign")
            .in_scope(|| self.presigner.presign(&request, &credentials, now))
            .map_err(PresignError::Location)?;
        Ok(PresignedLink { url, expires_at })
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
