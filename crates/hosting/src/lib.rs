//! Builds what a host works with from its configuration.
//!
//! The functions in Lambda and `packages-service serve` are the same service: they read the same variables
//! ([`crate::config`]) and build the same clients with [`HostBuilder`]. A host adds only where its requests and messages
//! come from.

mod catalog;
pub mod config;
mod error;

use std::time::Duration;

use api::{App, Cdn, PathPrefix, ProxyPolicy, Realm, RequestLimits};
use authorize::{Authorizer, CallbackFunctions, CallbackValidators, TokenVerifier};
use aws::{CallLimits, ClientConfig, Clock, HttpClient, JsonClient, SqsQueue, sts::StsClient};
use aws_credential_types::provider::SharedCredentialsProvider;
use database::{Db, Password, PoolConfig, Tls};
use restore::{
    BrokenWorkspaces, RestoreLimits, Restorer, changelog::Changelog, db::check_tables,
    delete_records::DeleteRecords, queue::WorkerQueue,
};
use signing_keys::{KeyRotation, KeySource};
use storage::{Bucket, ObjectStore, StorageConfig};

pub use catalog::telemetry_catalog;
use config::{
    AuthorizeConfig, CdnConfig, DatabaseConfig, KeyLocation, PlatformConfig, RestoreConfig, ServerConfig,
    ServiceConfig,
    variables::{AWS_ACCESS_KEY_ID, CALLBACK_VALIDATORS, PENNSIEVE_DOMAIN, RESTORE_PACKAGE_QUEUE_URL},
};
pub use error::StartupError;

/// How long a start waits for the database. Lambda allows ten seconds for all of it.
const DATABASE_CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// How often the signing key is loaded again.
const KEY_RELOAD_INTERVAL: Duration = Duration::from_mins(5);

/// The most connections of a server's restores, beside those of its links.
const MAX_RESTORE_CONNECTIONS: usize = 6;

/// How long one statement of a restore may take: it may change tens of thousands of rows.
const RESTORE_STATEMENT_TIMEOUT: Duration = Duration::from_mins(5);

/// Reads a variable of the process's environment, for [`crate::config`].
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment, for all hosts")]
pub fn read_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Builds what a host works with, all of it with the same credentials and the same HTTP client.
#[derive(Debug)]
pub struct HostBuilder {
    platform: PlatformConfig,
    credentials: SharedCredentialsProvider,
    http: HttpClient,
    sts: StsClient,
}

impl HostBuilder {
    /// Uses these credentials.
    pub fn new(
        platform: PlatformConfig,
        credentials: SharedCredentialsProvider,
    ) -> Result<Self, StartupError> {
        let http = HttpClient::new()?;
        let config = client_config(&platform, &credentials, platform.endpoints.sts.as_ref());
        let sts = StsClient::new(&config, http.clone())?;
        Ok(Self { platform, credentials, http, sts })
    }

    /// Uses the credentials in the environment, as in Lambda.
    pub fn from_environment(platform: PlatformConfig) -> Result<Self, StartupError> {
        let credentials = platform.credentials.clone();
        let credentials = credentials.ok_or(StartupError::MissingVariable(AWS_ACCESS_KEY_ID.name()))?;
        Self::new(platform, SharedCredentialsProvider::new(credentials))
    }

    /// What all hosts are configured with.
    #[must_use]
    pub fn platform(&self) -> &PlatformConfig {
        &self.platform
    }

    /// The HTTP client of everything that is built.
    #[must_use]
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Builds a pool of one connection to Postgres, and does not connect.
    pub fn build_single_connection_db(&self) -> Result<Db, StartupError> {
        self.open_db(PoolConfig { max_connections: 1, ..self.pool_config() })
    }

