//! Who was given or refused what. One event each, under the target `audit`, with ids and times and nothing that opens
//! anything: no link, no token, no path.

use packages::{
    access::{Claims, DatasetAccess, Refusal},
    id::{DatasetNodeId, PackageNodeId},
};

/// What was given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Given {
    /// A presigned link to a package's source file.
    SourceFile,
    /// A presigned link to a viewer asset.
    ViewerAsset,
    /// A signed link to a viewer asset at the CDN.
    CdnAsset,
}

impl Given {
    const fn name(self) -> &'static str {
        match self {
            Self::SourceFile => "source file",
            Self::ViewerAsset => "viewer asset",
            Self::CdnAsset => "viewer asset at the CDN",
        }
    }
}

/// A link was issued; it works until `expires_at`, in seconds since the Unix epoch.
pub(crate) fn link<P>(access: &DatasetAccess<P>, package: &PackageNodeId, what: Given, expires_at: u64) {
    tracing::info!(
        target: "audit",
        user = %access.user(), workspace = access.workspace().0, dataset = %access.dataset_node_id(),
        %package, what = what.name(), expires_at, "link issued",
    );
}

/// A package was ordered back from the trash.
pub(crate) fn restore<P>(access: &DatasetAccess<P>, package: &PackageNodeId) {
    tracing::info!(
        target: "audit",
        user = %access.user(), workspace = access.workspace().0, dataset = %access.dataset_node_id(),
        %package, "restore ordered",
    );
}

/// A person's claims did not open the dataset that they asked for.
pub(crate) fn refused(claims: &Claims, asked: &DatasetNodeId, refusal: Refusal) {
    tracing::info!(
        target: "audit",
        user = %claims.user.node_id, workspace = claims.workspace.id.0, dataset = %asked,
        reason = %refusal, "access refused",
    );
}
