//! The state that the endpoints share.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use aws::Clock;
use database::Db;
use http::HeaderValue;
use packages::link_period::LinkWindow;
use restore::queue::WorkerQueue;
use signing::s3::Bucket;
use signing::{cloudfront::Signer, s3::CustomEndpoint};
use signing_keys::KeyRotation;
use storage::ObjectStore;

/// The state that the endpoints share. A clone copies a few reference counts; each request has its own.
#[derive(Debug, Clone)]
pub struct App {
    /// Postgres.
    pub db: Db,
    /// S3.
    pub objects: ObjectStore,
    /// The bucket with the viewer assets.
    pub viewer_assets: Bucket,
    /// The CDN that serves them.
    pub cdn: Cdn,
    /// Which URLs `/packages/proxy/s3` accepts.
    pub proxy: ProxyPolicy,
    /// How long presigned links of the same file stay the same.
    pub link_window: LinkWindow,
    /// The largest body of a response in bytes; `None` if responses are streamed.
    pub max_response_bytes: Option<usize>,
    /// The queue for restore orders.
    pub queue: WorkerQueue,
    /// The source of the current time.
    pub clock: Clock,
    /// The realm that a 401 response names: the platform's domain.
    pub realm: Realm,
}

/// The realm of the `WWW-Authenticate` header (RFC 6750, section 3).
#[derive(Debug, Clone)]
pub struct Realm(HeaderValue);

impl Realm {
    /// A domain name. `None` if it contains anything but letters, digits, dots and hyphens: those need no quoting in
    /// the header.
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

/// The CDN that serves the viewer assets, and the key that signs its links.
#[derive(Clone)]
pub struct Cdn {
    origin: Arc<str>,
    // The inner `Arc` is cloned out, so the lock is never held while signing.
    signer: Arc<RwLock<Arc<Signer>>>,
}

impl Cdn {
    /// `origin` is a scheme and a host, for example `https://d111111abcdef8.cloudfront.net`.
    #[must_use]
    pub fn new(origin: &str, signer: Signer) -> Self {
        Self { origin: origin.trim_end_matches('/').into(), signer: Arc::new(RwLock::new(Arc::new(signer))) }
    }

    /// The scheme and the host, without a trailing slash.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The current signer. A caller that keeps it over a replacement still signs with the old key.
    #[must_use]
    pub fn signer(&self) -> Arc<Signer> {
        // A poisoned lock is safe to use: the only write is one assignment.
        Arc::clone(&self.signer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reloads the key if the check is due at `now` (seconds since the Unix epoch), and signs with it from then on.
    pub async fn reload_signer(&self, rotation: &KeyRotation, now: u64) {
        if rotation.should_reload(now)
            && let Some(signer) = rotation.reload().await
        {
            self.replace_signer(signer);
        }
    }

    /// Replaces the signer in all clones, so that a key rotation needs no restart.
    pub fn replace_signer(&self, signer: Signer) {
        *self.signer.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(signer);
    }
}

impl fmt::Debug for Cdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the signer, which holds the private key.
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
    /// Accepts URLs of exactly these buckets; an empty list accepts none. With an endpoint, URLs of an S3-compatible
    /// server at that address are accepted too.
    #[must_use]
    pub fn new(buckets: Vec<Bucket>, endpoint: Option<CustomEndpoint>) -> Self {
        Self { buckets: buckets.into(), endpoint: endpoint.map(Arc::new) }
    }

    /// Whether a bucket is on the list.
    #[must_use]
    pub fn is_allowed(&self, bucket: &Bucket) -> bool {
        self.buckets.contains(bucket)
    }

    pub(crate) fn endpoint(&self) -> Option<&CustomEndpoint> {
        self.endpoint.as_deref()
    }
}
