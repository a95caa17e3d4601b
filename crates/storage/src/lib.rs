//! Objects in S3: presigned links, metadata, versions, undelete.

mod bucket;
mod delete_markers;
mod head;
mod presign;
mod probe;
mod recoverability;
mod s3_error;
mod undelete;
mod versions;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig},
};
pub use signing::s3::{Bucket, Region};
use signing::s3::{Credentials, CustomEndpoint, Endpoint, Presigner};

pub use bucket::{BucketError, CorsHeaders};
pub use head::{HeadError, ObjectHead};
pub use presign::{LinkSpec, Method, PresignError, PresignedLink, ResponseHeaders};
pub use probe::{LinkHead, ProbeError};
pub use recoverability::Recoverability;
pub use undelete::{StoredFile, UndeleteError, UndeleteErrors};

use aws::{HttpClient, credentials::CachedCredentials};

/// Attempts of one call of the SDK.
const MAX_ATTEMPTS: u32 = 4;

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// How to reach S3.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// A server in place of AWS's own, with the bucket in the path.
    pub endpoint: Option<CustomEndpoint>,
    /// The region of buckets whose name does not tell it.
    pub region: Region,
    /// The credentials that sign and undelete.
    pub credentials: SharedCredentialsProvider,
}

/// The object store: a client for S3. Clones share credentials and connections.
#[derive(Clone)]
pub struct ObjectStore {
    config: Arc<StorageConfig>,
    presigner: Arc<Presigner>,
    credentials: Arc<CachedCredentials<Credentials>>,
    clients: Arc<Mutex<HashMap<Region, Client>>>,
    regions_by_suffix: Arc<[(&'static str, Region)]>,
    http: HttpClient,
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore").field("region", &self.config.region).finish_non_exhaustive()
    }
}

impl ObjectStore {
    /// Creates a client. It opens no connection yet.
    #[must_use]
    pub fn new(config: StorageConfig, http: HttpClient) -> Self {
        let endpoint = config.endpoint.clone().map_or(Endpoint::Aws, Endpoint::Custom);
        Self {
            presigner: Arc::new(Presigner::new(endpoint)),
            credentials: Arc::new(CachedCredentials::new(
                config.credentials.clone(),
                presign::signing_credentials,
            )),
            clients: Arc::default(),
            http,
            // A custom endpoint has one region.
            regions_by_suffix: if config.endpoint.is_none() { regions_by_suffix() } else { Arc::default() },
            config: Arc::new(config),
        }
    }

    /// The region of a bucket. The names of the platform's buckets end in its short name.
    fn bucket_region(&self, bucket: &str) -> &Region {
        let by_name = self.regions_by_suffix.iter().find(|(suffix, _)| bucket.ends_with(suffix));
        by_name.map_or(&self.config.region, |(_, region)| region)
    }

    /// The SDK's client for a bucket's region. There is one client for each region, because each has a connection pool.
    fn bucket_client(&self, bucket: &str) -> Client {
        let region = self.bucket_region(bucket);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        let mut builder = aws_sdk_s3::Config::builder();
        builder.set_endpoint_url(self.config.endpoint.as_ref().map(ToString::to_string));
        let sdk_config = builder
            .behavior_version(BehaviorVersion::latest())
            .region(aws_sdk_s3::config::Region::new(region.to_string()))
            .credentials_provider(self.config.credentials.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
            .force_path_style(self.config.endpoint.is_some())
            .build();
        let client = Client::from_conf(sdk_config);
        clients.insert(region.clone(), client.clone());
        client
    }
}

/// The regions of the platform's buckets, by the ending of their names.
fn regions_by_suffix() -> Arc<[(&'static str, Region)]> {
    [("-use1", "us-east-1"), ("-afs1", "af-south-1")]
        .into_iter()
        .filter_map(|(suffix, region)| Some((suffix, Region::new(region).ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(endpoint: Option<&str>) -> ObjectStore {
        let credentials = aws_credential_types::Credentials::new("AKID", "key", None, None, "test");
        let config = StorageConfig {
            endpoint: endpoint.map(|endpoint| CustomEndpoint::parse(endpoint).unwrap()),
            region: Region::new("eu-west-1").unwrap(),
            credentials: SharedCredentialsProvider::new(credentials),
        };
        ObjectStore::new(config, HttpClient::new().unwrap())
    }

    #[test]
    fn a_buckets_name_tells_its_region() {
        let aws = store(None);
        for (bucket, region) in [
            ("files-use1", "us-east-1"),
            ("files-afs1", "af-south-1"),
            ("files", "eu-west-1"),
            ("use1-files", "eu-west-1"),
        ] {
            assert_eq!(aws.bucket_region(bucket).as_str(), region, "{bucket}");
        }
        let custom = store(Some("http://127.0.0.1:9000"));
        assert_eq!(custom.bucket_region("files-use1").as_str(), "eu-west-1");
    }
}
