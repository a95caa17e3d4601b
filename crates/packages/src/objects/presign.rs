//! Links to objects: made here, without asking AWS.

use std::{fmt, sync::Mutex, sync::PoisonError, time::UNIX_EPOCH};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
pub use signing::s3::Method;
use signing::s3::{Credentials, PresignRequest};

use super::{Location, Objects};

/// How long a link lives, in seconds, where the credentials that sign it do.
const LIFE: u32 = 3600;

/// Credentials with less than this left, in seconds, are renewed before they sign another link.
const RENEW: u64 = 300;

/// A presigned URL: whoever has it may do what it says. It is never logged; `Debug` shows only when it ends.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    url: String,
    expires_at: u64,
}

impl Link {
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

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Why there is no link. The text is for the log.
#[derive(Debug)]
pub enum PresignError {
    /// No credentials could be had.
    Credentials(String),
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

impl Objects {
    /// Presigns one method on one object, from `now` (seconds since the Unix epoch) for an hour.
    pub async fn presign(&self, location: &Location, method: Method, now: u64) -> Result<Link, PresignError> {
        let credentials = self.credentials.get(now).await?;
        let expires_at = credentials.link_expiry(now, LIFE);
        let version = location.version.as_deref().map(|version| [("versionId", version)]);
        let request = PresignRequest {
            method,
            region: self.region(location.bucket.as_str()),
            bucket: &location.bucket,
            key: &location.key,
            query: version.as_ref().map_or(&[], |query| query),
            expires_in: u32::try_from(expires_at.saturating_sub(now)).unwrap_or(LIFE),
        };
        let url = self.presigner.presign(&request, &credentials, now).map_err(PresignError::Location)?;
        Ok(Link { url, expires_at })
    }
}

/// A provider's credentials, kept until shortly before they end.
pub(super) struct CachedCredentials {
    provider: SharedCredentialsProvider,
    cached: Mutex<Option<Credentials>>,
}

impl CachedCredentials {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, cached: Mutex::new(None) }
    }

    async fn get(&self, now: u64) -> Result<Credentials, PresignError> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(credentials) = cached.filter(|c| c.expires_at().is_none_or(|end| end > now + RENEW)) {
            return Ok(credentials);
        }
        let fresh = self.provider.provide_credentials().await;
        let fresh = fresh.map_err(|error| PresignError::Credentials(error.to_string()))?;
        let end = fresh.expiry().and_then(|end| end.duration_since(UNIX_EPOCH).ok()).map(|end| end.as_secs());
        let token = fresh.session_token().map(str::to_owned);
        let fresh = Credentials::new(fresh.access_key_id(), fresh.secret_access_key(), token, end);
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh.clone());
        Ok(fresh)
    }
}
