//! Checks what the service was told against what is there, in the order in which a person would look.
//!
//! ```text
//! variables ──► hosting::config ──► hosting::Builder ──► one module a section ──► Report ──► text, or JSON
//!                    │ faults                                     ▲
//!                    └──► configuration                           │ only what the section before could reach
//!                                       network ─► database ─► storage, signing_key ─► queues ─► pools ─► clock
//! ```
//!
//! Each host checks its own part ([`check_service`], [`check_authorizer`], [`check_restore`], [`check_server`]): a function
//! in Lambda has variables, a role and a network of its own, and links only what it needs. Nothing is written: statements
//! are in transactions that are read only, nothing is sent to a queue and nothing received. No text holds a secret.

mod checks;
pub mod queries;
mod render;
mod report;

use crate::queries::{Purpose, SampleFile};
use aws::Clock;
use hosting::HostBuilder;
use hosting::config::{AuthorizeConfig, PlatformConfig, RestoreConfig, ServiceConfig, VariableLookup};
use signing_keys::KeySource;

use self::checks::{
    clock, configuration, database,
    endpoints::{
        authorizer_endpoints, authorizer_urls, restore_endpoints, restore_urls, service_endpoints,
        service_urls,
    },
    network::{self, Reached},
    pools, queues, signing_key,
    storage::{self, Use},
};
pub use self::{
    checks::server::check_server,
    render::render,
    report::{Check, Report, Section, Status},
};

const CLOCK: Clock = Clock::System;

/// What the API needs.
pub async fn check_service(
    lookup: VariableLookup<'_>,
    builder: &HostBuilder,
    config: &ServiceConfig,
) -> Report {
    let mut report = Report::default();
    let platform = builder.platform();
    let own = service_variables(platform, config);
    report.push("Configuration", complete_configuration(lookup, platform, own));
    let (checks, reached) = network::check_endpoints(service_endpoints(builder, config).await).await;
    report.push("Network", checks);
    let purposes = [Purpose::Links, Purpose::Trash, Purpose::Orders];
    let samples = push_database(&mut report, builder, &reached, &purposes).await;
    push_service(&mut report, builder, (config, &samples), &reached).await;
    if let Some(url) = &config.restore_queue_url
        && reached.has("sqs")
    {
        report.push("Restores", check_order_queue(builder, url).await);
    }
    push_clock(&mut report, builder, &reached, service_urls(builder, config).await).await;
    report
}

/// What deciding about tokens needs.
pub async fn check_authorizer(
    lookup: VariableLookup<'_>,
    builder: &HostBuilder,
    config: &AuthorizeConfig,
) -> Report {
    let mut report = Report::default();
    let own = authorizer_variables(builder.platform(), config);
    report.push("Configuration", complete_configuration(lookup, builder.platform(), own));
    let (checks, reached) = network::check_endpoints(authorizer_endpoints(builder, config)).await;
    report.push("Network", checks);
    push_database(&mut report, builder, &reached, &[Purpose::Roles]).await;
    push_pools(&mut report, builder, config, &reached).await;
    push_clock(&mut report, builder, &reached, authorizer_urls(config)).await;
    report
}

/// What carrying restores out needs.
pub async fn check_restore(
    lookup: VariableLookup<'_>,
    builder: &HostBuilder,
    config: &RestoreConfig,
) -> Report {
    let mut report = Report::default();
    let own = restore_variables(builder.platform(), config);
    report.push("Configuration", complete_configuration(lookup, builder.platform(), own));
    let (checks, reached) = network::check_endpoints(restore_endpoints(builder, config)).await;
    report.push("Network", checks);
    let samples = push_database(&mut report, builder, &reached, &[Purpose::Restores]).await;
    push_restore(&mut report, builder, (config, &samples), &reached).await;
    push_clock(&mut report, builder, &reached, restore_urls(builder)).await;
    report
}

/// What a function was told: all of it, or it would not have started.
fn complete_configuration(
    lookup: VariableLookup<'_>,
    platform: &PlatformConfig,
    own: Vec<Check>,
) -> Vec<Check> {
    let mut checks = vec![configuration::check_complete(platform)];
    checks.extend(configuration::check_platform(lookup, platform));
    checks.extend(own);
    checks
}

fn service_variables(platform: &PlatformConfig, config: &ServiceConfig) -> Vec<Check> {
    let queue = config.restore_queue_url.as_ref();
    let queue =
        queue.and_then(|url| configuration::check_queue_region("RESTORE_PACKAGE_QUEUE_URL", url, platform));
    configuration::check_service(config).into_iter().chain(queue).collect()
}

fn authorizer_variables(platform: &PlatformConfig, config: &AuthorizeConfig) -> Vec<Check> {
    let pools = [("USER_POOL", &config.people), ("TOKEN_POOL", &config.api_keys)];
    let checks =
        pools.into_iter().filter_map(|(name, pool)| configuration::check_pool_region(name, pool, platform));
    checks.collect()
}

