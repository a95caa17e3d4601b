//! The endpoints of each part, by its configuration.

use hosting::{
    HostBuilder,
    config::{AuthorizeConfig, KeyLocation, RestoreConfig, ServiceConfig},
};
use packages::links::Location;
use storage::{LinkSpec, Method};

use crate::{
    CLOCK,
    checks::{network::Endpoint, pools::list_issuers},
};

/// A URL that returns the time, and the name of its endpoint.
pub(crate) struct ClockUrl {
    pub(crate) endpoint: &'static str,
    pub(crate) url: String,
}

/// One endpoint of each name: the parts share endpoints.
pub(crate) fn unique_endpoints(endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    let mut unique: Vec<Endpoint> = Vec::new();
    for endpoint in endpoints {
        if !unique.iter().any(|known| known.name == endpoint.name) {
            unique.push(endpoint);
        }
    }
    unique
}

fn database_endpoint(builder: &HostBuilder) -> Endpoint {
    let database = &builder.platform().database;
    Endpoint::new("database", &database.host, database.port)
}

pub(crate) async fn service_endpoints(builder: &HostBuilder, config: &ServiceConfig) -> Vec<Endpoint> {
    let mut endpoints = vec![database_endpoint(builder)];
    endpoints.extend(Endpoint::from_url("s3", &bucket_url(builder, config).await));
    if builder.platform().buckets.has_roles() {
        endpoints.extend(Endpoint::from_url("sts", &builder.sts_client().endpoint_url()));
    }
    endpoints.extend(Endpoint::from_url("cdn", &config.cdn.origin));
    if matches!(config.cdn.key, KeyLocation::Parameter(_)) {
        let ssm = builder.ssm_client().ok();
        endpoints.extend(ssm.and_then(|ssm| Endpoint::from_url("ssm", &ssm.endpoint_url())));
    }
    endpoints.extend(config.restore_queue_url.as_ref().and_then(|url| sqs_endpoint(builder, url)));
    endpoints
}

pub(crate) fn authorizer_endpoints(builder: &HostBuilder, config: &AuthorizeConfig) -> Vec<Endpoint> {
    let [people, _] = list_issuers(config);
    let url = people.issuer.keys_url(config.platform.endpoints.cognito.as_deref());
    std::iter::once(database_endpoint(builder)).chain(Endpoint::from_url("cognito", &url)).collect()
}

pub(crate) fn restore_endpoints(builder: &HostBuilder, config: &RestoreConfig) -> Vec<Endpoint> {
    let mut endpoints = vec![database_endpoint(builder)];
    endpoints.extend(Endpoint::from_url("s3", &s3_url(builder)));
    let queue = config.changelog_queue_url.as_ref().or(config.restore_queue_url.as_ref());
    endpoints.extend(queue.and_then(|url| sqs_endpoint(builder, url)));
    if config.delete_record_table.is_some() {
        let dynamodb = builder.dynamodb_client().ok();
        endpoints
            .extend(dynamodb.and_then(|dynamodb| Endpoint::from_url("dynamodb", &dynamodb.endpoint_url())));
    }
    endpoints
}

fn sqs_endpoint(builder: &HostBuilder, queue_url: &str) -> Option<Endpoint> {
    let queue = builder.sqs_queue(queue_url.to_owned()).ok()?;
    Endpoint::from_url("sqs", &queue.client.endpoint_url())
}

/// The URL of an object in the bucket of viewer assets, without a signature.
async fn bucket_url(builder: &HostBuilder, config: &ServiceConfig) -> String {
    let location = Location { bucket: config.viewer_assets.clone(), key: "key".to_owned(), version: None };
    let now = CLOCK.now();
    let link =
        builder.object_store().presign(&LinkSpec::own_request(&location, Method::Head, now), now).await;
    link.map(|link| link.url().split('?').next().unwrap_or_default().to_owned()).unwrap_or_default()
}

fn s3_url(builder: &HostBuilder) -> String {
    let platform = builder.platform();
    let regional = || format!("https://{}/", platform.region.service_host("s3"));
    platform.endpoints.s3.as_ref().map_or_else(regional, |endpoint| format!("{endpoint}/"))
}

pub(crate) async fn service_clock_urls(builder: &HostBuilder, config: &ServiceConfig) -> Vec<ClockUrl> {
    vec![
        ClockUrl { endpoint: "s3", url: bucket_url(builder, config).await },
        ClockUrl { endpoint: "cdn", url: format!("{}/", config.cdn.origin) },
    ]
}

pub(crate) fn authorizer_clock_urls(config: &AuthorizeConfig) -> Vec<ClockUrl> {
    let endpoint = config.platform.endpoints.cognito.as_deref();
    let issuers = list_issuers(config).into_iter();
    issuers.map(|named| ClockUrl { endpoint: "cognito", url: named.issuer.keys_url(endpoint) }).collect()
}

pub(crate) fn restore_clock_urls(builder: &HostBuilder) -> Vec<ClockUrl> {
    vec![ClockUrl { endpoint: "s3", url: s3_url(builder) }]
}
