//! The environment, read once: what a host must be told to run on AWS or on a machine of its own.
//!
//! A host asks for what it needs ([`ServiceConfig`], [`RestoreConfig`], [`AuthorizeConfig`]) and gets all of it or [`ConfigError`], which names
//! every variable that is missing or cannot be meant, in one message and without any value. [`VARIABLES`] describes them;
//! the table in the README is made from it.

mod faults;
mod parse;
mod read;
mod table;

use std::{path::PathBuf, time::Duration};

use aws_credential_types::Credentials;
use signing::{
    cloudfront::{HashAlgorithm, KeyPairId, PublicKey},
    s3::{Bucket, CustomEndpoint, Region},
};
use zeroize::Zeroizing;

pub use faults::ConfigError;
use faults::Reader;
pub use table::{Requirement, VARIABLES, Variable, readme_table};

use authorize::{CognitoPools, UserPool};

use signing_keys::TrustedKey;

/// Where a variable's value comes from.
pub type VariableLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What all hosts need.
#[derive(Debug, Clone)]
pub struct PlatformConfig {
    /// The environment's name, as in `dev` or `prod`.
    pub env: String,
    /// The AWS region that the service runs in.
    pub region: Region,
    /// What to log: a filter such as `info,packages=debug`.
    pub log: String,
    /// Where trace documents go, if anywhere: host and port.
    pub xray: Option<String>,
    /// Credentials that the environment holds, as it does in Lambda.
    pub credentials: Option<Credentials>,
    /// AWS services that are spoken to elsewhere.
    pub endpoints: EndpointsConfig,
    /// Postgres.
    pub database: DatabaseConfig,
}

/// The base URLs of AWS services that are not to be found at AWS's own (AWS SDKs and Tools Reference Guide,
/// "Service-specific endpoints").
#[derive(Debug, Clone, Default)]
pub struct EndpointsConfig {
    /// S3, spoken to path-style.
    pub s3: Option<CustomEndpoint>,
    /// SQS.
    pub sqs: Option<String>,
    /// DynamoDB.
    pub dynamodb: Option<String>,
    /// SSM.
    pub ssm: Option<String>,
    /// Cognito, of which only the published keys are read.
    pub cognito: Option<String>,
}

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Database.
    pub name: String,
    /// A password; without one an IAM token is made for each connection.
    pub password: Option<Zeroizing<String>>,
    /// Whether connections are encrypted and the server's certificate is verified.
    pub tls: bool,
    /// Certificate authorities to trust beside the system's and those of RDS.
    pub ca_file: Option<PathBuf>,
    /// Connections at most.
    pub connections: usize,
}

/// What the API needs beyond the [`PlatformConfig`].
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// What all hosts need.
    pub platform: PlatformConfig,
    /// The platform's domain, which names who asks for a token.
    pub domain: String,
    /// Where viewer assets lie.
    pub viewer_assets: Bucket,
    /// Buckets that the proxy lets through.
    pub proxy_buckets: Vec<Bucket>,
    /// The CDN.
    pub cdn: CdnConfig,
    /// The URL of the queue of restore orders; without one, restores run in the host's own process.
    pub queue: Option<String>,
}

/// The CDN in front of the viewer assets.
#[derive(Debug, Clone)]
pub struct CdnConfig {
    /// Scheme and host.
    pub origin: String,
    /// The id of the public key at CloudFront.
    pub key_id: KeyPairId,
    /// The public key that has this id there.
    pub public_key: Option<PublicKey>,
    /// Where the private key is.
    pub key: KeyLocation,
    /// What links are signed over.
    pub hash: HashAlgorithm,
}

impl CdnConfig {
    /// What CloudFront trusts, as far as we were told.
    #[must_use]
    pub fn trusted_key(&self) -> TrustedKey {
        TrustedKey { id: self.key_id.clone(), public_key: self.public_key.clone() }
    }
}

/// Where the private key is.
#[derive(Debug, Clone)]
pub enum KeyLocation {
    /// In an SSM parameter of this name.
    Parameter(String),
    /// In a file.
    File(PathBuf),
}

/// How long a package may be RESTORING without an order, where nothing else is set.
const STRAY_MAX_AGE: Duration = Duration::from_hours(24);

/// What restoring needs beyond the [`PlatformConfig`].
#[derive(Debug, Clone)]
pub struct RestoreConfig {
    /// What all hosts need.
    pub platform: PlatformConfig,
    /// The DynamoDB table of delete records, if there is one.
    pub delete_records: Option<String>,
    /// The URL of the queue that the changelog is told through, if there is one.
    pub changelog: Option<String>,
    /// The URL of the queue that wakes workers, if they are not in the host's own process.
    pub queue: Option<String>,
    /// How long a package may be RESTORING without an order before it is put back into the trash.
    pub stray_max_age: Duration,
}

