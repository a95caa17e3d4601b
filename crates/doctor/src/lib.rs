//! Compares a host's configuration with the systems that it names, in the order in which a person would check.
//!
//! ```text
//! variables ──► hosting::config ──► hosting::HostBuilder ──► ReportBuilder: one module per section ──► Report
//!                    │ ConfigError                               ▲
//!                    └──► checks::configuration                  │ only the endpoints that the network section reached
//!                                checks::network ─► database ─► storage, signing_key ─► queues ─► pools ─► clock
//! ```
//!
//! Each host checks its own part ([`check_service`], [`check_authorizer`], [`check_restore`], [`check_server`]): a function
//! in Lambda has its own variables, role and network, and links only what it needs. Nothing is written: statements run in
//! read-only transactions, and no message is sent or received. No text contains a secret.

mod checks;
pub mod queries;
mod render;
mod report;
mod report_builder;

use aws::Clock;
use hosting::{
    HostBuilder,
    config::{AuthorizeConfig, PlatformConfig, RestoreConfig, ServiceConfig, VariableLookup},
};

pub use crate::{
    checks::server::check_server,
    render::render,
    report::{Check, Report, Section, Status},
};
use crate::{
    checks::{
        configuration,
        endpoints::{
            authorizer_clock_urls, authorizer_endpoints, restore_clock_urls, restore_endpoints,
            service_clock_urls, service_endpoints,
        },
    },
    queries::Purpose,
    report_builder::ReportBuilder,
};

const CLOCK: Clock = Clock::System;

/// Checks what the API needs.
pub async fn check_service(
    lookup: VariableLookup<'_>,
    builder: &HostBuilder,
    config: &ServiceConfig,
) -> Report {
    let own = configuration::check_service(builder.platform(), config);
    let configuration = check_complete_configuration(lookup, builder.platform(), own);
    let mut report = ReportBuilder::new(builder, configuration);
    report.add_network(service_endpoints(builder, config).await).await;
    let samples =
        report.add_database(&[Purpose::Listings, Purpose::Links, Purpose::Trash, Purpose::Orders]).await;
    report.add_storage_and_key(config, &samples).await;
    report.add_restores(config.restore_queue_url.as_deref(), None).await;
    report.add_clock(service_clock_urls(builder, config).await).await;
    report.finish()
}

/// Checks what verifying tokens needs.
pub async fn check_authorizer(
    lookup: VariableLookup<'_>,
    builder: &HostBuilder,
    config: &AuthorizeConfig,
) -> Report {
    let own = configuration::check_authorizer(builder.platform(), config);
    let configuration = check_complete_configuration(lookup, builder.platform(), own);
    let mut report = ReportBuilder::new(builder, configuration);
    report.add_network(authorizer_endpoints(builder, config)).await;
    report.add_database(&[Purpose::Roles]).await;
    report.add_pools(config).await;
    report.add_clock(authorizer_clock_urls(config)).await;
    report.finish()
}

/// Checks what running restores needs.
pub async fn check_restore(
    lookup: VariableLookup<'_>,
    builder: &HostBuilder,
    config: &RestoreConfig,
) -> Report {
    let own = configuration::check_restore(builder.platform(), config);
    let configuration = check_complete_configuration(lookup, builder.platform(), own);
    let mut report = ReportBuilder::new(builder, configuration);
    report.add_network(restore_endpoints(builder, config)).await;
    let samples = report.add_database(&[Purpose::Restores]).await;
    report.add_restored_buckets(&samples).await;
    report.add_restores(config.restore_queue_url.as_deref(), Some(config)).await;
    report.add_clock(restore_clock_urls(builder)).await;
    report.finish()
}

/// Checks the configuration of a function, which does not start with an incomplete one.
fn check_complete_configuration(
    lookup: VariableLookup<'_>,
    platform: &PlatformConfig,
    own: Vec<Check>,
) -> Vec<Check> {
    let mut checks = vec![configuration::describe_platform(platform)];
    checks.extend(configuration::check_platform(lookup, platform));
    checks.extend(own);
    checks
}
