//! What is in the trash of a dataset, and what S3 still has of it.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use time::OffsetDateTime;

use crate::db::trash::{
    MAX_SOURCES, PageRequest, StoredSource, TrashAncestor, TrashRow, find_trash, find_trash_in_folder,
    list_sources,
};
use database::{self, Db};
use packages::{
    access::{DatasetAccess, ViewFiles},
    id::{PackageId, PackageNodeId},
    name,
    package::{PackageKind, PackageState},
};
use storage::{ObjectStore, Recoverability};

/// How long S3 may take to answer for one page. Without an answer the recoverability is not known.
const STORAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// A package in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashedPackage {
    /// Primary key.
    pub package: PackageId,
    /// Public id.
    pub id: PackageNodeId,
    /// The name that it had.
    pub name: String,
    /// Its kind, as the platform names it.
    pub kind: String,
    /// Bytes of its source files; `None` for a folder.
    pub size: Option<i64>,
    /// The node id of the folder that it was in.
    pub parent: Option<String>,
    /// The names of the folders above it, outermost first, at most the nearest [`crate::db::trash::MAX_PATH`].
    pub path: Vec<String>,
    /// When its row was last changed: RFC 3339 in UTC.
    pub deleted_at: Option<String>,
    /// How many packages are directly in it in the trash, counted up to [`crate::db::trash::MAX_CHILDREN`]; `None` for a file.
    pub children: Option<i64>,
    /// Whether there are or may be more than were counted.
    pub more_children: bool,
    /// Whether it is in the trash, on its way there, or on its way back.
    pub state: TrashState,
    /// Why the last restore left it in the trash.
    pub reason: Option<String>,
    /// Whether a restore is worth a try: it is deleted, and has a file in S3 on record or needs none.
    pub is_restorable: bool,
}

/// Where in the trash a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrashState {
    /// In it.
    Deleted,
    /// On its way there.
    Deleting,
    /// On its way back, or held by an order.
    Restoring,
}

/// A page of the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashPage {
    /// In the order of their names in the trash.
    pub items: Vec<TrashedPackage>,
    /// The name after which the next page begins; `None`: this is the last one.
    pub next: Option<String>,
}

/// Whether a file can be restored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackageRecoverability {
    /// Whether S3 has a version of each of its source files; `None`: S3 did not answer, or no file is on record.
    pub is_recoverable: Option<bool>,
    /// When the first of them expires, by the lifecycle rules of their buckets.
    pub until: Option<OffsetDateTime>,
}

/// Lists a page of the trash: what is directly in a folder, or, without a folder, everything that is not beneath a folder
/// in the trash. `None`: there is no such folder or dataset. One statement.
pub async fn list_trash(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    folder: Option<&PackageNodeId>,
    page: PageRequest<'_>,
) -> Result<Option<TrashPage>, database::Error> {
    let rows = match folder {
        None => find_trash(db, access, page).await?,
        Some(folder) => find_trash_in_folder(db, access, folder, page).await?,
    };
    Ok(rows.map(|rows| TrashPage {
        items: rows.rows.into_iter().map(TrashedPackage::from).collect(),
        next: rows.next,
    }))
}

/// Finds whether each file of a page can be restored. One statement, and one request for each source file and each bucket.
pub async fn list_recoverabilities(
    db: &Db,
    objects: &ObjectStore,
    access: &DatasetAccess<ViewFiles>,
    items: &[TrashedPackage],
) -> Result<HashMap<PackageId, PackageRecoverability>, database::Error> {
    let files: Vec<PackageId> =
        items.iter().filter(|item| item.size.is_some()).map(|item| item.package).collect();
    let sources = list_sources(db, access, &files).await?;
    let locations: BTreeSet<(&str, &str)> = sources.iter().map(source_location).collect();
    let found = objects.load_recoverability(&locations, STORAGE_TIMEOUT).await;
    let file_results = |package: PackageId| {
        let own = sources.iter().filter(move |source| source.package == package);
        own.map(|source| found.get(&source_location(source)).copied().unwrap_or_default()).collect::<Vec<_>>()
    };
    Ok(files.into_iter().map(|package| (package, combine_files(&file_results(package)))).collect())
}

fn source_location(source: &StoredSource) -> (&str, &str) {
    (&source.bucket, &source.key)
}

/// A package can be restored if all of its source files can.
fn combine_files(files: &[Recoverability]) -> PackageRecoverability {
    let is_known = !files.is_empty()
        && files.len() <= MAX_SOURCES
        && files.iter().all(|file| file.has_version.is_some());
    let is_lost = files.iter().any(|file| file.has_version == Some(false));
    let is_recoverable = (is_known || is_lost).then_some(!is_lost);
    let until =
        files.iter().filter_map(|file| file.expires_at).min().filter(|_| is_recoverable == Some(true));
    PackageRecoverability { is_recoverable, until }
}

impl From<TrashRow> for TrashedPackage {
    fn from(row: TrashRow) -> Self {
        let is_folder = PackageKind::from_column(&row.kind).is_collection();
        let state = match PackageState::from_column(&row.state) {
            _ if row.is_claimed => TrashState::Restoring,
            PackageState::Restoring => TrashState::Restoring,
            PackageState::Deleting => TrashState::Deleting,
            _ => TrashState::Deleted,
        };
        let has_bytes = is_folder || row.sources == 0 || row.stored > 0;
        Self {
            package: row.id,
            name: name::original_name(&row.name, &row.node_id).to_owned(),
            size: (!is_folder).then_some(row.size),
            parent: row.ancestors.last().and_then(|folder| folder.node_id.clone()),
            path: row.ancestors.iter().map(original_name).collect(),
            deleted_at: row.updated_at,
            children: is_folder.then_some(row.children),
            more_children: row.has_more_children,
            state,
            reason: row.reason,
            is_restorable: state == TrashState::Deleted && has_bytes,
            id: row.node_id,
            kind: row.kind,
        }
    }
}

/// The name that a folder has, or had before it was deleted.
fn original_name(TrashAncestor { node_id, name }: &TrashAncestor) -> String {
    let id = node_id.as_deref().and_then(|id| PackageNodeId::parse(id).ok());
    id.map_or(name.as_str(), |id| name::original_name(name, &id)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recoverability(has_version: Option<bool>, until: Option<i64>) -> Recoverability {
        let expires_at = until.map(|at| OffsetDateTime::from_unix_timestamp(at).unwrap());
        Recoverability { has_version, expires_at }
    }

    #[test]
    fn a_package_is_recoverable_if_all_its_files_are() {
        let there = recoverability(Some(true), Some(7));
        let known = |files: &[Recoverability]| {
            let recovery = combine_files(files);
            (recovery.is_recoverable, recovery.until.map(OffsetDateTime::unix_timestamp))
        };
        assert_eq!(known(&[there]), (Some(true), Some(7)));
        assert_eq!(
            known(&[there, recoverability(Some(true), None), recoverability(Some(true), Some(5))]),
            (Some(true), Some(5))
        );
        assert_eq!(known(&[there, recoverability(None, None)]), (None, None));
        assert_eq!(
            known(&[there, recoverability(None, None), recoverability(Some(false), None)]),
            (Some(false), None)
        );
        assert_eq!(known(&[]), (None, None));
        assert_eq!(known(&[there; MAX_SOURCES + 1]), (None, None), "not all of them were looked up");
    }
}
