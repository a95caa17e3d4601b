//! The variables: missing and invalid ones, and those that contradict each other.

use std::{collections::BTreeSet, net::IpAddr};

use authorize::UserPool;
use hosting::config::{
    AuthorizeConfig, ConfigError, PlatformConfig, RestoreConfig, ServerConfig, ServiceConfig, VARIABLES,
    VariableLookup, leaves_console_paths,
    variables::{
        AWS_REGION, BUCKETS, CLOUDFRONT_DISTRIBUTION_DOMAIN, CONSOLE, JOBS_QUEUE_ID, POSTGRES_HOST,
        POSTGRES_SSL_MODE, RDS_PROXY_ENDPOINT, REGION, RESTORE_PACKAGE_QUEUE_URL, STORAGE_BUCKETS,
        TOKEN_POOL, USER_POOL,
    },
};

use crate::report::Check;

/// A line for each variable that is missing or invalid.
pub(crate) fn check_errors<'a>(errors: impl Iterator<Item = &'a ConfigError> + Clone) -> Vec<Check> {
    let missing: BTreeSet<&str> = errors.clone().flat_map(ConfigError::missing).collect();
    let invalid: BTreeSet<&str> = errors.flat_map(ConfigError::invalid).collect();
    let missing =
        missing.into_iter().map(|name| Check::failure(name, "not set", variable_advice("set", name)));
    let invalid = invalid
        .into_iter()
        .map(|name| Check::failure(name, "invalid value", variable_advice("correct", name)));
    missing.chain(invalid).collect()
}

/// What to do (`verb`), and the variable's description. An error's `NAME (or OTHER)` begins with the name.
fn variable_advice(verb: &str, text: &str) -> String {
    let name = text.split(' ').next().unwrap_or_default();
    let known = VARIABLES.iter().find(|variable| variable.name == name);
    let meaning = known.map_or("docs/configuration.md describes it", |variable| variable.meaning);
    format!("{verb} it: {meaning}")
}

/// The line for a complete configuration.
pub(crate) fn describe_platform(platform: &PlatformConfig) -> Check {
    let PlatformConfig { env, region, .. } = platform;
    Check::ok("variables", format!("complete, for the environment {env} in {region}"))
}

/// Common variables that contradict each other.
pub(crate) fn check_platform(lookup: VariableLookup<'_>, platform: &PlatformConfig) -> Vec<Check> {
    let find =
        |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let mut checks = Vec::new();
    if let (Some(region), Some(aws_region)) = (find(REGION.name()), find(AWS_REGION.name()))
        && region != aws_region
    {
        let found = format!("{region}, but AWS_REGION is {aws_region}");
        let advice = "REGION takes precedence: set both to the region of the service";
        checks.push(Check::warning(REGION.name(), found, advice));
    }
    if find(RDS_PROXY_ENDPOINT.name()).is_some() && find(POSTGRES_HOST.name()).is_some() {
        let advice = "RDS_PROXY_ENDPOINT takes precedence: remove POSTGRES_HOST";
        checks.push(Check::warning(POSTGRES_HOST.name(), "RDS_PROXY_ENDPOINT is also set", advice));
    }
    let endpoints: Vec<&str> = VARIABLES
        .iter()
        .map(|variable| variable.name)
        .filter(|name| name.starts_with("AWS_ENDPOINT_URL") && find(name).is_some())
        .collect();
    if !endpoints.is_empty() {
        checks.push(Check::ok("AWS", format!("custom endpoints: {}", endpoints.join(", "))));
    }
    if !platform.buckets.is_empty() {
        let roles = if platform.buckets.has_roles() { ", with roles" } else { "" };
        checks.push(Check::ok(BUCKETS.name(), format!("{} entries{roles}", platform.buckets.len())));
    }
    let database = &platform.database;
    if !database.tls && !is_local(&database.host) {
        let advice = "remove POSTGRES_SSL_MODE=disable: passwords and data cross the network unencrypted";
        checks.push(Check::warning(POSTGRES_SSL_MODE.name(), "connections are not encrypted", advice));
    }
    checks
}

