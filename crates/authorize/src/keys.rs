//! The public keys of user pools: fixed ones, and those that a pool publishes.
//!
//! Each pool has its own keys: a key of one pool does not verify tokens of another.

mod fetch;
mod published;
mod set;

use std::{fmt, sync::Arc};

use aws::HttpClient;
use jsonwebtoken::DecodingKey;

use crate::TokenIssuer;
use published::PublishedKeys;
pub use set::{InvalidKeySet, KeySet};

/// The keys of one pool.
#[derive(Clone)]
pub struct KeyCache(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<KeySet>),
    Published(Arc<PublishedKeys>),
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Fixed(_) => "KeyCache::Fixed",
            Source::Published(_) => "KeyCache::Published",
        })
    }
}

/// The keys of a pool could not be fetched, so its tokens can be neither accepted nor refused for now. The text is for the
/// log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys of a user pool are unavailable: {0}")]
pub struct KeysUnavailable(String);

/// Fetches the keys that a pool publishes, once. The error is for the operator.
pub async fn fetch_keys(
    http: &HttpClient,
    issuer: &TokenIssuer,
    endpoint: Option<&str>,
) -> Result<KeySet, String> {
    fetch::fetch_key_set(http, &issuer.keys_url(endpoint)).await
}

impl KeyCache {
    /// Keys that never change: those of a local issuer, or of a test.
    #[must_use]
    pub fn from_fixed_keys(keys: KeySet) -> Self {
        Self(Source::Fixed(Arc::new(keys)))
    }

    /// The keys that a pool publishes, at its own endpoint or at the one given. The first token causes the first fetch.
    ///
    /// They are fetched again when a token names an unknown key, at most every 30 seconds, and when they are older
    /// than an hour. A fetch takes at most two seconds, and there is one at a time. While the pool does not answer, its
    /// old keys remain valid.
    #[must_use]
    pub fn from_issuer(issuer: &TokenIssuer, endpoint: Option<&str>, http: HttpClient) -> Self {
        let keys = PublishedKeys::new(issuer.pool_id(), issuer.keys_url(endpoint), http);
        Self(Source::Published(Arc::new(keys)))
    }

    /// Finds the key with this id, at a time (seconds since the Unix epoch). `None`: the pool has no such key.
    pub(crate) async fn find_key(&self, id: &str, now: u64) -> Result<Option<DecodingKey>, KeysUnavailable> {
        match &self.0 {
            Source::Fixed(keys) => Ok(keys.get(id).cloned()),
            Source::Published(keys) => keys.find_key(id, now).await,
        }
    }
}
