//! From a host's configuration to what it works with.
//!
//! The functions in Lambda and `packages-service serve` are the same service: they read the same variables
//! ([`packages::config`]) and build the same things from them, here. What is left to each is where its requests and
//! messages come from.

mod catalog;

use std::{fmt, time::Duration};

use api::{App, Cdn, ProxyPolicy, Realm};
use authorize::{Authorizer, Verifier};
use aws_credential_types::provider::SharedCredentialsProvider;
use packages::{
    aws::{self, CallLimits, JsonService},
    changelog::Changelog,
    clock::Clock,
    config::{self, Key, Platform},
    db::{Database, Db, Password, Tls},
    deletions::DeletionRecords,
    http::Http,
    objects::{self, Objects},
    queue::{Queue, Sqs},
    restore::{RestoreLimits, Restorer},
    secrets::{KeySource, Rotation},
};

pub use catalog::telemetry_catalog;

/// How long the start waits for the database. Lambda gives a start ten seconds in all.
const CONNECT: Duration = Duration::from_secs(4);

/// How often it is looked whether there is another signing key.
const ROTATION: Duration = Duration::from_mins(5);

/// How many connections restores have for themselves, however many of them there are: links keep all of theirs.
const WORKER_CONNECTIONS: usize = 6;

/// How long one statement of a restore may take: it may change tens of thousands of rows.
const RESTORE_STATEMENT_TIMEOUT: Duration = Duration::from_mins(5);

/// A variable of the environment, for [`packages::config`].
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment, for all hosts")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What keeps a host from starting, in words for its operator.
#[derive(Debug)]
pub struct Unusable(String);

impl Unusable {
    /// With the words of what went wrong.
    pub fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

/// Builds what a host works with: everything with the same credentials and over the same connections.
#[derive(Debug)]
pub struct Builder {
    platform: Platform,
    credentials: SharedCredentialsProvider,
    http: Http,
}

impl Builder {
    /// For a host that acts as whom these credentials name.
    pub fn new(platform: Platform, credentials: SharedCredentialsProvider) -> Result<Self, Unusable> {
        Ok(Self { platform, credentials, http: Http::new().map_err(Unusable::new)? })
    }

    /// For a host whose credentials are in its environment, as in Lambda.
    pub fn from_environment(platform: Platform) -> Result<Self, Unusable> {
        let credentials = platform.credentials.clone();
        let credentials =
            credentials.ok_or_else(|| Unusable::new("the environment holds no AWS credentials"))?;
        Self::new(platform, SharedCredentialsProvider::new(credentials))
    }

    /// What all hosts are told.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The client that everything is asked with over HTTP.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Postgres, without a connection yet, of one at most.
    pub fn single_connection_db(&self) -> Result<Db, Unusable> {
        Db::connect(Database { connections: 1, ..self.database() }).map_err(Unusable::new)
    }

