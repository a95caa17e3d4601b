//! Links to objects: made here, without asking AWS.

use std::fmt;

pub use signing::s3::Method;
use signing::s3::{Credentials, PresignRequest};
use tracing::info_span;

use crate::ObjectStore;
use aws::credentials::expires_at;
use packages::links::Location;

/// How long a link lives, in seconds, where the credentials that sign it do.
const LIFE: u32 = 3600;

/// A presigned URL: whoever has it may do what it says. It is never logged; `Debug` shows only when it ends.
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

    /// When it ends, in seconds since the Unix epoch: an hour from now, or with the credentials if that is sooner.
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
#[derive(Debug)]
pub enum PresignError {
    /// There are no credentials.
    Credentials(aws::credentials::CredentialsError),
    /// The object's bucket, region or key cannot be signed.
    Location(signing::s3::PresignError),
}

impl fmt::Display for PresignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credentials(error) => write!(f, "no credentials to sign with: {error}"),
            Self::Location(error) => write!(f, "the object's location cannot be signed: {error}"),
        }
    }
}

impl std::error::Error for PresignError {}

impl ObjectStore {
    /// Presigns one method on one object, from `now` (seconds since the Unix epoch) for an hour.
    pub async fn presign(
        &self,
        location: &Location,
        method: Method,
        now: u64,
    ) -> Result<PresignedLink, PresignError> {
        let credentials = self.credentials.get(now).await.map_err(PresignError::Credentials)?;
        let expires_at = credentials.effective_expiry(now, LIFE);
        let version = location.version.as_deref().map(|version| [("versionId", version)]);
        let request = PresignRequest {
            method,
            region: self.region(location.bucket.as_str()),
            bucket: &location.bucket,
            key: &location.key,
            query: version.as_ref().map_or(&[], |query| query),
            expires_in: u32::try_from(expires_at.saturating_sub(now)).unwrap_or(LIFE),
        };
        let url = info_span!(target: "trace", "sign", operation = "presign")
            .in_scope(|| self.presigner.presign(&request, &credentials, now))
            .map_err(PresignError::Location)?;
        Ok(PresignedLink { url, expires_at })
    }
}

/// Credentials as links need them.
pub(super) fn to_sign(credentials: &aws_credential_types::Credentials) -> Credentials {
    let end = expires_at(credentials);
    let token = credentials.session_token().map(str::to_owned);
    Credentials::new(credentials.access_key_id(), credentials.secret_access_key(), token, end)
}
