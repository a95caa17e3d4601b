//! From a host's configuration to what it works with.
//!
//! The functions in Lambda and `packages-service serve` are the same service: they read the same variables
//! ([`crate::config`]) and build the same things from them, here. What is left to each is where its requests and
//! messages come from.

use restore::db::check_tables;
use signing_keys::{KeyRotation, KeySource};
use std::{fmt, time::Duration};

pub mod config;

use api::{App, Cdn, ProxyPolicy, Realm};
use authorize::{Authorizer, Verifier};
use aws::{self, CallLimits, Clock, HttpClient, JsonClient, SqsQueue};
use aws_credential_types::provider::SharedCredentialsProvider;
use config::{KeyLocation, PlatformConfig};
use database::{Db, Password, PoolConfig, Tls};
use restore::{RestoreLimits, Restorer, changelog::Changelog, deletions::DeleteRecords, queue::WorkerQueue};
use storage::{self, ObjectStore};

/// How long the start waits for the database. Lambda gives a start ten seconds in all.
const CONNECT: Duration = Duration::from_secs(4);

/// How often it is looked whether there is another signing key.
const ROTATION: Duration = Duration::from_mins(5);

/// How many connections restores have for themselves, however many of them there are: links keep all of theirs.
const WORKER_CONNECTIONS: usize = 6;

/// How long one statement of a restore may take: it may change tens of thousands of rows.
const RESTORE_STATEMENT_TIMEOUT: Duration = Duration::from_mins(5);

/// A variable of the environment, for [`crate::config`].
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment, for all hosts")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What keeps a host from starting, in words for its operator.
#[derive(Debug)]
pub struct StartupError(String);

impl StartupError {
    /// With the words of what went wrong.
    pub fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for StartupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartupError {}

/// Builds what a host works with: everything with the same credentials and over the same connections.
#[derive(Debug)]
pub struct HostBuilder {
    platform: PlatformConfig,
    credentials: SharedCredentialsProvider,
    http: HttpClient,
}

impl HostBuilder {
    /// For a host that acts as whom these credentials name.
    pub fn new(
        platform: PlatformConfig,
        credentials: SharedCredentialsProvider,
    ) -> Result<Self, StartupError> {
        Ok(Self { platform, credentials, http: HttpClient::new().map_err(StartupError::new)? })
    }

    /// For a host whose credentials are in its environment, as in Lambda.
    pub fn from_environment(platform: PlatformConfig) -> Result<Self, StartupError> {
        let credentials = platform.credentials.clone();
        let credentials =
            credentials.ok_or_else(|| StartupError::new("the environment holds no AWS credentials"))?;
        Self::new(platform, SharedCredentialsProvider::new(credentials))
    }

    /// What all hosts are told.
    #[must_use]
    pub fn platform(&self) -> &PlatformConfig {
        &self.platform
    }

    /// The client that everything is asked with over HTTP.
    #[must_use]
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Postgres, without a connection yet, of one at most.
    pub fn single_connection_db(&self) -> Result<Db, StartupError> {
        Db::from_config(PoolConfig { max_connections: 1, ..self.database() }).map_err(StartupError::new)
    }

