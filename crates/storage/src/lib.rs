//! Objects in S3: presigned links, metadata, versions, undelete.

mod bounded_cache;
mod bucket;
mod bucket_region;
mod bucket_table;
mod delete_markers;
mod error_body;
mod head;
mod link_prefixes;
mod listing;
mod presign;
mod probe;
mod recoverability;
mod role_sessions;
mod routes;
mod s3_error;
mod undelete;
mod versions;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig},
};
pub use signing::s3::{Bucket, Region};
use signing::s3::{Credentials, CustomEndpoint, Endpoint};

pub use bucket::{BucketError, CorsHeaders};
pub use bucket_table::{BucketEntry, BucketTable, BucketTableError};
pub use head::{HeadError, ObjectHead};
pub use listing::{DirectoryEntry, DirectoryError, DirectoryPage, DirectoryRequest, ListedObject};
pub use presign::{LinkSpec, Method, PresignError, PresignedLink, ResponseHeaders};
pub use probe::{LinkHead, ProbeError};
pub use recoverability::Recoverability;
pub use undelete::{StoredFile, UndeleteError, UndeleteErrors};

use aws::{HttpClient, credentials::CachedCredentials, sts::StsClient};

use crate::{
    bucket_region::BucketRegions,
    role_sessions::{RENEWAL_SECONDS, SessionCache},
    routes::{BucketRoute, BucketRoutes},
};

/// Attempts of one call of the SDK.
const MAX_ATTEMPTS: u32 = 4;

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// How to reach S3.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// A server in place of AWS's own, with the bucket in the path. All its buckets are in `region`.
    pub endpoint: Option<CustomEndpoint>,
    /// The service's own region.
    pub region: Region,
    /// The credentials that sign and undelete.
    pub credentials: SharedCredentialsProvider,
}

/// The object store: a client for S3. Clones share credentials, connections, and what was learned about buckets.
#[derive(Clone)]
pub struct ObjectStore {
    shared: Arc<Shared>,
    http: HttpClient,
}

struct Shared {
    config: StorageConfig,
    routes: BucketRoutes,
    credentials: CachedCredentials<Credentials>,
    sessions: Option<SessionCache>,
    regions: BucketRegions,
    clients: Mutex<HashMap<ClientKey, Client>>,
}

/// What the SDK's clients differ in. Each has a pool of connections.
#[derive(PartialEq, Eq, Hash)]
struct ClientKey {
    endpoint: Option<String>,
    is_path_style: bool,
    region: Region,
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore").field("region", &self.shared.config.region).finish_non_exhaustive()
    }
}

impl ObjectStore {
    /// Creates a client. It opens no connection yet. S3 is asked where a bucket is when that is first needed.
    #[must_use]
    pub fn new(config: StorageConfig, http: HttpClient) -> Self {
        Self::build(config, &BucketTable::default(), None, http)
    }

    /// The same client with what a table knows about buckets. `sts` assumes the roles of the table.
    #[must_use]
    pub fn with_buckets(&self, table: &BucketTable, sts: StsClient) -> Self {
        Self::build(self.shared.config.clone(), table, Some(SessionCache::new(sts)), self.http.clone())
    }

    fn build(
        config: StorageConfig,
        table: &BucketTable,
        sessions: Option<SessionCache>,
        http: HttpClient,
    ) -> Self {
        let routes = BucketRoutes::new(table, config.endpoint.as_ref());
        Self::from_routes(config, routes, sessions, http)
    }

    fn from_routes(
        config: StorageConfig,
        routes: BucketRoutes,
        sessions: Option<SessionCache>,
        http: HttpClient,
    ) -> Self {
        let endpoint = config.endpoint.clone().map_or(Endpoint::Aws, Endpoint::Custom);
        let shared = Shared {
            routes,
            credentials: CachedCredentials::new(config.credentials.clone(), presign::signing_credentials),
            sessions,
            regions: BucketRegions::new(config.region.clone(), endpoint, http.clone()),
            clients: Mutex::default(),
            config,
        };
        Self { shared: Arc::new(shared), http }
    }

    /// The region that a bucket is in, as far as that is known without a request: from the table, or from an answer of S3.
    #[must_use]
    pub fn known_region(&self, bucket: &Bucket) -> Option<Region> {
        let route = self.shared.routes.find(bucket.as_str());
        // At another endpoint nobody says where a bucket is.
        if route.learns_region { self.shared.regions.known(bucket) } else { route.region.clone() }
    }

    /// Whether objects of a bucket are read with a role's session, and not with the service's own credentials.
    #[must_use]
    pub fn has_role(&self, bucket: &Bucket) -> bool {
        self.shared.routes.find(bucket.as_str()).role.is_some()
    }

    /// The seconds for which any link works that is signed from now on, if roles sign some. Their sessions are renewed when
    /// less is left.
    #[must_use]
    pub fn shortest_session_seconds(&self) -> Option<u64> {
        self.shared.routes.has_roles().then_some(RENEWAL_SECONDS)
    }

    /// The region that requests for a bucket go to and that links to it are signed for: that of the table, else the one that
    /// S3 says, else the service's own.
    pub async fn find_region(&self, bucket: &str) -> Region {
        match Bucket::new(bucket) {
            Ok(bucket) => self.region_on(self.shared.routes.find(bucket.as_str()), &bucket).await,
            // The name may not become part of a host name.
            Err(_) => self.shared.config.region.clone(),
        }
    }

    async fn region_on(&self, route: &BucketRoute, bucket: &Bucket) -> Region {
        if route.learns_region {
            return self.shared.regions.find(bucket).await;
        }
        self.fixed_region(route).clone()
    }

    fn fixed_region<'a>(&'a self, route: &'a BucketRoute) -> &'a Region {
        route.region.as_ref().unwrap_or(&self.shared.config.region)
    }

    /// Reads the region of an answer about a bucket, if it is one that no table tells. Returns whether the bucket is in another
    /// region than the one that was asked.
    fn learn_region(&self, bucket: &str, asked: &Region, said: Option<&str>) -> bool {
        let route = self.shared.routes.find(bucket);
        route.learns_region
            && Bucket::new(bucket).is_ok_and(|bucket| self.shared.regions.learn(&bucket, asked, said))
    }

    /// The SDK's client for a bucket, and the region that it asks. It has the service's own credentials: roles of the table are
    /// for reading objects.
    async fn bucket_client(&self, bucket: &str) -> (Client, Region) {
        let region = self.find_region(bucket).await;
        let route = self.shared.routes.find(bucket);
        let endpoint = route.endpoint.as_ref().map(ToString::to_string);
        let key = ClientKey { endpoint, is_path_style: route.is_path_style(), region: region.clone() };
        let mut clients = lock(&self.shared.clients);
        let client = clients.entry(key).or_insert_with_key(|key| self.build_client(key)).clone();
        (client, region)
    }

    fn build_client(&self, key: &ClientKey) -> Client {
        let mut builder = aws_sdk_s3::Config::builder();
        builder.set_endpoint_url(key.endpoint.clone());
        let sdk_config = builder
            .behavior_version(BehaviorVersion::latest())
            .region(aws_sdk_s3::config::Region::new(key.region.to_string()))
            .credentials_provider(self.shared.config.credentials.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
            .force_path_style(key.is_path_style)
            .build();
        Client::from_conf(sdk_config)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
