//! What the service was told, held against itself.

use std::{collections::BTreeSet, net::IpAddr};

use authorize::UserPool;
use hosting::config::{ConfigError, PlatformConfig, ServiceConfig, VARIABLES, VariableLookup};

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

/// `verb` it, and what docs/configuration.md says about the variable. An error's `NAME (or OTHER)` begins with its name.
fn variable_advice(verb: &str, text: &str) -> String {
    let name = text.split(' ').next().unwrap_or_default();
    let known = VARIABLES.iter().find(|variable| variable.name == name);
    let meaning = known.map_or("docs/configuration.md describes it", |variable| variable.meaning);
    format!("{verb} it: {meaning}")
}

/// The line for a complete configuration.
pub(crate) fn check_complete(platform: &PlatformConfig) -> Check {
    let PlatformConfig { env, region, .. } = platform;
    Check::ok("variables", format!("complete, for the environment {env} in {region}"))
}

/// Variables that contradict each other.
pub(crate) fn check_platform(lookup: VariableLookup<'_>, platform: &PlatformConfig) -> Vec<Check> {
    let set =
        |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let mut checks = Vec::new();
    if let (Some(ours), Some(theirs)) = (set("REGION"), set("AWS_REGION"))
        && ours != theirs
    {
        let found = format!("{ours}, and AWS_REGION is {theirs}");
        checks.push(Check::warning("REGION", found, "REGION counts: set both to the region of the service"));
    }
    if set("RDS_PROXY_ENDPOINT").is_some() && set("POSTGRES_HOST").is_some() {
        let advice = "RDS_PROXY_ENDPOINT counts: remove the other";
        checks.push(Check::warning("POSTGRES_HOST", "set beside RDS_PROXY_ENDPOINT", advice));
    }
    let elsewhere: Vec<&str> = VARIABLES
        .iter()
        .map(|variable| variable.name)
        .filter(|name| name.starts_with("AWS_ENDPOINT_URL") && set(name).is_some())
        .collect();
    if !elsewhere.is_empty() {
        checks.push(Check::ok("AWS", format!("not AWS's own: {}", elsewhere.join(", "))));
    }
    let database = &platform.database;
    if !database.tls && !is_local(&database.host) {
        let advice = "remove POSTGRES_SSL_MODE=disable: password and data cross the network in the open";
        checks.push(Check::warning("POSTGRES_SSL_MODE", "connections are not encrypted", advice));
    }
    checks
}

/// Whether a queue is in our region, by its URL.
pub(crate) fn check_queue_region(name: &str, url: &str, platform: &PlatformConfig) -> Option<Check> {
    let region = url.strip_prefix("https://sqs.")?.split('.').next()?;
    if region == platform.region.as_str() {
        return None;
    }
    let found = format!("a queue in {region}, and the service is in {}", platform.region);
    Some(Check::failure(name, found, "requests are signed for the service's region: name a queue there"))
}

/// Whether a pool is in our region, by its id.
pub(crate) fn check_pool_region(name: &str, pool: &UserPool, platform: &PlatformConfig) -> Option<Check> {
    let (region, _) = pool.pool_id().split_once('_')?;
    if region == platform.region.as_str() || region == "local" {
        return None;
    }
    let found = format!("a pool of {region}, and the service is in {}", platform.region);
    Some(Check::failure(name, found, "its keys are looked for in the service's region: name a pool there"))
}

/// Whether links to the CDN are encrypted.
pub(crate) fn check_service(service: &ServiceConfig) -> Option<Check> {
    let host = service.cdn.origin.strip_prefix("http://")?;
    let host = host.split(':').next().unwrap_or_default();
    if is_local(host) {
        return None;
    }
    let advice = "name the domain without http://";
    Some(Check::warning("CLOUDFRONT_DISTRIBUTION_DOMAIN", "links are not encrypted", advice))
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
