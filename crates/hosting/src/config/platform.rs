//! What all hosts need.

use std::path::PathBuf;

use aws_credential_types::Credentials;
use signing::s3::{CustomEndpoint, Region};
use storage::BucketTable;
use zeroize::Zeroizing;

use crate::config::{
    Host,
    buckets::read_buckets,
    reader::Reader,
    variables::{
        AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER,
        AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL_SQS,
        AWS_ENDPOINT_URL_SSM, AWS_ENDPOINT_URL_STS, AWS_REGION, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
        AWS_XRAY_DAEMON_ADDRESS, ENV, LOG_LEVEL, PENNSIEVE_DB, POSTGRES_CA_FILE, POSTGRES_CONNECTIONS,
        POSTGRES_HOST, POSTGRES_PASSWORD, POSTGRES_PORT, POSTGRES_PREPARED_STATEMENTS, POSTGRES_SSL_MODE,
        POSTGRES_USER, RDS_PROXY_ENDPOINT, REGION,
    },
};

/// The port of an RDS proxy whose endpoint names none.
const RDS_PROXY_PORT: u16 = 5432;

/// What all hosts need.
#[derive(Debug, Clone)]
pub struct PlatformConfig {
    /// The environment's name, as in `dev` or `prod`.
    pub env: String,
    /// The AWS region that the service runs in.
    pub region: Region,
    /// What to log, as in `info,storage=debug`.
    pub log_filter: String,
    /// Host and port that trace documents are sent to.
    pub xray_address: Option<String>,
    /// Credentials in the environment, as Lambda sets them.
    pub credentials: Option<Credentials>,
    /// Endpoints other than AWS's own.
    pub endpoints: EndpointsConfig,
    /// What is known about buckets.
    pub buckets: BucketTable,
    /// Postgres.
    pub database: DatabaseConfig,
}

/// Endpoints to use in place of AWS's own (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
#[derive(Debug, Clone, Default)]
pub struct EndpointsConfig {
    /// S3, addressed path-style.
    pub s3: Option<CustomEndpoint>,
    /// SQS.
    pub sqs: Option<String>,
    /// DynamoDB.
    pub dynamodb: Option<String>,
    /// SSM.
    pub ssm: Option<String>,
    /// Lambda.
    pub lambda: Option<String>,
    /// STS.
    pub sts: Option<String>,
    /// Cognito, from which only the published keys are read.
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
    /// The role's password. Without one, each new connection gets an IAM token.
    pub password: Option<Zeroizing<String>>,
    /// Whether connections are encrypted and the server's certificate is verified.
    pub tls: bool,
    /// Certificate authorities to trust in addition to the system's and those of RDS.
    pub ca_file: Option<PathBuf>,
    /// The most connections.
    pub connections: usize,
    /// Whether the statements of frequent requests are prepared by name.
    pub prepared_statements: bool,
}

impl PlatformConfig {
    pub(super) fn read(env: &mut Reader<'_>) -> Option<Self> {
        let name = env.read(&ENV);
        let region = env.read_or(&REGION, &AWS_REGION);
        let log_filter = env.read(&LOG_LEVEL);
        let xray_address = env.read(&AWS_XRAY_DAEMON_ADDRESS);
        let credentials = read_credentials(env);
        let endpoints = EndpointsConfig::read(env);
        // Without a region, the region is the error to report.
        let buckets = region.as_ref().and_then(|region| read_buckets(env, region));
        let database = DatabaseConfig::read(env);
        Some(Self {
            env: name?,
            region: region?,
            log_filter: log_filter?,
            xray_address,
            credentials,
            endpoints,
            buckets: buckets?,
            database: database?,
        })
    }
}

/// The credentials of the function's role. A server without them uses AWS's default chain.
fn read_credentials(env: &mut Reader<'_>) -> Option<Credentials> {
    if env.host() == Host::Server && !env.is_set(&AWS_ACCESS_KEY_ID) {
        return None;
    }
    let (id, secret) = (env.read(&AWS_ACCESS_KEY_ID), env.require(&AWS_SECRET_ACCESS_KEY));
    let token = env.read(&AWS_SESSION_TOKEN);
    Some(Credentials::new(id?, secret?, token, None, "environment"))
}

impl EndpointsConfig {
    fn read(env: &mut Reader<'_>) -> Self {
        Self {
            s3: env.read_or(&AWS_ENDPOINT_URL_S3, &AWS_ENDPOINT_URL),
            sqs: env.read_or(&AWS_ENDPOINT_URL_SQS, &AWS_ENDPOINT_URL),
            dynamodb: env.read_or(&AWS_ENDPOINT_URL_DYNAMODB, &AWS_ENDPOINT_URL),
            ssm: env.read_or(&AWS_ENDPOINT_URL_SSM, &AWS_ENDPOINT_URL),
            lambda: env.read_or(&AWS_ENDPOINT_URL_LAMBDA, &AWS_ENDPOINT_URL),
            sts: env.read_or(&AWS_ENDPOINT_URL_STS, &AWS_ENDPOINT_URL),
            cognito: env.read_or(&AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER, &AWS_ENDPOINT_URL),
        }
    }
}

impl DatabaseConfig {
    fn read(env: &mut Reader<'_>) -> Option<Self> {
        let user = env.read(&POSTGRES_USER);
        let name = env.read(&PENNSIEVE_DB);
        let ca_file = env.read(&POSTGRES_CA_FILE);
        let connections = env.read(&POSTGRES_CONNECTIONS);
        let server = if env.is_behind_proxy() { read_proxy(env) } else { read_server(env) };
        let DatabaseServer { host, port, password, tls, prepared_statements } = server?;
        Some(Self {
            host,
            port,
            user: user?,
            name: name?,
            password,
            tls,
            ca_file,
            connections: connections?,
            prepared_statements,
        })
    }
}

/// Where Postgres is, and how it knows us.
struct DatabaseServer {
    host: String,
    port: u16,
    password: Option<Zeroizing<String>>,
    tls: bool,
    prepared_statements: bool,
}

fn read_proxy(env: &mut Reader<'_>) -> Option<DatabaseServer> {
    let (host, port) = env.read(&RDS_PROXY_ENDPOINT)?;
    let port = port.unwrap_or(RDS_PROXY_PORT);
    Some(DatabaseServer { host, port, password: None, tls: true, prepared_statements: false })
}

fn read_server(env: &mut Reader<'_>) -> Option<DatabaseServer> {
    let host = env.read(&POSTGRES_HOST);
    let port = env.read(&POSTGRES_PORT);
    let tls = env.read(&POSTGRES_SSL_MODE);
    let password = env.read_untrimmed(&POSTGRES_PASSWORD);
    let prepared_statements = env.read(&POSTGRES_PREPARED_STATEMENTS);
    let host = host?;
    let prepared_statements = prepared_statements? && !is_rds_proxy(&host);
    Some(DatabaseServer { host, port: port?, password: Some(password?), tls: tls?, prepared_statements })
}

/// Whether this is the endpoint of an RDS proxy, as in `name.proxy-abcdefghijkl.us-east-1.rds.amazonaws.com`, or
/// `name.endpoint.proxy-….rds.amazonaws.com` (Amazon RDS User Guide, "Working with RDS Proxy endpoints").
fn is_rds_proxy(host: &str) -> bool {
    host.contains(".proxy-") && host.contains(".rds.amazonaws.com")
}
