//! Where the parts of the service are, as it was told.

use hosting::HostBuilder;
use hosting::config::{AuthorizeConfig, KeyLocation, RestoreConfig, ServiceConfig};
use packages::links::Location;
use storage::Method;

use crate::{
    CLOCK,
    checks::{network::Endpoint, pools::pools},
};

/// One of each name: hosts share places.
pub(crate) fn unique_endpoints(endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    let mut distinct: Vec<Endpoint> = Vec::new();
    for endpoint in endpoints {
        if !distinct.iter().any(|known| known.name == endpoint.name) {
            distinct.push(endpoint);
        }
    }
    distinct
}

fn database_endpoint(builder: &HostBuilder) -> Endpoint {
    let database = &builder.platform().database;
    Endpoint::new("database", &database.host, database.port)
}

pub(crate) async fn service_endpoints(builder: &HostBuilder, config: &ServiceConfig) -> Vec<Endpoint> {
    let mut endpoints = vec![database_endpoint(builder)];
    endpoints.extend(Endpoint::of_url("s3", &bucket_url(builder, config).await));
    endpoints.extend(Endpoint::of_url("cdn", &config.cdn.origin));
    if matches!(config.cdn.key, KeyLocation::Parameter(_)) {
        endpoints
            .extend(builder.ssm_client().ok().and_then(|ssm| Endpoint::of_url("ssm", &ssm.endpoint_url())));
    }
    if let Some(url) = &config.restore_queue_url {
        let sqs = builder.sqs_queue(url.clone()).ok();
        endpoints.extend(sqs.and_then(|queue| Endpoint::of_url("sqs", &queue.client.endpoint_url())));
    }
    endpoints
}

pub(crate) fn authorizer_endpoints(builder: &HostBuilder, config: &AuthorizeConfig) -> Vec<Endpoint> {
    let [(_, people), _] = pools(config);
    let url = people.keys_url(config.platform.endpoints.cognito.as_deref());
    std::iter::once(database_endpoint(builder)).chain(Endpoint::of_url("cognito", &url)).collect()
}

pub(crate) fn restore_endpoints(builder: &HostBuilder, config: &RestoreConfig) -> Vec<Endpoint> {
    let mut endpoints = vec![database_endpoint(builder)];
    endpoints.extend(restore_urls(builder).first().and_then(|(name, url)| Endpoint::of_url(name, url)));
    let queue = config.changelog_queue_url.as_ref().or(config.restore_queue_url.as_ref());
    let sqs = queue.and_then(|url| builder.sqs_queue(url.clone()).ok());
    endpoints.extend(sqs.and_then(|queue| Endpoint::of_url("sqs", &queue.client.endpoint_url())));
    if config.delete_record_table.is_some() {
        let dynamodb = builder.dynamodb_client().ok();
        endpoints
            .extend(dynamodb.and_then(|dynamodb| Endpoint::of_url("dynamodb", &dynamodb.endpoint_url())));
    }
    endpoints
}

/// Where links to viewer assets lead, without what signs them.
async fn bucket_url(builder: &HostBuilder, config: &ServiceConfig) -> String {
    let location = Location { bucket: config.viewer_assets.clone(), key: "key".to_owned(), version: None };
    let link = builder.object_store().presign(&location, Method::Head, CLOCK.now()).await;
    link.map(|link| link.url().split('?').next().unwrap_or_default().to_owned()).unwrap_or_default()
}

/// Who could tell the time, by the endpoint's name.
pub(crate) async fn service_urls(
    builder: &HostBuilder,
    config: &ServiceConfig,
) -> Vec<(&'static str, String)> {
    vec![("s3", bucket_url(builder, config).await), ("cdn", format!("{}/", config.cdn.origin))]
}

pub(crate) fn authorizer_urls(config: &AuthorizeConfig) -> Vec<(&'static str, String)> {
    let endpoint = config.platform.endpoints.cognito.as_deref();
    pools(config).map(|(_, pool)| ("cognito", pool.keys_url(endpoint))).into()
}

pub(crate) fn restore_urls(builder: &HostBuilder) -> Vec<(&'static str, String)> {
    let platform = builder.platform();
    let own = || format!("https://{}/", platform.region.service_host("s3"));
    let url = platform.endpoints.s3.as_ref().map_or_else(own, |endpoint| format!("{endpoint}/"));
    vec![("s3", url)]
}