    /// Postgres, with a first connection: at a function's start there is more CPU than later. A database that does not
    /// answer now may answer when it is needed, so that is no reason not to start.
    pub async fn db(&self) -> Result<Db, Unusable> {
        let db = Db::connect(self.database()).map_err(Unusable::new)?;
        let error = match tokio::time::timeout(CONNECT, db.check()).await {
            Ok(Ok(())) => return Ok(db),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let config::Database { host, port, .. } = &self.platform.database;
        tracing::warn!(
            service = "postgres",
            endpoint = format!("{host}:{port}"),
            error,
            "the database does not answer yet"
        );
        Ok(db)
    }

    /// The CDN with the key that its links are signed with, and what looks for another key. Fails if there is no key.
    pub async fn cdn(&self, config: &config::Cdn) -> Result<(Cdn, Rotation), Unusable> {
        let trusted = Some(config.trusted_key());
        let rotation = Rotation::new(self.key_source(config)?, trusted, config.hash, ROTATION);
        let signer = rotation.load_first().await.map_err(Unusable::new)?;
        Ok((Cdn::new(&config.origin, signer), rotation))
    }

    /// Where the key is that links to the CDN are signed with.
    pub fn key_source(&self, config: &config::Cdn) -> Result<KeySource, Unusable> {
        Ok(match config.key.clone() {
            Key::File(path) => KeySource::File(path),
            Key::Parameter(name) => KeySource::Ssm { service: self.ssm()?, name },
        })
    }

    /// What the API works with.
    pub fn app(&self, config: config::Service, db: Db, cdn: Cdn, queue: Queue) -> Result<App, Unusable> {
        let realm =
            Realm::new(&config.domain).ok_or_else(|| Unusable::new("PENNSIEVE_DOMAIN is no domain"))?;
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
    pub fn restorer(&self, config: config::Restore, db: Db) -> Result<Restorer, Unusable> {
        Ok(Restorer {
            db: db.with_statement_timeout(RESTORE_STATEMENT_TIMEOUT),
            objects: self.objects(),
            changelog: match config.changelog {
                Some(url) => Changelog::Sqs(self.queue(url)?),
                None => Changelog::None,
            },
            deletions: match config.delete_records {
                Some(table) => DeletionRecords::dynamodb(self.dynamodb()?, table),
                None => DeletionRecords::None,
            },
            clock: Clock::System,
            limits: RestoreLimits::default(),
        })
    }

    /// What a server's restores work with: connections of their own, to Postgres so that links keep all of theirs, and to
    /// AWS since restores have a thread of their own, and a connection does its work where it was opened.
    pub fn server_restorer(&self, config: config::Restore) -> Result<Restorer, Unusable> {
        let apart = Self::new(self.platform.clone(), self.credentials.clone())?;
        let database = Database { connections: WORKER_CONNECTIONS, ..apart.database() };
        apart.restorer(config, Db::connect(database).map_err(Unusable::new)?)
    }

    /// What says who asks and what they may.
    #[must_use]
    pub fn authorizer(&self, config: &config::Authorize, db: Db) -> Authorizer {
        Authorizer::new(Verifier::cognito(config, &self.http), db, Clock::System)
    }

    /// The SQS queue of restore orders, for a host that has nothing to do with restores but by it.
    pub fn orders(&self, url: Option<&String>) -> Result<Sqs, Unusable> {
        let url = url.ok_or_else(|| Unusable::new("RESTORE_PACKAGE_QUEUE_URL is not set"))?;
        self.queue(url.clone())
    }

    /// An SQS queue.
    pub fn queue(&self, url: String) -> Result<Sqs, Unusable> {
        let settings = self.settings(self.platform.endpoints.sqs.as_ref());
        let service = JsonService::sqs(&settings, self.http.clone()).map_err(Unusable::new)?;
        Ok(Sqs { service, url })
    }

    /// S3.
    #[must_use]
    pub fn objects(&self) -> Objects {
        let settings = objects::Settings {
            endpoint: self.platform.endpoints.s3.clone(),
            region: self.platform.region.clone(),
            credentials: self.credentials.clone(),
        };
        Objects::new(settings, self.http.clone())
    }

    /// DynamoDB.
    pub fn dynamodb(&self) -> Result<JsonService, Unusable> {
        let settings = self.settings(self.platform.endpoints.dynamodb.as_ref());
        JsonService::dynamodb(&settings, self.http.clone()).map_err(Unusable::new)
    }

    /// SSM, for somebody who does not wait long.
    pub fn ssm(&self) -> Result<JsonService, Unusable> {
        let settings = self.settings(self.platform.endpoints.ssm.as_ref());
        let service = JsonService::ssm(&settings, self.http.clone()).map_err(Unusable::new)?;
        Ok(service.with_limits(CallLimits::START))
    }

    fn settings(&self, endpoint: Option<&String>) -> aws::Settings {
        aws::Settings {
            region: self.platform.region.clone(),
            credentials: self.credentials.clone(),
            endpoint: endpoint.cloned(),
            clock: Clock::System,
        }
    }

    fn database(&self) -> Database {
        let config::Database { host, port, user, name, password, tls, ca_file, connections } =
            self.platform.database.clone();
        let password = match password {
            Some(password) => Password::Fixed(password),
            None => {
                Password::Iam { region: self.platform.region.clone(), credentials: self.credentials.clone() }
            }
        };
        let tls = if tls { Tls::Verified { extra_ca_file: ca_file } } else { Tls::Off };
        Database { host, port, user, name, password, tls, connections, clock: Clock::System }
    }
}
