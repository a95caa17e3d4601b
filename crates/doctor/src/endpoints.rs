//! Where the parts of the service are, as it was told.

use hosting::Builder;
use packages::{
    config::{Authorize, Key, Restore, Service},
    objects::{Location, Method},
};

use crate::{CLOCK, network::Endpoint, pools::pools};

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

fn database_endpoint(builder: &Builder) -> Endpoint {
    let database = &builder.platform().database;
    Endpoint::new("database", &database.host, database.port)
}

pub(crate) async fn service_endpoints(builder: &Builder, config: &Service) -> Vec<Endpoint> {
    let mut endpoints = vec![database_endpoint(builder)];
    endpoints.extend(Endpoint::of_url("s3", &bucket_url(builder, config).await));
    endpoints.extend(Endpoint::of_url("cdn", &config.cdn.origin));
    if matches!(config.cdn.key, Key::Parameter(_)) {
        endpoints.extend(builder.ssm().ok().and_then(|ssm| Endpoint::of_url("ssm", &ssm.url())));
    }
    if let Some(url) = &config.queue {
        let sqs = builder.queue(url.clone()).ok();
        endpoints.extend(sqs.and_then(|queue| Endpoint::of_url("sqs", &queue.service.url())));
    }
    endpoints
}

pub(crate) fn authorizer_endpoints(builder: &Builder, config: &Authorize) -> Vec<Endpoint> {
    let [(_, people), _] = pools(config);
    let url = people.keys_url(config.platform.endpoints.cognito.as_deref());
    std::iter::once(database_endpoint(builder)).chain(Endpoint::of_url("cognito", &url)).collect()
}

pub(crate) fn restore_endpoints(builder: &Builder, config: &Restore) -> Vec<Endpoint> {
    let mut endpoints = vec![database_endpoint(builder)];
    endpoints.extend(restore_urls(builder).first().and_then(|(name, url)| Endpoint::of_url(name, url)));
    let queue = config.changelog.as_ref().or(config.queue.as_ref());
    let sqs = queue.and_then(|url| builder.queue(url.clone()).ok());
    endpoints.extend(sqs.and_then(|queue| Endpoint::of_url("sqs", &queue.service.url())));
    if config.delete_records.is_some() {
        let dynamodb = builder.dynamodb().ok();
        endpoints.extend(dynamodb.and_then(|dynamodb| Endpoint::of_url("dynamodb", &dynamodb.url())));
    }
    endpoints
}

/// Where links to viewer assets lead, without what signs them.
async fn bucket_url(builder: &Builder, config: &Service) -> String {
    let location = Location { bucket: config.viewer_assets.clone(), key: "key".to_owned(), version: None };
    let link = builder.objects().presign(&location, Method::Head, CLOCK.now()).await;
    link.map(|link| link.url().split('?').next().unwrap_or_default().to_owned()).unwrap_or_default()
}

/// Who could tell the time, by the endpoint's name.
pub(crate) async fn service_urls(builder: &Builder, config: &Service) -> Vec<(&'static str, String)> {
    vec![("s3", bucket_url(builder, config).await), ("cdn", format!("{}/", config.cdn.origin))]
}

pub(crate) fn authorizer_urls(config: &Authorize) -> Vec<(&'static str, String)> {
    let endpoint = config.platform.endpoints.cognito.as_deref();
    pools(config).map(|(_, pool)| ("cognito", pool.keys_url(endpoint))).into()
}

pub(crate) fn restore_urls(builder: &Builder) -> Vec<(&'static str, String)> {
    let platform = builder.platform();
    let own = || format!("https://{}/", platform.region.service_host("s3"));
    let url = platform.endpoints.s3.as_ref().map_or_else(own, |endpoint| format!("{endpoint}/"));
    vec![("s3", url)]
}
