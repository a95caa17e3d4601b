//! Audit events: who got a link or ordered a restore, and who was refused. Each is one event with the target `audit`.
//! It has ids and times, and never a link, a token or a path. Links and refusals are counted as well.

use authorize::Denial;
use metrics::counter;
use packages::{
    access::{AccessError, Claims, DatasetAccess, Member},
    id::{DatasetNodeId, PackageNodeId, WorkspaceId},
    links::LinkRequest,
    manifest::{ManifestRequest, ReadableDatasets},
};
use signing::cloudfront::KeyPairId;

use crate::links::link_kind;

/// What an issued link opens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LinkKind<'a> {
    /// A package's source file, through a presigned URL.
    SourceFile,
    /// A viewer asset, through a presigned URL.
    ViewerAsset,
    /// A viewer asset at the CDN, through a URL signed with this key.
    CdnAsset(&'a KeyPairId),
    /// All viewer assets beneath a directory at the CDN, through one link signed with this key.
    CdnDirectory(&'a KeyPairId),
}

impl LinkKind<'_> {
    const fn name(self) -> &'static str {
        match self {
            Self::SourceFile => "source file",
            Self::ViewerAsset => "viewer asset",
            Self::CdnAsset(_) => "viewer asset at the CDN",
            Self::CdnDirectory(_) => "directory of viewer assets at the CDN",
        }
    }

    /// Counts links. With the label `key_id` an operator sees when a revoked key stops signing links.
    fn count_links(self, links: u64) {
        // Labels that are literals take no memory.
        let counter = match self {
            Self::SourceFile => {
                counter!(metric_names::LINKS_ISSUED_TOTAL.name, "kind" => "source-file", "key_id" => "s3")
            }
            Self::ViewerAsset => {
                counter!(metric_names::LINKS_ISSUED_TOTAL.name, "kind" => "viewer-asset", "key_id" => "s3")
            }
            Self::CdnAsset(key) => {
                let key = key.as_str().to_owned();
                counter!(metric_names::LINKS_ISSUED_TOTAL.name, "kind" => "cdn-asset", "key_id" => key)
            }
            Self::CdnDirectory(key) => {
                let key = key.as_str().to_owned();
                counter!(metric_names::LINKS_ISSUED_TOTAL.name, "kind" => "cdn-directory", "key_id" => key)
            }
        };
        counter.increment(links);
    }
}

/// Logs and counts a link that works until `expires_at`, in seconds since the Unix epoch.
pub(crate) fn log_link_issued<P>(
    access: &DatasetAccess<P>,
    package: &PackageNodeId,
    kind: LinkKind<'_>,
    expires_at: u64,
) {
    tracing::info!(
        target: "audit",
        user = access.user().as_str(), workspace = access.workspace().0, dataset = access.dataset_node_id().as_str(),
        package = package.as_str(), what = kind.name(), expires_at, "link issued",
    );
    // Without user and dataset: each label value is a time series of its own.
    kind.count_links(1);
}

/// Logs the links of one batch as one event, and counts each.
pub(crate) fn log_links_issued<P>(access: &DatasetAccess<P>, links: &[(&LinkRequest, u64)]) {
    let packages: Vec<&str> = links.iter().map(|(request, _)| request.package.as_str()).collect();
    tracing::info!(
        target: "audit",
        user = access.user().as_str(), workspace = access.workspace().0, dataset = access.dataset_node_id().as_str(),
        packages = packages.join(" "), count = links.len(), expires_at = links.iter().map(|(_, end)| *end).max(),
        "links issued",
    );
    for (request, _) in links {
        link_kind(request).count_links(1);
    }
}

/// Logs a manifest of the files beneath packages, and counts its links.
pub(crate) fn log_manifest_issued(access: &ReadableDatasets, request: &ManifestRequest, files: usize) {
    let datasets = access.datasets();
    let Some(first) = datasets.first() else { return };
    let names: Vec<&str> = datasets.iter().map(|dataset| dataset.dataset_node_id().as_str()).collect();
    let packages: Vec<&str> = request.packages.iter().map(PackageNodeId::as_str).collect();
    tracing::info!(
        target: "audit",
        user = %first.user(), workspace = first.workspace().0, datasets = names.join(" "),
        packages = packages.join(" "), count = files, "manifest issued",
    );
    LinkKind::SourceFile.count_links(files as u64);
}

/// Logs that the caller ordered the restore of a package.
pub(crate) fn log_restore_ordered<P>(access: &DatasetAccess<P>, package: &PackageNodeId) {
    tracing::info!(
        target: "audit",
        user = access.user().as_str(), workspace = access.workspace().0, dataset = access.dataset_node_id().as_str(),
        package = package.as_str(), "restore ordered",
    );
}

/// Logs that a caller's claims do not allow access to the requested dataset.
pub(crate) fn log_access_refused(claims: &Claims, dataset: &DatasetNodeId, error: AccessError) {
    tracing::info!(
        target: "audit",
        user = %claims.user.node_id, workspace = claims.workspace.id.0, dataset = %dataset,
        reason = %error, "access refused",
    );
}

/// Logs that a member has no access to a dataset.
pub(crate) fn log_dataset_denied(member: &Member, dataset: &DatasetNodeId, denial: &Denial) {
    tracing::info!(
        target: "audit",
        user = %member.user.node_id, workspace = denial.workspace.map(|workspace| workspace.0), dataset = %dataset,
        reason = %denial.reason, "access refused",
    );
}

/// Logs that a member may not list a workspace.
pub(crate) fn log_workspace_refused(member: &Member, requested: WorkspaceId) {
    tracing::info!(
        target: "audit",
        user = %member.user.node_id, workspace = member.workspace.id.0, requested_workspace = requested.0,
        reason = "not a member of the workspace, or with a credential for another", "access refused",
    );
}

/// Counts a refused request by the name of its problem.
pub(crate) fn count_refusal(problem: &'static str) {
    metrics::counter!(metric_names::REFUSALS_TOTAL.name, "reason" => problem).increment(1);
}
