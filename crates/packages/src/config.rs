//! The environment, read once: what a host must be told to run on AWS or on a machine of its own.
//!
//! A host asks for what it needs ([`Service`], [`Restore`], [`Authorize`]) and gets all of it or [`Faults`], which names
//! every variable that is missing or cannot be meant, in one message and without any value. [`VARIABLES`] describes them;
//! the table in the README is made from it.

mod faults;
mod table;

use std::path::PathBuf;

use aws_credential_types::Credentials;
use http::Uri;
use signing::{
    cloudfront::{Hash, KeyPairId},
    s3::{Bucket, CustomEndpoint, Region},
};
use zeroize::Zeroizing;

pub use faults::Faults;
use faults::Reader;
pub use table::{Need, VARIABLES, Variable, readme_table};

/// Where a variable's value comes from.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What all hosts need.
#[derive(Debug, Clone)]
pub struct Platform {
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
    pub endpoints: Endpoints,
    /// Postgres.
    pub database: Database,
}

/// The base URLs of AWS services that are not to be found at AWS's own (AWS SDKs and Tools Reference Guide,
/// "Service-specific endpoints").
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
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
pub struct Database {
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

/// What the API needs beyond the [`Platform`].
#[derive(Debug, Clone)]
pub struct Service {
    /// What all hosts need.
    pub platform: Platform,
    /// The platform's domain, which names who asks for a token.
    pub domain: String,
    /// Where viewer assets lie.
    pub viewer_assets: Bucket,
    /// Buckets that the proxy lets through.
    pub proxy_buckets: Vec<Bucket>,
    /// The CDN.
    pub cdn: Cdn,
    /// The URL of the queue of restore orders; without one, restores run in the host's own process.
    pub queue: Option<String>,
}

/// The CDN in front of the viewer assets.
#[derive(Debug, Clone)]
pub struct Cdn {
    /// Scheme and host.
    pub origin: String,
    /// The id of the public key at CloudFront.
    pub key_id: KeyPairId,
    /// Where the private key is.
    pub key: Key,
    /// What links are signed over.
    pub hash: Hash,
}

/// Where the private key is.
#[derive(Debug, Clone)]
pub enum Key {
    /// In an SSM parameter of this name.
    Parameter(String),
    /// In a file.
    File(PathBuf),
}

/// What restoring needs beyond the [`Platform`].
#[derive(Debug, Clone)]
pub struct Restore {
    /// What all hosts need.
    pub platform: Platform,
    /// The DynamoDB table of delete records, if there is one.
    pub delete_records: Option<String>,
    /// The URL of the queue that the changelog is told through, if there is one.
    pub changelog: Option<String>,
    /// The URL of the queue that orders come from, if they do not come from the host's own process.
    pub queue: Option<String>,
}

/// What verifying tokens needs beyond the [`Platform`].
#[derive(Debug, Clone)]
pub struct Authorize {
    /// What all hosts need.
    pub platform: Platform,
    /// The pool of people.
    pub people: UserPool,
    /// The pool of API keys.
    pub api_keys: UserPool,
}

/// A Cognito user pool and the one client of it that is ours.
#[derive(Debug, Clone)]
pub struct UserPool {
    pool: String,
    client: String,
}

impl UserPool {
    /// The ids are held to Cognito's own patterns (Amazon Cognito API Reference, `DescribeUserPoolClient`), since one of
    /// them becomes part of a URL.
    #[must_use]
    pub fn new(pool: &str, client: &str) -> Option<Self> {
        Some(Self { pool: pool_id(pool)?, client: client_id(client)? })
    }

    /// The pool's id, as in `us-east-1_AbCdEfGhI`.
    #[must_use]
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// The client's id.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client
    }
}

fn pool_id(id: &str) -> Option<String> {
    let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let has_parts = id.split_once('_').is_some_and(|(region, own)| !region.is_empty() && !own.is_empty());
    (id.len() <= 55 && word(id) && has_parts).then(|| id.to_owned())
}

fn client_id(id: &str) -> Option<String> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
    ((1..=128).contains(&id.len()) && id.bytes().all(is_known)).then(|| id.to_owned())
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
pub struct Server {
    /// The API.
    pub service: Service,
    /// Who asks.
    pub authorize: Authorize,
    /// Restoring, where no queue takes the orders to another process.
    pub restore: Option<Restore>,
}

impl Service {
    /// Reads what the API needs.
    pub fn read(host: Host, lookup: Lookup<'_>) -> Result<Self, Faults> {
        Reader::read(lookup, |env| Self::from(env, host))
    }

