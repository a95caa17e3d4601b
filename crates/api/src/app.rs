//! The state that the endpoints share.

use std::{sync::Arc, time::Duration};

use aws::Clock;
use database::Db;
use http::HeaderValue;
use packages::link_period::LinkWindow;
use restore::queue::WorkerQueue;
use signing::s3::{Bucket, CustomEndpoint, PresignedUrl, Region, S3Home};
use storage::{BucketTable, ObjectStore};

use crate::{Cdn, Problem};

/// The state that the endpoints share.
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
    /// How long requests may take.
    pub limits: RequestLimits,
    /// The path that all routes begin with.
    pub path_prefix: PathPrefix,
}

/// How long a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// From the end of the request's head to the head of the response.
    pub answer: Duration,
    /// The arrival of the body, which is a part of it.
    pub body: Duration,
}

impl Default for RequestLimits {
    /// Below the 30 seconds after which API Gateway itself responds, without the CORS headers of this service (Amazon API
    /// Gateway Developer Guide, "Quotas for HTTP APIs").
    fn default() -> Self {
        Self { answer: Duration::from_secs(29), body: Duration::from_secs(10) }
    }
}

/// The path that all routes begin with, such as `/packages`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPrefix(Arc<str>);

impl PathPrefix {
    /// A path of plain segments without a final slash, or `/` for no prefix. `None` for anything else.
    #[must_use]
    pub fn new(path: &str) -> Option<Self> {
        // Not percent-encoded: routes are compared with the request's path byte for byte.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~.".contains(&byte);
        let is_segment = |segment: &str| {
            !segment.is_empty() && segment.bytes().all(is_plain) && !matches!(segment, "." | "..")
        };
        let segments = path.strip_prefix('/')?;
        let is_valid = segments.is_empty() || segments.split('/').all(is_segment);
        is_valid.then(|| Self(if segments.is_empty() { "" } else { path }.into()))
    }

    /// The prefix, which is empty or begins with a slash and does not end with one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for PathPrefix {
    fn default() -> Self {
        Self("/packages".into())
    }
}

/// The platform's domain: the realm of the `WWW-Authenticate` header (RFC 6750, section 3), and the domain of cookies.
#[derive(Debug, Clone)]
pub struct Realm {
    domain: Arc<str>,
    challenge: HeaderValue,
}

impl Realm {
    /// A domain name. `None` if it contains anything but letters, digits, dots and hyphens: those need no quoting in
    /// a header.
    #[must_use]
    pub fn new(domain: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let challenge = HeaderValue::from_str(&format!("Bearer realm=\"{domain}\"")).ok()?;
        domain.bytes().all(is_plain).then(|| Self { domain: domain.into(), challenge })
    }

    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    pub(crate) fn challenge(&self) -> HeaderValue {
        self.challenge.clone()
    }
}

/// Which presigned URLs `/packages/proxy/s3` redirects to.
#[derive(Debug, Clone)]
pub struct ProxyPolicy {
    buckets: Arc<[Bucket]>,
    table: Arc<BucketTable>,
    home: Arc<S3Home>,
}

impl ProxyPolicy {
    /// Accepts URLs of exactly these buckets, in the partition of `region`; an empty list accepts none. With an endpoint, it
    /// accepts URLs of the S3-compatible server at that address instead.
    #[must_use]
    pub fn new(buckets: Vec<Bucket>, region: Region, endpoint: Option<CustomEndpoint>) -> Self {
        let home = Arc::new(S3Home::new(region, endpoint));
        Self { buckets: buckets.into(), table: Arc::default(), home }
    }

    /// Accepts also URLs of the buckets that a table says so of.
    #[must_use]
    pub fn with_table(self, table: BucketTable) -> Self {
        Self { table: Arc::new(table), ..self }
    }

    /// Whether a bucket is on the list, or the table allows it.
    #[must_use]
    pub fn is_allowed(&self, bucket: &Bucket) -> bool {
        self.buckets.contains(bucket) || self.table.is_proxied(bucket)
    }

    /// Parses a URL and checks where it leads. `known_region` says where a bucket is, if that is known.
    pub(crate) fn parse_url(
        &self,
        url: &str,
        now: u64,
        known_region: impl FnOnce(&Bucket) -> Option<Region>,
    ) -> Result<PresignedUrl, Problem> {
        let url = PresignedUrl::parse(url, now, &self.home)?;
        if !self.is_allowed(url.bucket()) {
            return Err(Problem::invalid(format!(
                "bucket {} is not in the allowed list (PROXY_ALLOWED_BUCKETS)",
                url.bucket()
            )));
        }
        known_region(url.bucket()).map_or(Ok(()), |region| url.check_region(&region))?;
        Ok(url)
    }
}
