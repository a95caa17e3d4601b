//! The public keys of user pools: fixed ones, and those that a pool publishes.
//!
//! Each pool has keys of its own: a key that one pool published says nothing about another pool's tokens.

mod fetch;
mod fetched;
mod set;

use std::{fmt, sync::Arc};

use aws::HttpClient;
use jsonwebtoken::DecodingKey;

use crate::TokenIssuer;
use fetched::Fetched;
pub use set::{InvalidKeySet, KeySet};

/// The keys of one pool.
#[derive(Clone)]
pub struct KeyCache(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<KeySet>),
    Fetched(Arc<Fetched>),
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Fixed(_) => "KeyCache::fixed",
            Source::Fetched(_) => "KeyCache::fetched",
        })
    }
}

/// The keys of a pool could not be fetched, so it is not known whether it signed a token. Nothing was decided: it is
/// no refusal, and the same token may be believed a moment later. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysUnavailable(String);

impl fmt::Display for KeysUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the keys of a user pool cannot be had: {}", self.0)
    }
}

impl std::error::Error for KeysUnavailable {}

/// Fetches the keys that a pool publishes, once; an error is in words for the operator.
pub async fn fetch_keys(
    http: &HttpClient,
    pool: &TokenIssuer,
    endpoint: Option<&str>,
) -> Result<KeySet, String> {
    fetch::fetch(http, &pool.keys_url(endpoint)).await
}

impl KeyCache {
    /// Keys that never change: those of a local issuer, or of a test.
    #[must_use]
    pub fn fixed(keys: KeySet) -> Self {
        Self(Source::Fixed(Arc::new(keys)))
    }

    /// The keys that a pool publishes, by the pool's own endpoint or by one that stands in for it. Nothing is fetched
    /// before a token asks for it.
    ///
    /// They are fetched again when a token names an unknown key, at most every 30 seconds, and when they are older
    /// than an hour. A fetch takes two seconds at most, and only one is under way at a time. While the pool does not
    /// answer, its old keys stay good.
    #[must_use]
    pub fn fetched(pool: &TokenIssuer, endpoint: Option<&str>, http: HttpClient) -> Self {
        Self(Source::Fetched(Arc::new(Fetched::new(pool.id(), pool.keys_url(endpoint), http))))
    }

    /// The key with this id, at a time (seconds since the Unix epoch). `None`: the pool has no such key.
    pub(crate) async fn find(&self, id: &str, now: u64) -> Result<Option<DecodingKey>, KeysUnavailable> {
        match &self.0 {
            Source::Fixed(keys) => Ok(keys.get(id).cloned()),
            Source::Fetched(keys) => keys.find(id, now).await,
        }
    }
}