    fn from(env: &mut Reader<'_>, host: Host) -> Option<Self> {
        let platform = platform(env, host);
        let domain = env.parsed("PENNSIEVE_DOMAIN", |domain| is_host(domain).then(|| domain.to_owned()));
        let viewer_assets = env.parsed("VIEWER_ASSETS_BUCKET", |name| Bucket::new(name).ok());
        let proxy_buckets = env.optional_parsed("PROXY_ALLOWED_BUCKETS", buckets);
        let cdn = cdn(env);
        let queue = queue(env, host);
        let viewer_assets = viewer_assets?;
        let proxy_buckets = proxy_buckets.unwrap_or_else(|| vec![viewer_assets.clone()]);
        Some(Self { platform: platform?, domain: domain?, viewer_assets, proxy_buckets, cdn: cdn?, queue })
    }
}

impl Restore {
    /// Reads what restoring needs.
    pub fn read(host: Host, lookup: Lookup<'_>) -> Result<Self, Faults> {
        Reader::read(lookup, |env| Self::from(env, host))
    }

    fn from(env: &mut Reader<'_>, host: Host) -> Option<Self> {
        let platform = platform(env, host);
        let delete_records = env.required("DELETE_RECORD_DYNAMODB_TABLE_NAME");
        let changelog = env.required("JOBS_QUEUE_ID");
        let queue = queue(env, host);
        Some(Self {
            platform: platform?,
            delete_records: some(delete_records?),
            changelog: some(changelog?),
            queue,
        })
    }
}

impl Authorize {
    /// Reads what verifying tokens needs.
    pub fn read(host: Host, lookup: Lookup<'_>) -> Result<Self, Faults> {
        Reader::read(lookup, |env| Self::from(env, host))
    }

    fn from(env: &mut Reader<'_>, host: Host) -> Option<Self> {
        let platform = platform(env, host);
        let people = user_pool(env, "USER_POOL", "USER_CLIENT");
        let api_keys = user_pool(env, "TOKEN_POOL", "TOKEN_CLIENT");
        Some(Self { platform: platform?, people: people?, api_keys: api_keys? })
    }
}

impl Server {
    /// Reads what a server needs.
    pub fn read(lookup: Lookup<'_>) -> Result<Self, Faults> {
        Reader::read(lookup, |env| {
            let service = Service::from(env, Host::Server);
            let authorize = Authorize::from(env, Host::Server);
            let restores_itself = env.optional("RESTORE_PACKAGE_QUEUE_URL").is_none();
            let restore = restores_itself.then(|| Restore::from(env, Host::Server));
            Some(Self { service: service?, authorize: authorize?, restore: restore.flatten() })
        })
    }
}

/// A name, or nothing where the operator has said that there is none.
fn some(value: String) -> Option<String> {
    Some(value).filter(|value| value != "none")
}

fn platform(env: &mut Reader<'_>, host: Host) -> Option<Platform> {
    let name = env.required("ENV");
    let region = env.parsed_either(["REGION", "AWS_REGION"], |name| Region::new(name).ok());
    let log = env.optional("LOG_LEVEL").unwrap_or_else(|| "info".to_owned());
    let xray = env.optional_parsed("AWS_XRAY_DAEMON_ADDRESS", daemon);
    let endpoints = endpoints(env);
    let database = database(env, host, name.as_deref());
    let credentials = credentials(env, host);
    Some(Platform { env: name?, region: region?, log, xray, endpoints, credentials, database: database? })
}

/// The credentials of the function's role. A server without them asks AWS's usual places.
fn credentials(env: &mut Reader<'_>, host: Host) -> Option<Credentials> {
    if host == Host::Server && env.optional("AWS_ACCESS_KEY_ID").is_none() {
        return None;
    }
    let (id, secret) = (env.required("AWS_ACCESS_KEY_ID"), env.required("AWS_SECRET_ACCESS_KEY"));
    let token = env.optional("AWS_SESSION_TOKEN");
    Some(Credentials::new(id?, secret?, token, None, "environment"))
}

/// The queue of restore orders. A function has nothing to do with restores but by it.
fn queue(env: &mut Reader<'_>, host: Host) -> Option<String> {
    match host {
        Host::Lambda => env.required("RESTORE_PACKAGE_QUEUE_URL"),
        Host::Server => env.optional("RESTORE_PACKAGE_QUEUE_URL"),
    }
}

fn endpoints(env: &mut Reader<'_>) -> Endpoints {
    Endpoints {
        s3: env.endpoint("AWS_ENDPOINT_URL_S3", |url| CustomEndpoint::parse(url).ok()),
        sqs: env.endpoint("AWS_ENDPOINT_URL_SQS", base_url),
        dynamodb: env.endpoint("AWS_ENDPOINT_URL_DYNAMODB", base_url),
        ssm: env.endpoint("AWS_ENDPOINT_URL_SSM", base_url),
        cognito: env.endpoint("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", base_url),
    }
}

