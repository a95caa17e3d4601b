//! How requests for a bucket are made: what a table says, and what holds for all other buckets.

use aws::sts::RoleArn;
use signing::s3::{AddressingStyle, Bucket, CustomEndpoint, Endpoint, Presigner, Region};

use crate::{BucketTable, bucket_table::BucketEntry};

/// The routes of a table's entries, and that of all other buckets.
pub(crate) struct BucketRoutes {
    table: BucketTable,
    routes: Vec<BucketRoute>,
    other: BucketRoute,
}

/// How requests for a bucket are made.
pub(crate) struct BucketRoute {
    /// It caches signing keys. Sessions of roles have many, so each entry has its own.
    pub(crate) presigner: Presigner,
    /// A server in place of AWS's own.
    pub(crate) endpoint: Option<CustomEndpoint>,
    style: AddressingStyle,
    /// The region, if a table says it.
    pub(crate) region: Option<Region>,
    /// The role that reads objects, if it is not the service's own.
    pub(crate) role: Option<RoleArn>,
    pub(crate) is_requester_pays: bool,
    /// Whether S3 is asked where the bucket is. A server in place of AWS's own has no regions.
    pub(crate) learns_region: bool,
}

impl BucketRoutes {
    /// `endpoint` is for buckets whose entry has none.
    pub(crate) fn new(table: &BucketTable, endpoint: Option<&CustomEndpoint>) -> Self {
        let routes = table.entries().iter().map(|entry| BucketRoute::from_entry(entry, endpoint)).collect();
        Self { table: table.clone(), routes, other: BucketRoute::new(endpoint.cloned(), None) }
    }

    /// Asks for the regions of all buckets that have none, also at a custom endpoint.
    #[cfg(test)]
    pub(crate) fn with_learned_regions(mut self) -> Self {
        let all = self.routes.iter_mut().chain(std::iter::once(&mut self.other));
        all.for_each(|route| route.learns_region = route.region.is_none());
        self
    }

    pub(crate) fn has_roles(&self) -> bool {
        self.table.has_roles()
    }

    /// The buckets that the table names.
    pub(crate) fn named_buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.table.entries().iter().filter_map(BucketEntry::bucket)
    }

    /// The routes of the table's patterns.
    pub(crate) fn pattern_routes(&self) -> impl Iterator<Item = &BucketRoute> {
        let entries = self.table.entries().iter().zip(&self.routes);
        entries.filter(|(entry, _)| entry.bucket().is_none()).map(|(_, route)| route)
    }

    /// The route of buckets that the table does not have.
    pub(crate) fn other(&self) -> &BucketRoute {
        &self.other
    }

    pub(crate) fn find(&self, bucket: &str) -> &BucketRoute {
        self.table.find_index(bucket).and_then(|index| self.routes.get(index)).unwrap_or(&self.other)
    }
}

impl BucketRoute {
    fn new(endpoint: Option<CustomEndpoint>, style: Option<AddressingStyle>) -> Self {
        let reached = endpoint.clone().map_or(Endpoint::Aws, Endpoint::Custom);
        let style = style.unwrap_or_else(|| reached.default_style());
        Self {
            presigner: Presigner::new(reached).with_style(style),
            learns_region: endpoint.is_none(),
            endpoint,
            style,
            region: None,
            role: None,
            is_requester_pays: false,
        }
    }

    fn from_entry(entry: &BucketEntry, endpoint: Option<&CustomEndpoint>) -> Self {
        let style = entry
            .is_path_style
            .map(|is_path| if is_path { AddressingStyle::Path } else { AddressingStyle::VirtualHosted });
        let route = Self::new(entry.endpoint.as_ref().or(endpoint).cloned(), style);
        Self {
            learns_region: route.learns_region && entry.region.is_none(),
            region: entry.region.clone(),
            role: entry.role.clone(),
            is_requester_pays: entry.is_requester_pays,
            ..route
        }
    }

    pub(crate) fn is_path_style(&self) -> bool {
        self.style == AddressingStyle::Path
    }
}
