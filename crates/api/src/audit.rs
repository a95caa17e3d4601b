//! Who was given or refused what. One event each, under the target `audit`, with ids and times and nothing that opens
//! anything: no link, no token, no path. How many were is counted.

use packages::{
    access::{AccessError, Claims, DatasetAccess},
    id::{DatasetNodeId, PackageNodeId},
};
use signing::cloudfront::KeyPairId;

/// What was given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Given<'a> {
    /// A presigned link to a package's source file.
    SourceFile,
    /// A presigned link to a viewer asset.
    ViewerAsset,
    /// A link to a viewer asset at the CDN, signed with a key of that name.
    CdnAsset(&'a KeyPairId),
}

impl Given<'_> {
    const fn name(self) -> &'static str {
        match self {
            Self::SourceFile => "source file",
            Self::ViewerAsset => "viewer asset",
            Self::CdnAsset(_) => "viewer asset at the CDN",
        }
    }

    /// The values of the labels `kind` and `key_id`. Those who revoke a key want to see its links end.
    fn labels(self) -> [(&'static str, String); 2] {
        let (kind, key) = match self {
            Self::SourceFile => ("source-file", "s3"),
            Self::ViewerAsset => ("viewer-asset", "s3"),
            Self::CdnAsset(key) => ("cdn-asset", key.as_str()),
        };
        [("kind", kind.to_owned()), ("key_id", key.to_owned())]
    }
}

/// A link was issued; it works until `expires_at`, in seconds since the Unix epoch.
pub(crate) fn link<P>(access: &DatasetAccess<P>, package: &PackageNodeId, what: Given<'_>, expires_at: u64) {
    tracing::info!(
        target: "audit",
        user = %access.user(), workspace = access.workspace().0, dataset = %access.dataset_node_id(),
        %package, what = what.name(), expires_at, "link issued",
    );
    metrics::counter!(metric_names::LINKS_ISSUED_TOTAL.name, &what.labels()).increment(1);
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
pub(crate) fn refused(claims: &Claims, asked: &DatasetNodeId, refusal: AccessError) {
    tracing::info!(
        target: "audit",
        user = %claims.user.node_id, workspace = claims.workspace.id.0, dataset = %asked,
        reason = %refusal, "access refused",
    );
}

/// A request was refused, by the name of the problem that it is answered with.
pub(crate) fn refusal(reason: &'static str) {
    metrics::counter!(metric_names::REFUSALS_TOTAL.name, "reason" => reason).increment(1);
}