fn database(env: &mut Reader<'_>, host: Host, name: Option<&str>) -> Option<Database> {
    let database = match env.optional_parsed("RDS_PROXY_ENDPOINT", address) {
        Some((address, port)) => Some(Database {
            host: address,
            port: port.unwrap_or(5432),
            user: env
                .optional("POSTGRES_USER")
                .unwrap_or_else(|| format!("{}_rds_proxy_user", name.unwrap_or_default())),
            name: env.optional("PENNSIEVE_DB").unwrap_or_else(|| "pennsieve_postgres".to_owned()),
            password: None,
            tls: true,
            ca_file: None,
            connections: 0,
        }),
        None if env.is_faulty("RDS_PROXY_ENDPOINT") => None,
        None => with_password(env),
    };
    let ca_file = env.optional("POSTGRES_CA_FILE").map(PathBuf::from);
    let connections = env.optional_parsed("POSTGRES_CONNECTIONS", positive).unwrap_or(host.connections());
    Some(Database { ca_file, connections, ..database? })
}

/// A database that is not behind RDS Proxy.
fn with_password(env: &mut Reader<'_>) -> Option<Database> {
    let host = env.required_else("POSTGRES_HOST", "RDS_PROXY_ENDPOINT")?;
    let port = env.optional_parsed("POSTGRES_PORT", |port| port.parse().ok()).unwrap_or(5432);
    let user = env.optional("POSTGRES_USER").unwrap_or_else(|| "postgres".to_owned());
    let name = env.optional("PENNSIEVE_DB").unwrap_or_else(|| "postgres".to_owned());
    let tls = env.optional_parsed("POSTGRES_SSL_MODE", ssl_mode).unwrap_or(true);
    let password = Some(Zeroizing::new(env.required_as_is("POSTGRES_PASSWORD")?));
    Some(Database { host, port, user, name, password, tls, ca_file: None, connections: 0 })
}

fn cdn(env: &mut Reader<'_>) -> Option<Cdn> {
    let origin = env.parsed("CLOUDFRONT_DISTRIBUTION_DOMAIN", origin);
    let key_id = env.parsed("CLOUDFRONT_KEY_ID", |id| KeyPairId::new(id).ok());
    let hash = env.optional_parsed("CLOUDFRONT_HASH_ALGORITHM", hash).unwrap_or_default();
    let key = match env.optional("CLOUDFRONT_PRIVATE_KEY_FILE") {
        Some(file) => Some(Key::File(file.into())),
        None => env
            .required_else("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "CLOUDFRONT_PRIVATE_KEY_FILE")
            .map(Key::Parameter),
    };
    Some(Cdn { origin: origin?, key_id: key_id?, key: key?, hash })
}

fn user_pool(env: &mut Reader<'_>, pool: &'static str, client: &'static str) -> Option<UserPool> {
    let (pool, client) = (env.parsed(pool, pool_id), env.parsed(client, client_id));
    Some(UserPool { pool: pool?, client: client? })
}

fn buckets(list: &str) -> Option<Vec<Bucket>> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| Bucket::new(name).ok())
        .collect()
}

/// `https://` and the domain; a scheme may be given, for a stand-in of CloudFront without TLS.
fn origin(domain: &str) -> Option<String> {
    let (scheme, host) = domain.split_once("://").unwrap_or(("https", domain));
    let host = host.trim_end_matches('/');
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    let fits = matches!(scheme, "http" | "https") && is_host(name) && port.parse::<u16>().is_ok();
    fits.then(|| format!("{scheme}://{host}"))
}

fn hash(name: &str) -> Option<Hash> {
    match name {
        "SHA256" => Some(Hash::Sha256),
        "SHA1" => Some(Hash::Sha1),
        _ => None,
    }
}

fn ssl_mode(mode: &str) -> Option<bool> {
    match mode {
        "disable" => Some(false),
        "require" | "verify-ca" | "verify-full" => Some(true),
        _ => None,
    }
}

fn positive(number: &str) -> Option<usize> {
    number.parse().ok().filter(|number| *number > 0)
}

/// A host name, with or without a port.
fn address(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (text, None),
    };
    is_host(host).then(|| (host.to_owned(), port))
}

fn is_host(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

/// An address as the X-Ray SDKs take it: `127.0.0.1:2000`, or `tcp:127.0.0.1:2000 udp:127.0.0.1:2000`.
fn daemon(text: &str) -> Option<String> {
    let udp = text.split(' ').find_map(|part| part.strip_prefix("udp:")).unwrap_or(text);
    let (host, port) = udp.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| udp.to_owned())
}

fn base_url(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let fits = matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
    fits.then(|| url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;
