//! Where buckets are that no table tells. S3 says it to anyone who asks, and it is remembered.
//!
//! Every answer of S3 about a bucket has its region in `x-amz-bucket-region`, also a refusal and also a redirect, whichever
//! region of the partition is asked (Amazon S3 API Reference, `HeadBucket`). So one request without a signature is enough. The
//! text of the header becomes part of a host name, so only a region's name is accepted, of our own partition.

use std::{fmt, num::NonZeroUsize, sync::Mutex, time::Duration};

use aws::HttpClient;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use signing::s3::{Bucket, Endpoint, Region};
use tokio::time::Instant;
use tracing::{Instrument, info_span};

use crate::{bounded_cache::BoundedCache, lock};

/// The header with a bucket's region.
pub(crate) const BUCKET_REGION_HEADER: &str = "x-amz-bucket-region";

/// Buckets that are remembered.
const MAX_BUCKETS: NonZeroUsize = NonZeroUsize::new(1000).unwrap();

/// How long S3 may take to say where a bucket is. A link waits for it.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);

/// How long answers count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    /// A region. Buckets do not move, but one may be deleted and made elsewhere.
    pub(crate) region: Duration,
    /// That S3 did not say it. Until then a former answer is used, or the service's own region.
    pub(crate) failure: Duration,
}

const LIFETIMES: Lifetimes = Lifetimes { region: Duration::from_hours(6), failure: Duration::from_secs(30) };

/// The regions of buckets. Callers that ask for the same bucket share one request.
pub(crate) struct BucketRegions {
    home: Region,
    http: HttpClient,
    /// Where to ask.
    endpoint: Endpoint,
    pub(crate) lifetimes: Lifetimes,
    buckets: BoundedCache<Bucket, BucketSlot>,
}

/// What is known of one bucket.
#[derive(Default)]
struct BucketSlot {
    known: Mutex<Option<KnownRegion>>,
    /// Held by the caller that asks.
    lookup: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct KnownRegion {
    region: Region,
    is_learned: bool,
    valid_until: Instant,
}

impl BucketRegions {
    /// `home` is the region of the service.
    pub(crate) fn new(home: Region, endpoint: Endpoint, http: HttpClient) -> Self {
        Self { home, http, endpoint, lifetimes: LIFETIMES, buckets: BoundedCache::new(MAX_BUCKETS) }
    }

    /// The region of a bucket. If S3 does not say it in time, the service's own.
    pub(crate) async fn find(&self, bucket: &Bucket) -> Region {
        let slot = self.buckets.get_or_insert(bucket, BucketSlot::default);
        match slot.known() {
            Some(fresh) if fresh.is_fresh() => fresh.region,
            // Boxed: it is rare, and every link's future would hold it.
            old => Box::pin(self.look_up(bucket, &slot, old)).await,
        }
    }

    /// Asks S3 where a bucket is, unless another caller does.
    async fn look_up(&self, bucket: &Bucket, slot: &BucketSlot, old: Option<KnownRegion>) -> Region {
        let _lookup = match (slot.lookup.try_lock(), old) {
            (Ok(lookup), _) => lookup,
            // Another caller asks. An old answer is most probably still right.
            (Err(_), Some(old)) => return old.region,
            (Err(_), None) => slot.lookup.lock().await,
        };
        // Another caller may have got the answer while this one waited for the lock.
        if let Some(fresh) = slot.known().filter(KnownRegion::is_fresh) {
            return fresh.region;
        }
        let answer = self.ask(bucket).await;
        self.set(slot, answer)
    }

    /// The region that S3 said a bucket is in, if it was asked. No request.
    pub(crate) fn known(&self, bucket: &Bucket) -> Option<Region> {
        let known = self.buckets.get(bucket)?.known()?;
        (known.is_learned && known.is_fresh()).then_some(known.region)
    }

    /// Reads an answer of S3 to a request for a bucket that went to `asked`. Returns whether the bucket is elsewhere, so that
    /// the request should be repeated.
    pub(crate) fn learn(&self, bucket: &Bucket, asked: &Region, header: Option<&str>) -> bool {
        let said = header.and_then(|text| self.accept(text)).filter(|region| region != asked);
        if said.is_none() {
            return false;
        }
        let slot = self.buckets.get_or_insert(bucket, BucketSlot::default);
        self.set(&slot, said);
        true
    }

    /// Stores what S3 said. If it said nothing, a former answer counts for some time, else the service's own region.
    fn set(&self, slot: &BucketSlot, said: Option<Region>) -> Region {
        let mut known = lock(&slot.known);
        let Lifetimes { region: for_region, failure } = self.lifetimes;
        let new = match (said, known.take()) {
            (Some(region), _) => {
                KnownRegion { region, is_learned: true, valid_until: Instant::now() + for_region }
            }
            (None, Some(former)) => KnownRegion { valid_until: Instant::now() + failure, ..former },
            (None, None) => KnownRegion {
                region: self.home.clone(),
                is_learned: false,
                valid_until: Instant::now() + failure,
            },
        };
        let region = new.region.clone();
        *known = Some(new);
        region
    }

    /// A region's name, and of our partition: nothing else may become part of a host name.
    fn accept(&self, text: &str) -> Option<Region> {
        Region::new(text).ok().filter(|region| region.partition() == self.home.partition())
    }

    async fn ask(&self, bucket: &Bucket) -> Option<Region> {
        let span = info_span!(target: "trace", "s3", operation = "HeadBucket");
        let asked = tokio::time::timeout(LOOKUP_TIMEOUT, self.send_head(bucket).instrument(span)).await;
        let headers = match asked {
            Ok(Ok(headers)) => headers,
            Ok(Err(error)) => {
                tracing::warn!(bucket = bucket.as_str(), error, "S3 could not be asked where a bucket is");
                return None;
            }
            Err(_) => {
                tracing::warn!(bucket = bucket.as_str(), "S3 did not say in time where a bucket is");
                return None;
            }
        };
        let said = headers.get(BUCKET_REGION_HEADER).and_then(|value| value.to_str().ok());
        let region = said.and_then(|text| self.accept(text));
        if let Some(region) = &region {
            tracing::info!(bucket = bucket.as_str(), %region, "S3 said where a bucket is");
        } else {
            tracing::warn!(bucket = bucket.as_str(), "S3 did not say where a bucket is");
        }
        region
    }

    async fn send_head(&self, bucket: &Bucket) -> Result<HeaderMap, String> {
        let url = self.endpoint.bucket_url(&self.home, bucket);
        let request = Request::head(url).body(Full::<Bytes>::default()).map_err(|error| error.to_string())?;
        let response = self.http.send_with_retry(request).await.map_err(|error| aws::error_chain(&error))?;
        Ok(response.into_parts().0.headers)
    }
}

impl BucketSlot {
    fn known(&self) -> Option<KnownRegion> {
        lock(&self.known).clone()
    }
}

impl KnownRegion {
    fn is_fresh(&self) -> bool {
        Instant::now() < self.valid_until
    }
}

impl fmt::Debug for BucketRegions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketRegions").field("home", &self.home).finish_non_exhaustive()
    }
}
