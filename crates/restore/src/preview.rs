//! What an order would do. Nothing is ordered.

use std::{collections::HashSet, time::Duration};

use crate::{
    db::{files::list_files, preview::load_preview},
    names::preview_names,
    order::{OrderFailure, not_found_failure},
};
use database::{self, Db};
use packages::{
    access::{CreateDeleteFiles, DatasetAccess},
    id::PackageNodeId,
    name,
    package::PackageKind,
};
use storage::ObjectStore;

/// How many packages a preview lists.
pub const MAX_PREVIEWED_PACKAGES: usize = 1000;

/// How long S3 may take to respond. Without a response nothing is reported as lost.
const STORAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// What would come back.
#[derive(Debug, Default)]
pub struct Preview {
    /// Packages, at most [`MAX_PREVIEWED_PACKAGES`].
    pub packages: Vec<PreviewedPackage>,
    /// How many there are.
    pub total: i64,
    /// The bytes of their source files.
    pub bytes: i64,
    /// Requested packages that cannot be ordered.
    pub failures: Vec<OrderFailure>,
}

/// A package that would come back, or would not.
#[derive(Debug)]
pub struct PreviewedPackage {
    /// Public id.
    pub id: PackageNodeId,
    /// Its kind.
    pub kind: PackageKind,
    /// The name it had before it was deleted.
    pub name: String,
    /// The name it would get if that name is taken.
    pub new_name: Option<String>,
    /// Why it would stay in the trash, as far as S3 knows now.
    pub lost: Option<String>,
}

/// Finds what an order of these packages would bring back, under which names, and what of it is lost. Nothing changes. The
/// result may be out of date a moment later.
pub async fn preview_restore(
    db: &Db,
    objects: &ObjectStore,
    access: &DatasetAccess<CreateDeleteFiles>,
    requested: &[PackageNodeId],
) -> Result<Preview, database::Error> {
    let limit = i64::try_from(MAX_PREVIEWED_PACKAGES).unwrap_or(i64::MAX);
    let found = load_preview(db, access, requested, limit).await?;
    let names = preview_names(db, access.workspace(), &found.packages).await?;
    let ids: Vec<i32> = found.packages.iter().map(|package| package.id.0).collect();
    let files = list_files(db, access.workspace(), &ids).await?;
    let lost = tokio::time::timeout(STORAGE_TIMEOUT, objects.list_unrecoverable(&files.stored)).await;
    let mut lost = lost.unwrap_or_default();

    let packages = found.packages.into_iter().map(|package| {
        let original = name::original_name(&package.name, &package.node_id).to_owned();
        let error = lost.remove(&package.id).filter(|error| !error.is_derived && !error.is_transient);
        PreviewedPackage {
            new_name: names.get(&package.id).filter(|name| **name != original).cloned(),
            lost: error.map(|error| error.reason),
            id: package.node_id,
            kind: package.kind,
            name: original,
        }
    });
    let orderable: HashSet<&PackageNodeId> = found.orderable.iter().collect();
    let mut seen = HashSet::new();
    let refused = requested.iter().filter(|id| !orderable.contains(id) && seen.insert(*id));
    Ok(Preview {
        packages: packages.collect(),
        total: found.total,
        bytes: found.bytes,
        failures: refused.map(|id| not_found_failure(access, id)).collect(),
    })
}
