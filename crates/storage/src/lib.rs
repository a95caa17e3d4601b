//! S3: links to objects, what an object is like, and undeleting.

mod inspection;
mod markers;
mod outlook;
mod presign;
mod probe;
mod undelete;
mod versions;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig},
};
pub use signing::s3::{Bucket, Region};
use signing::s3::{Credentials, CustomEndpoint, Endpoint, Presigner};

pub use inspection::{BucketError, CorsAnswer};
pub use outlook::Recoverability;
pub use presign::{Method, PresignError, PresignedLink};
pub use probe::{ObjectHead, ProbeError};
pub use undelete::{StoredFile, UndeleteError, UndeleteErrors};

use aws::{HttpClient, credentials::CachedCredentials};

/// How to reach S3.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// Another S3 than AWS's own, spoken to path-style.
    pub endpoint: Option<CustomEndpoint>,
    /// The region of buckets whose name does not tell.
    pub region: Region,
    /// Who signs and undeletes.
    pub credentials: SharedCredentialsProvider,
}

/// S3, as one who may read and undelete.
#[derive(Clone)]
pub struct ObjectStore {
    settings: Arc<StorageConfig>,
    presigner: Arc<Presigner>,
    credentials: Arc<CachedCredentials<Credentials>>,
    clients: Arc<Mutex<HashMap<Region, Client>>>,
    regions: Arc<[(&'static str, Region)]>,
    http: HttpClient,
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore").field("region", &self.settings.region).finish_non_exhaustive()
    }
}

impl ObjectStore {
    /// Opens no connection yet.
    #[must_use]
    pub fn new(settings: StorageConfig, http: HttpClient) -> Self {
        let endpoint = settings.endpoint.clone().map_or(Endpoint::Aws, Endpoint::Custom);
        Self {
            presigner: Arc::new(Presigner::new(endpoint)),
            credentials: Arc::new(CachedCredentials::new(settings.credentials.clone(), presign::to_sign)),
            clients: Arc::default(),
            http,
            regions: if settings.endpoint.is_none() { named_regions() } else { Arc::default() },
            settings: Arc::new(settings),
        }
    }

    /// The region of a bucket: the platform's buckets end in its short name.
    fn region(&self, bucket: &str) -> &Region {
        let by_name = self.regions.iter().find(|(suffix, _)| bucket.ends_with(suffix));
        by_name.map_or(&self.settings.region, |(_, region)| region)
    }

    /// The SDK's client for a bucket's region. One a region is kept: each has a connection pool.
    fn client(&self, bucket: &str) -> Client {
        let region = self.region(bucket);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        let mut config = aws_sdk_s3::Config::builder();
        config.set_endpoint_url(self.settings.endpoint.as_ref().map(ToString::to_string));
        let config = config
            .behavior_version(BehaviorVersion::latest())
            .region(aws_sdk_s3::config::Region::new(region.to_string()))
            .credentials_provider(self.settings.credentials.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(4))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(versions::ATTEMPT).build())
            .force_path_style(self.settings.endpoint.is_some())
            .build();
        let client = Client::from_conf(config);
        clients.insert(region.clone(), client.clone());
        client
    }
}

/// The regions that the platform's bucket names tell, by their ending. An endpoint of one's own has one region.
fn named_regions() -> Arc<[(&'static str, Region)]> {
    [("-use1", "us-east-1"), ("-afs1", "af-south-1")]
        .into_iter()
        .filter_map(|(suffix, region)| Some((suffix, Region::new(region).ok()?)))
        .collect()
}
