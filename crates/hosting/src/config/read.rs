//! From variables to the parts of a configuration. What is missing or odd is noted in the [`Reader`], so each part reads
//! all of its own before it gives up.

use std::path::PathBuf;

use aws_credential_types::Credentials;
use signing::{
    cloudfront::KeyPairId,
    s3::{CustomEndpoint, Region},
};
use zeroize::Zeroizing;

use crate::config::{
    CdnConfig, DatabaseConfig, EndpointsConfig, Host, KeyLocation, PlatformConfig, faults::Reader, parse,
};
use authorize::{UserPool, is_client_id, is_pool_id};

/// A name, or nothing where the operator has said that there is none.
pub(super) fn some(value: String) -> Option<String> {
    Some(value).filter(|value| value != "none")
}

pub(super) fn platform(env: &mut Reader<'_>, host: Host) -> Option<PlatformConfig> {
    let name = env.required("ENV");
    let region = env.parsed_either(["REGION", "AWS_REGION"], |name| Region::new(name).ok());
    let log = env.optional("LOG_LEVEL").unwrap_or_else(|| "info".to_owned());
    let xray = env.optional_parsed("AWS_XRAY_DAEMON_ADDRESS", parse::daemon);
    let endpoints = endpoints(env);
    let database = database(env, host, name.as_deref());
    let credentials = credentials(env, host);
    Some(PlatformConfig {
        env: name?,
        region: region?,
        log,
        xray,
        endpoints,
        credentials,
        database: database?,
    })
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
pub(super) fn queue(env: &mut Reader<'_>, host: Host) -> Option<String> {
    match host {
        Host::Lambda => env.required("RESTORE_PACKAGE_QUEUE_URL"),
        Host::Server => env.optional("RESTORE_PACKAGE_QUEUE_URL"),
    }
}

fn endpoints(env: &mut Reader<'_>) -> EndpointsConfig {
    EndpointsConfig {
        s3: env.endpoint("AWS_ENDPOINT_URL_S3", |url| CustomEndpoint::parse(url).ok()),
        sqs: env.endpoint("AWS_ENDPOINT_URL_SQS", parse::base_url),
        dynamodb: env.endpoint("AWS_ENDPOINT_URL_DYNAMODB", parse::base_url),
        ssm: env.endpoint("AWS_ENDPOINT_URL_SSM", parse::base_url),
        cognito: env.endpoint("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", parse::base_url),
    }
}

fn database(env: &mut Reader<'_>, host: Host, name: Option<&str>) -> Option<DatabaseConfig> {
    let database = match env.optional_parsed("RDS_PROXY_ENDPOINT", parse::address) {
        Some((address, port)) => Some(DatabaseConfig {
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
    let connections =
        env.optional_parsed("POSTGRES_CONNECTIONS", parse::positive).unwrap_or(host.connections());
    Some(DatabaseConfig { ca_file, connections, ..database? })
}

/// A database that is not behind RDS Proxy.
fn with_password(env: &mut Reader<'_>) -> Option<DatabaseConfig> {
    let host = env.required_else("POSTGRES_HOST", "RDS_PROXY_ENDPOINT")?;
    let port = env.optional_parsed("POSTGRES_PORT", |port| port.parse().ok()).unwrap_or(5432);
    let user = env.optional("POSTGRES_USER").unwrap_or_else(|| "postgres".to_owned());
    let name = env.optional("PENNSIEVE_DB").unwrap_or_else(|| "postgres".to_owned());
    let tls = env.optional_parsed("POSTGRES_SSL_MODE", parse::ssl_mode).unwrap_or(true);
    let password = Some(Zeroizing::new(env.required_as_is("POSTGRES_PASSWORD")?));
    Some(DatabaseConfig { host, port, user, name, password, tls, ca_file: None, connections: 0 })
}

pub(super) fn cdn(env: &mut Reader<'_>) -> Option<CdnConfig> {
    let origin = env.parsed("CLOUDFRONT_DISTRIBUTION_DOMAIN", parse::origin);
    let key_id = env.parsed("CLOUDFRONT_KEY_ID", |id| KeyPairId::new(id).ok());
    let public_key = env.optional_parsed("CLOUDFRONT_PUBLIC_KEY", parse::public_key);
    let hash = env.optional_parsed("CLOUDFRONT_HASH_ALGORITHM", parse::hash).unwrap_or_default();
    let key = match env.optional("CLOUDFRONT_PRIVATE_KEY_FILE") {
        Some(file) => Some(KeyLocation::File(file.into())),
        None => env
            .required_else("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "CLOUDFRONT_PRIVATE_KEY_FILE")
            .map(KeyLocation::Parameter),
    };
    Some(CdnConfig { origin: origin?, key_id: key_id?, public_key, key: key?, hash })
}

pub(super) fn user_pool(env: &mut Reader<'_>, pool: &'static str, client: &'static str) -> Option<UserPool> {
    let known = |id: &str, is_valid: fn(&str) -> bool| is_valid(id).then(|| id.to_owned());
    let pool = env.parsed(pool, |id| known(id, is_pool_id));
    let client = env.parsed(client, |id| known(id, is_client_id));
    UserPool::new(&pool?, &client?)
}