/// Variables of the API that contradict others.
pub(crate) fn check_service(platform: &PlatformConfig, config: &ServiceConfig) -> Vec<Check> {
    let queue = config.restore_queue_url.as_ref();
    let queue = queue.and_then(|url| check_queue_region(RESTORE_PACKAGE_QUEUE_URL.name(), url, platform));
    check_cdn_scheme(config).into_iter().chain(queue).chain(describe_credentials(platform)).collect()
}

/// Temporary credentials in the environment, as Lambda sets them: no variable has their end.
fn describe_credentials(platform: &PlatformConfig) -> Option<Check> {
    platform.credentials.as_ref()?.session_token()?;
    let found = "temporary, and their end is unknown: a link may end before its expires_at (docs/limits.md)";
    Some(Check::ok("credentials", found))
}

/// Variables of the console that contradict others.
pub(crate) fn check_console(config: &ServerConfig) -> Vec<Check> {
    let ServerConfig { console, service, path_prefix, .. } = config;
    if !console.is_on {
        return Vec::new();
    }
    if !leaves_console_paths(path_prefix) {
        let found = "on, but its pages would be paths of the API: `serve` does not start";
        let advice = "set API_PATH_PREFIX to another prefix, such as /packages, or turn the console off";
        return vec![Check::failure(CONSOLE.name(), found, advice)];
    }
    let operators = if console.operator_token.is_some() { "with" } else { "without" };
    let login = if console.login.is_some() { "log in" } else { "paste a token" };
    let mut checks =
        vec![Check::ok(CONSOLE.name(), format!("on, {operators} a page for operators; people {login}"))];
    if service.source_buckets.is_empty() {
        let found =
            format!("not set: the console's pages may read any bucket in {}", service.platform.region);
        checks.push(Check::warning(STORAGE_BUCKETS.name(), found, "set it to the buckets of source files"));
    }
    checks
}

/// Variables of token verification that contradict others.
pub(crate) fn check_authorizer(platform: &PlatformConfig, config: &AuthorizeConfig) -> Vec<Check> {
    let people = check_pool_region(USER_POOL.name(), &config.people, platform);
    let api_keys = check_pool_region(TOKEN_POOL.name(), &config.api_keys, platform);
    people.into_iter().chain(api_keys).collect()
}

/// Variables of restores that contradict others.
pub(crate) fn check_restore(platform: &PlatformConfig, config: &RestoreConfig) -> Vec<Check> {
    let url = config.changelog_queue_url.as_ref();
    url.and_then(|url| check_queue_region(JOBS_QUEUE_ID.name(), url, platform)).into_iter().collect()
}

/// Whether a queue is in our region, by its URL.
fn check_queue_region(name: &str, url: &str, platform: &PlatformConfig) -> Option<Check> {
    let region = url.strip_prefix("https://sqs.")?.split('.').next()?;
    if region == platform.region.as_str() {
        return None;
    }
    let found = format!("the queue is in {region}, the service in {}", platform.region);
    Some(Check::failure(name, found, "requests are signed for the service's region: use a queue there"))
}

/// Whether a pool is in our region, by its id.
fn check_pool_region(name: &str, pool: &UserPool, platform: &PlatformConfig) -> Option<Check> {
    let (region, _) = pool.pool_id().split_once('_')?;
    if region == platform.region.as_str() || region == "local" {
        return None;
    }
    let found = format!("the pool is in {region}, the service in {}", platform.region);
    Some(Check::failure(name, found, "keys are fetched from the service's region: use a pool there"))
}

/// Whether links to the CDN are encrypted.
fn check_cdn_scheme(config: &ServiceConfig) -> Option<Check> {
    let host = config.cdn.origin.strip_prefix("http://")?;
    let host = host.split(':').next().unwrap_or_default();
    if is_local(host) {
        return None;
    }
    let name = CLOUDFRONT_DISTRIBUTION_DOMAIN.name();
    Some(Check::warning(name, "links are not encrypted", "remove http:// from the domain"))
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