/// What verifying tokens needs beyond the [`PlatformConfig`].
#[derive(Debug, Clone)]
pub struct AuthorizeConfig {
    /// What all hosts need.
    pub platform: PlatformConfig,
    /// The pool of people.
    pub people: UserPool,
    /// The pool of API keys.
    pub api_keys: UserPool,
}

/// The kind of host, which decides what must be there and how many connections are useful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// A Lambda function: one request at a time, credentials in the environment.
    Lambda,
    /// A server: many requests at a time, credentials from wherever AWS's tools find them.
    Server,
}

impl Host {
    fn connections(self) -> usize {
        match self {
            Self::Lambda => 2,
            Self::Server => 16,
        }
    }
}

/// What a server needs, which is all of it in one process.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The API.
    pub service: ServiceConfig,
    /// Who asks.
    pub authorize: AuthorizeConfig,
    /// Restoring, where no queue takes the orders to another process.
    pub restore: Option<RestoreConfig>,
}

impl ServiceConfig {
    /// Reads what the API needs.
    pub fn read(host: Host, lookup: VariableLookup<'_>) -> Result<Self, ConfigError> {
        Reader::read(lookup, |env| {
            let platform = read::platform(env, host);
            Self::from(env, host, platform)
        })
    }

    fn from(env: &mut Reader<'_>, host: Host, platform: Option<PlatformConfig>) -> Option<Self> {
        let domain =
            env.parsed("PENNSIEVE_DOMAIN", |domain| parse::is_host(domain).then(|| domain.to_owned()));
        let viewer_assets = env.parsed("VIEWER_ASSETS_BUCKET", |name| Bucket::new(name).ok());
        let proxy_buckets = env.optional_parsed("PROXY_ALLOWED_BUCKETS", parse::buckets);
        let cdn = read::cdn(env);
        let queue = read::queue(env, host);
        let viewer_assets = viewer_assets?;
        let proxy_buckets = proxy_buckets.unwrap_or_else(|| vec![viewer_assets.clone()]);
        Some(Self { platform: platform?, domain: domain?, viewer_assets, proxy_buckets, cdn: cdn?, queue })
    }
}

impl RestoreConfig {
    /// Reads what restoring needs.
    pub fn read(host: Host, lookup: VariableLookup<'_>) -> Result<Self, ConfigError> {
        Reader::read(lookup, |env| {
            let platform = read::platform(env, host);
            Self::from(env, host, platform)
        })
    }

    fn from(env: &mut Reader<'_>, host: Host, platform: Option<PlatformConfig>) -> Option<Self> {
        let delete_records = env.required("DELETE_RECORD_DYNAMODB_TABLE_NAME");
        let changelog = env.required("JOBS_QUEUE_ID");
        let queue = read::queue(env, host);
        let stray_max_age = env.optional_parsed("RESTORE_STRAY_HOURS", parse::hours);
        Some(Self {
            platform: platform?,
            delete_records: read::some(delete_records?),
            changelog: read::some(changelog?),
            queue,
            stray_max_age: stray_max_age.unwrap_or(STRAY_MAX_AGE),
        })
    }
}

impl AuthorizeConfig {
    /// The user pools whose tokens are believed.
    #[must_use]
    pub fn cognito_pools(&self) -> CognitoPools {
        CognitoPools {
            region: self.platform.region.clone(),
            endpoint: self.platform.endpoints.cognito.clone(),
            people: self.people.clone(),
            api_keys: self.api_keys.clone(),
        }
    }

    /// Reads what verifying tokens needs.
    pub fn read(host: Host, lookup: VariableLookup<'_>) -> Result<Self, ConfigError> {
        Reader::read(lookup, |env| {
            let platform = read::platform(env, host);
            Self::from(env, platform)
        })
    }

    fn from(env: &mut Reader<'_>, platform: Option<PlatformConfig>) -> Option<Self> {
        let people = read::user_pool(env, "USER_POOL", "USER_CLIENT");
        let api_keys = read::user_pool(env, "TOKEN_POOL", "TOKEN_CLIENT");
        Some(Self { platform: platform?, people: people?, api_keys: api_keys? })
    }
}

impl ServerConfig {
    /// Reads what a server needs.
    pub fn read(lookup: VariableLookup<'_>) -> Result<Self, ConfigError> {
        Reader::read(lookup, |env| {
            let platform = read::platform(env, Host::Server);
            let service = ServiceConfig::from(env, Host::Server, platform.clone());
            let authorize = AuthorizeConfig::from(env, platform.clone());
            let restores_itself = env.optional("RESTORE_PACKAGE_QUEUE_URL").is_none();
            let restore = restores_itself.then(|| RestoreConfig::from(env, Host::Server, platform));
            Some(Self { service: service?, authorize: authorize?, restore: restore.flatten() })
        })
    }
}

#[cfg(test)]
mod tests;
