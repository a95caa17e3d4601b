//! What links begin with, for those who must say in advance where a page may send requests.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use signing::s3::Bucket;

use crate::{ObjectStore, routes::BucketRoute};

impl ObjectStore {
    /// What links to objects in these buckets begin with, and those to the buckets of the table: `https://{host}`, with
    /// `/{bucket}/` if the bucket is in the path. For a pattern of the table the host is `*.{host}`.
    ///
    /// S3 is asked for the regions of buckets that no table tells. If it does not answer in a few seconds, the service's own
    /// region is used.
    pub async fn list_link_prefixes(&self, buckets: &[Bucket]) -> BTreeSet<String> {
        let routes = &self.shared.routes;
        let named = buckets.iter().chain(routes.named_buckets()).map(|bucket| self.find_link_prefix(bucket));
        let patterns = routes.pattern_routes().flat_map(|route| self.list_route_prefixes(route));
        join_all(named).await.into_iter().chain(patterns).collect()
    }

    /// What links to objects in any bucket of the service's own region begin with.
    #[must_use]
    pub fn list_home_prefixes(&self) -> Vec<String> {
        self.list_route_prefixes(self.shared.routes.other())
    }

    fn list_route_prefixes(&self, route: &BucketRoute) -> Vec<String> {
        route.presigner.bucket_url_patterns(self.fixed_region(route))
    }

    async fn find_link_prefix(&self, bucket: &Bucket) -> String {
        let route = self.shared.routes.find(bucket.as_str());
        let url = route.presigner.bucket_url(&self.region_on(route, bucket).await, bucket);
        // Beneath a host of its own everything is the bucket's.
        let is_in_path = url.ends_with(&format!("/{bucket}/"));
        if is_in_path { url } else { url.trim_end_matches('/').to_owned() }
    }
}