fn restore_variables(platform: &PlatformConfig, config: &RestoreConfig) -> Vec<Check> {
    let changelog = config.changelog_queue_url.as_ref();
    let changelog =
        changelog.and_then(|url| configuration::check_queue_region("JOBS_QUEUE_ID", url, platform));
    changelog.into_iter().collect()
}

async fn push_database(
    report: &mut Report,
    builder: &HostBuilder,
    reached: &Reached,
    purposes: &[Purpose],
) -> Vec<SampleFile> {
    if !reached.has("database") {
        return Vec::new();
    }
    let (checks, samples) = Box::pin(database::check_database(builder, purposes)).await;
    report.push("Database", checks);
    samples
}

/// Buckets, and the key that links are signed with.
async fn push_service(
    report: &mut Report,
    builder: &HostBuilder,
    (config, samples): (&ServiceConfig, &[SampleFile]),
    reached: &Reached,
) {
    let (objects, now) = (builder.object_store(), CLOCK.now());
    let mut asset = None;
    if reached.has("s3") {
        let mut checks = Vec::new();
        for stored in storage::stored_files(samples).filter(|(bucket, _)| *bucket != config.viewer_assets) {
            checks.extend(Box::pin(storage::check_bucket(&objects, Use::StoredFiles, stored, now)).await);
        }
        let assets = (config.viewer_assets.clone(), None);
        checks.extend(Box::pin(storage::check_bucket(&objects, Use::ViewerAssets, assets, now)).await);
        report.push("Storage", checks);
        asset = objects.find_any_key(config.viewer_assets.as_str()).await.ok().flatten();
    }
    let Ok(source) = builder.key_source(&config.cdn) else { return };
    if matches!(source, KeySource::Ssm { .. }) && !reached.has("ssm") {
        return;
    }
    let (mut checks, signer) = Box::pin(signing_key::check_key(&source, &config.cdn, now)).await;
    checks.push(match (signer, asset) {
        (None, _) => Check::skipped("a signed link", "there is no key to sign it with"),
        (_, None) => Check::skipped("a signed link", "there is no viewer asset that could be seen from here"),
        (Some(_), _) if !reached.has("cdn") => {
            Check::skipped("a signed link", "the distribution is out of reach")
        }
        (Some(signer), Some(key)) => {
            signing_key::check_link(builder.http(), &signer, &config.cdn.origin, (&key, now)).await
        }
    });
    report.push("Signing key", checks);
}

async fn check_order_queue(builder: &HostBuilder, url: &str) -> Vec<Check> {
    match builder.sqs_queue(url.to_owned()) {
        Ok(queue) => Box::pin(queues::check_orders(&queue.client, url)).await,
        Err(error) => {
            vec![Check::failure("restore orders", error.to_string(), "correct AWS_ENDPOINT_URL_SQS")]
        }
    }
}

/// The changelog's queue and the table of delete records.
async fn check_destinations(builder: &HostBuilder, config: &RestoreConfig, reached: &Reached) -> Vec<Check> {
    let mut checks = Vec::new();
    match &config.changelog_queue_url {
        None => checks.push(Check::ok("changelog", "none, as was said")),
        Some(url) if reached.has("sqs") => {
            if let Ok(queue) = builder.sqs_queue(url.clone()) {
                checks.push(Box::pin(queues::check_changelog(&queue.client, url)).await);
            }
        }
        Some(_) => {}
    }
    match &config.delete_record_table {
        None => checks.push(Check::ok("delete records", "none, as was said")),
        Some(table) if reached.has("dynamodb") => {
            if let Ok(dynamodb) = builder.dynamodb_client() {
                checks.push(Box::pin(queues::check_delete_records(dynamodb, table)).await);
            }
        }
        Some(_) => {}
    }
    checks
}

async fn push_restore(
    report: &mut Report,
    builder: &HostBuilder,
    (config, samples): (&RestoreConfig, &[SampleFile]),
    reached: &Reached,
) {
    if reached.has("s3") {
        let (objects, mut checks) = (builder.object_store(), Vec::new());
        for stored in storage::stored_files(samples) {
            checks
                .extend(Box::pin(storage::check_bucket(&objects, Use::Restores, stored, CLOCK.now())).await);
        }
        report.push("Storage", checks);
    }
    let mut checks = Vec::new();
    if let Some(url) = config.restore_queue_url.as_ref().filter(|_| reached.has("sqs")) {
        checks.extend(check_order_queue(builder, url).await);
    }
    checks.extend(check_destinations(builder, config, reached).await);
    report.push("Restores", checks);
}

async fn push_pools(report: &mut Report, builder: &HostBuilder, config: &AuthorizeConfig, reached: &Reached) {
    if reached.has("cognito") {
        report.push("User pools", pools::check_pools(builder.http(), config).await);
    }
}

/// Asks whoever was reached.
async fn push_clock(
    report: &mut Report,
    builder: &HostBuilder,
    reached: &Reached,
    urls: Vec<(&'static str, String)>,
) {
    let urls: Vec<String> =
        urls.into_iter().filter(|(name, _)| reached.has(name)).map(|(_, url)| url).collect();
    report.push("Clock", vec![clock::check_clock(builder.http(), &urls, || CLOCK.now()).await]);
}
