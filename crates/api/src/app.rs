//! What the endpoints work with.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use aws::Clock;
use database::Db;
use http::HeaderValue;
use restore::queue::WorkerQueue;
use signing::s3::Bucket;
use signing::{cloudfront::Signer, s3::CustomEndpoint};
use signing_keys::KeyRotation;
use storage::ObjectStore;

/// What the endpoints work with. A clone is a few reference counts: each request has one.
#[derive(Debug, Clone)]
pub struct App {
    /// Postgres.
    pub db: Db,
    /// S3.
    pub objects: ObjectStore,
    /// Where viewer assets lie.
    pub viewer_assets: Bucket,
    /// Where they are served from.
    pub cdn: Cdn,
    /// What `/packages/proxy/s3` lets through.
    pub proxy: ProxyPolicy,
    /// Where restore orders go.
    pub queue: WorkerQueue,
    /// What time it is.
    pub clock: Clock,
    /// The platform, by its domain, to which a caller must say who they are.
    pub realm: Realm,
}

/// The realm that a 401 names (RFC 6750, section 3).
#[derive(Debug, Clone)]
pub struct Realm(HeaderValue);

impl Realm {
    /// A domain name; `None` if it has anything else in it than letters, digits, dots and hyphens.
    #[must_use]
    pub fn new(domain: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let challenge = HeaderValue::from_str(&format!("Bearer realm=\"{domain}\"")).ok()?;
        domain.bytes().all(is_plain).then_some(Self(challenge))
    }

    pub(crate) fn challenge(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// The CDN in front of the viewer assets, and the key that its links are signed with.
#[derive(Clone)]
pub struct Cdn {
    origin: Arc<str>,
    signer: Arc<RwLock<Arc<Signer>>>,
}

impl Cdn {
    /// `origin` is a scheme and a host, as in `https://d111111abcdef8.cloudfront.net`.
    #[must_use]
    pub fn new(origin: &str, signer: Signer) -> Self {
        Self { origin: origin.trim_end_matches('/').into(), signer: Arc::new(RwLock::new(Arc::new(signer))) }
    }

    /// The scheme and the host, without a slash at the end.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The signer as it is now. Held over a replacement, it still signs with the old key.
    #[must_use]
    pub fn signer(&self) -> Arc<Signer> {
        Arc::clone(&self.signer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks for another key if it is time to, at `now` in seconds since the Unix epoch, and takes it into use.
    pub async fn renew(&self, rotation: &KeyRotation, now: u64) {
        if rotation.should_reload(now)
            && let Some(signer) = rotation.reload().await
        {
            self.replace_signer(signer);
        }
    }

    /// Signs with another key from now on, in all clones: a rotation needs no restart.
    pub fn replace_signer(&self, signer: Signer) {
        *self.signer.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(signer);
    }
}

impl fmt::Debug for Cdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cdn").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Which presigned URLs `/packages/proxy/s3` redirects to.
#[derive(Debug, Clone)]
pub struct ProxyPolicy {
    buckets: Arc<[Bucket]>,
    endpoint: Option<Arc<CustomEndpoint>>,
}

impl ProxyPolicy {
    /// Those of exactly these buckets; of none, where the list is empty. With an endpoint, those of a stand-in for S3
    /// at that address too.
    #[must_use]
    pub fn new(buckets: Vec<Bucket>, endpoint: Option<CustomEndpoint>) -> Self {
        Self { buckets: buckets.into(), endpoint: endpoint.map(Arc::new) }
    }

    /// Whether a bucket is on the list.
    #[must_use]
    pub fn allows(&self, bucket: &Bucket) -> bool {
        self.buckets.contains(bucket)
    }

    pub(crate) fn endpoint(&self) -> Option<&CustomEndpoint> {
        self.endpoint.as_deref()
    }
}