    /// Builds a pool of connections to Postgres, and makes the first: a function has more CPU at its start than later. If
    /// the database does not answer, that is only logged, since it may answer when it is needed.
    pub async fn connect_db(&self) -> Result<Db, StartupError> {
        let db = self.open_db(self.pool_config())?;
        let error = match tokio::time::timeout(DATABASE_CONNECT_TIMEOUT, check_tables(&db)).await {
            Ok(Ok(())) => return Ok(db),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let DatabaseConfig { host, port, .. } = &self.platform.database;
        tracing::warn!(
            service = "postgres",
            endpoint = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") },
            error,
            "the database does not answer yet"
        );
        Ok(db)
    }

    /// Loads the key that signs links, and builds the CDN with it and the rotation that loads it again.
    pub async fn load_cdn(&self, config: &CdnConfig) -> Result<(Cdn, KeyRotation), StartupError> {
        let trusted = Some(config.trusted_key());
        let rotation = KeyRotation::new(self.key_source(config)?, trusted, config.hash, KEY_RELOAD_INTERVAL);
        let signer = rotation.load_initial().await?;
        Ok((Cdn::new(&config.origin, signer), rotation))
    }

    /// Where the key that signs links is.
    pub fn key_source(&self, config: &CdnConfig) -> Result<KeySource, StartupError> {
        Ok(match config.key.clone() {
            KeyLocation::File(path) => KeySource::File(path),
            KeyLocation::Parameter(name) => KeySource::Ssm { client: self.ssm_client()?, name },
        })
    }

    /// Builds what the API works with.
    pub fn build_app(
        &self,
        config: ServiceConfig,
        db: Db,
        cdn: Cdn,
        queue: WorkerQueue,
    ) -> Result<App, StartupError> {
        let invalid_domain = StartupError::InvalidVariable(PENNSIEVE_DOMAIN.name());
        Ok(App {
            db,
            objects: self.object_store(),
            viewer_assets: config.viewer_assets,
            cdn,
            proxy: self.proxy_policy(config.proxy_buckets),
            link_window: config.link_window,
            max_response_bytes: None,
            queue,
            clock: Clock::System,
            realm: Realm::new(&config.domain).ok_or(invalid_domain)?,
            limits: RequestLimits::default(),
            path_prefix: PathPrefix::default(),
        })
    }

    /// Builds what the API works with on a server, which may limit requests in another way and have other paths.
    pub fn build_server_app(
        &self,
        config: &ServerConfig,
        db: Db,
        cdn: Cdn,
        queue: WorkerQueue,
    ) -> Result<App, StartupError> {
        let app = self.build_app(config.service.clone(), db, cdn, queue)?;
        let (limits, path_prefix) = (config.connections.request, config.path_prefix.clone());
        Ok(App { limits, path_prefix, ..app })
    }

    /// Which presigned URLs the proxy accepts: those of these buckets, and of those that the table says so of.
    fn proxy_policy(&self, buckets: Vec<Bucket>) -> ProxyPolicy {
        let PlatformConfig { region, endpoints, buckets: table, .. } = &self.platform;
        ProxyPolicy::new(buckets, region.clone(), endpoints.s3.clone()).with_table(table.clone())
    }

    /// Builds what restores work with.
    pub fn build_restorer(&self, config: RestoreConfig, db: Db) -> Result<Restorer, StartupError> {
        Ok(Restorer {
            db: db.with_statement_timeout(RESTORE_STATEMENT_TIMEOUT),
            objects: self.object_store(),
            changelog: match config.changelog_queue_url {
                Some(url) => Changelog::Sqs(self.sqs_queue(url)?),
                None => Changelog::None,
            },
            delete_records: match config.delete_record_table {
                Some(table) => DeleteRecords::dynamodb(self.dynamodb_client()?, table),
                None => DeleteRecords::None,
            },
            clock: Clock::System,
            limits: RestoreLimits::default(),
            broken_workspaces: BrokenWorkspaces::default(),
        })
    }

    /// Builds what a server's restores work with. They have connections of their own: to Postgres, so that restores never
    /// hold up links; to AWS, since restores run in their own thread, and a connection works in the thread that opened it.
    pub fn build_server_restorer(&self, config: RestoreConfig) -> Result<Restorer, StartupError> {
        let own = Self::new(self.platform.clone(), self.credentials.clone())?;
        let pool = PoolConfig { max_connections: MAX_RESTORE_CONNECTIONS, ..own.pool_config() };
        own.build_restorer(config, Db::from_config(pool)?)
    }

    /// Builds what verifies credentials and finds roles.
    pub fn build_authorizer(&self, config: &AuthorizeConfig, db: Db) -> Result<Authorizer, StartupError> {
        let verifier = TokenVerifier::from_cognito(&config.cognito_config(), &self.http);
        let callbacks = self.callback_validators(&config.callback_functions)?;
        Ok(Authorizer::new(verifier, db, Clock::System).with_callbacks(callbacks))
    }

    /// The validators of callbacks. They are in the region of the service.
    pub fn callback_validators(
        &self,
        functions: &CallbackFunctions,
    ) -> Result<CallbackValidators, StartupError> {
        let region = self.platform.region.as_str();
        if functions.values().any(|function| function.region() != region) {
            return Err(StartupError::InvalidVariable(CALLBACK_VALIDATORS.name()));
        }
        let config = self.client_config(self.platform.endpoints.lambda.as_ref());
        let client = JsonClient::lambda(&config, self.http.clone())?;
        Ok(CallbackValidators::new(client, functions.clone()))
    }

    /// The SQS queue of restore messages, for a host that cannot work without it.
    pub fn require_restore_queue(&self, url: Option<&String>) -> Result<SqsQueue, StartupError> {
        let url = url.ok_or(StartupError::MissingVariable(RESTORE_PACKAGE_QUEUE_URL.name()))?;
        self.sqs_queue(url.clone())
    }

    /// An SQS queue.
    pub fn sqs_queue(&self, url: String) -> Result<SqsQueue, StartupError> {
        let config = self.client_config(self.platform.endpoints.sqs.as_ref());
        let client = JsonClient::sqs(&config, self.http.clone())?;
        Ok(SqsQueue { client, url })
    }

    /// S3.
    #[must_use]
    pub fn object_store(&self) -> ObjectStore {
        let config = StorageConfig {
            endpoint: self.platform.endpoints.s3.clone(),
            region: self.platform.region.clone(),
            credentials: self.credentials.clone(),
        };
        ObjectStore::new(config, self.http.clone()).with_buckets(&self.platform.buckets, self.sts.clone())
    }

    /// STS, which assumes the roles of buckets.
    #[must_use]
    pub fn sts_client(&self) -> &StsClient {
        &self.sts
    }

    /// DynamoDB.
    pub fn dynamodb_client(&self) -> Result<JsonClient, StartupError> {
        let config = self.client_config(self.platform.endpoints.dynamodb.as_ref());
        Ok(JsonClient::dynamodb(&config, self.http.clone())?)
    }

    /// SSM, with the time limits of a start.
    pub fn ssm_client(&self) -> Result<JsonClient, StartupError> {
        let config = self.client_config(self.platform.endpoints.ssm.as_ref());
        let client = JsonClient::ssm(&config, self.http.clone())?;
        Ok(client.with_limits(CallLimits::STARTUP))
    }

    fn client_config(&self, endpoint: Option<&String>) -> ClientConfig {
        client_config(&self.platform, &self.credentials, endpoint)
    }

    fn open_db(&self, config: PoolConfig) -> Result<Db, StartupError> {
        let are_prepared = self.platform.database.prepared_statements;
        Ok(Db::from_config(config)?.with_prepared_statements(are_prepared))
    }

    fn pool_config(&self) -> PoolConfig {
        let DatabaseConfig { host, port, user, name, password, tls, ca_file, connections, .. } =
            self.platform.database.clone();
        let password = match password {
            Some(password) => Password::Fixed(password),
            None => {
                Password::Iam { region: self.platform.region.clone(), credentials: self.credentials.clone() }
            }
        };
        let tls = if tls { Tls::Verified { extra_ca_file: ca_file } } else { Tls::Disabled };
        PoolConfig {
            host,
            port,
            user,
            name,
            password,
            tls,
            max_connections: connections,
            clock: Clock::System,
        }
    }
}

fn client_config(
    platform: &PlatformConfig,
    credentials: &SharedCredentialsProvider,
    endpoint: Option<&String>,
) -> ClientConfig {
    ClientConfig {
        region: platform.region.clone(),
        credentials: credentials.clone(),
        endpoint: endpoint.cloned(),
        clock: Clock::System,
    }
}