    /// Postgres, with a first connection: at a function's start there is more CPU than later. A database that does not
    /// answer now may answer when it is needed, so that is no reason not to start.
    pub async fn db(&self) -> Result<Db, StartupError> {
        let db = Db::from_config(self.database()).map_err(StartupError::new)?;
        let error = match tokio::time::timeout(CONNECT, check_tables(&db)).await {
            Ok(Ok(())) => return Ok(db),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let config::DatabaseConfig { host, port, .. } = &self.platform.database;
        tracing::warn!(
            service = "postgres",
            endpoint = format!("{host}:{port}"),
            error,
            "the database does not answer yet"
        );
        Ok(db)
    }

    /// The CDN with the key that its links are signed with, and what looks for another key. Fails if there is no key.
    pub async fn cdn(&self, config: &config::CdnConfig) -> Result<(Cdn, KeyRotation), StartupError> {
        let trusted = Some(config.trusted_key());
        let rotation = KeyRotation::new(self.key_source(config)?, trusted, config.hash, ROTATION);
        let signer = rotation.load_initial().await.map_err(StartupError::new)?;
        Ok((Cdn::new(&config.origin, signer), rotation))
    }

    /// Where the key is that links to the CDN are signed with.
    pub fn key_source(&self, config: &config::CdnConfig) -> Result<KeySource, StartupError> {
        Ok(match config.key.clone() {
            KeyLocation::File(path) => KeySource::File(path),
            KeyLocation::Parameter(name) => KeySource::Ssm { client: self.ssm()?, name },
        })
    }

    /// What the API works with.
    pub fn app(
        &self,
        config: config::ServiceConfig,
        db: Db,
        cdn: Cdn,
        queue: WorkerQueue,
    ) -> Result<App, StartupError> {
        let realm =
            Realm::new(&config.domain).ok_or_else(|| StartupError::new("PENNSIEVE_DOMAIN is no domain"))?;
        Ok(App {
            db,
            objects: self.objects(),
            viewer_assets: config.viewer_assets,
            cdn,
            proxy: ProxyPolicy::new(config.proxy_buckets, self.platform.endpoints.s3.clone()),
            queue,
            clock: Clock::System,
            realm,
        })
    }

    /// What a restore works with.
    pub fn restorer(&self, config: config::RestoreConfig, db: Db) -> Result<Restorer, StartupError> {
        Ok(Restorer {
            db: db.with_statement_timeout(RESTORE_STATEMENT_TIMEOUT),
            objects: self.objects(),
            changelog: match config.changelog {
                Some(url) => Changelog::Sqs(self.queue(url)?),
                None => Changelog::None,
            },
            deletions: match config.delete_records {
                Some(table) => DeleteRecords::dynamodb(self.dynamodb()?, table),
                None => DeleteRecords::None,
            },
            clock: Clock::System,
            limits: RestoreLimits::default(),
        })
    }

    /// What a server's restores work with: connections of their own, to Postgres so that links keep all of theirs, and to
    /// AWS since restores have a thread of their own, and a connection does its work where it was opened.
    pub fn server_restorer(&self, config: config::RestoreConfig) -> Result<Restorer, StartupError> {
        let apart = Self::new(self.platform.clone(), self.credentials.clone())?;
        let database = PoolConfig { max_connections: WORKER_CONNECTIONS, ..apart.database() };
        apart.restorer(config, Db::from_config(database).map_err(StartupError::new)?)
    }

    /// What says who asks and what they may.
    #[must_use]
    pub fn authorizer(&self, config: &config::AuthorizeConfig, db: Db) -> Authorizer {
        Authorizer::new(Verifier::cognito(&config.cognito_pools(), &self.http), db, Clock::System)
    }

    /// The SQS queue of restore orders, for a host that has nothing to do with restores but by it.
    pub fn orders(&self, url: Option<&String>) -> Result<SqsQueue, StartupError> {
        let url = url.ok_or_else(|| StartupError::new("RESTORE_PACKAGE_QUEUE_URL is not set"))?;
        self.queue(url.clone())
    }

    /// An SQS queue.
    pub fn queue(&self, url: String) -> Result<SqsQueue, StartupError> {
        let settings = self.settings(self.platform.endpoints.sqs.as_ref());
        let client = JsonClient::sqs(&settings, self.http.clone()).map_err(StartupError::new)?;
        Ok(SqsQueue { client, url })
    }

    /// S3.
    #[must_use]
    pub fn objects(&self) -> ObjectStore {
        let settings = storage::StorageConfig {
            endpoint: self.platform.endpoints.s3.clone(),
            region: self.platform.region.clone(),
            credentials: self.credentials.clone(),
        };
        ObjectStore::new(settings, self.http.clone())
    }

    /// DynamoDB.
    pub fn dynamodb(&self) -> Result<JsonClient, StartupError> {
        let settings = self.settings(self.platform.endpoints.dynamodb.as_ref());
        JsonClient::dynamodb(&settings, self.http.clone()).map_err(StartupError::new)
    }

    /// SSM, for somebody who does not wait long.
    pub fn ssm(&self) -> Result<JsonClient, StartupError> {
        let settings = self.settings(self.platform.endpoints.ssm.as_ref());
        let service = JsonClient::ssm(&settings, self.http.clone()).map_err(StartupError::new)?;
        Ok(service.with_limits(CallLimits::STARTUP))
    }

    fn settings(&self, endpoint: Option<&String>) -> aws::ClientConfig {
        aws::ClientConfig {
            region: self.platform.region.clone(),
            credentials: self.credentials.clone(),
            endpoint: endpoint.cloned(),
            clock: Clock::System,
        }
    }

    fn database(&self) -> PoolConfig {
        let config::DatabaseConfig { host, port, user, name, password, tls, ca_file, connections } =
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
