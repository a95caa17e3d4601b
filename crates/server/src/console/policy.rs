//! What the pages of the console may do, from the configuration of the service.

use std::collections::BTreeSet;

use console::{InvalidSource, SecurityHeaders};
use hosting::config::{ConsoleConfig, ServiceConfig};
use storage::ObjectStore;

use super::settings::token_url;

/// The headers of the console's pages. They may read files where the service's links lead: the CDN, the configured buckets,
/// and those of the table of buckets. If no bucket of source files is configured, they may read any bucket in the service's own
/// region.
pub async fn build_security_headers(
    service: &ServiceConfig,
    console: &ConsoleConfig,
    objects: &ObjectStore,
) -> Result<SecurityHeaders, InvalidSource> {
    let mut buckets = service.source_buckets.clone();
    buckets.push(service.viewer_assets.clone());
    let mut data: BTreeSet<String> = objects.list_link_prefixes(&buckets).await;
    if service.source_buckets.is_empty() {
        data.extend(objects.list_home_prefixes());
    }
    data.insert(service.cdn.origin.clone());
    let login = console.login.as_ref().map(|login| token_url(&login.origin));
    SecurityHeaders::new(&data.into_iter().collect::<Vec<_>>(), login.as_slice())
}
