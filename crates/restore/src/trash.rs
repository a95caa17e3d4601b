//! What lies in the trash of a dataset, and what S3 still has of it.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use time::OffsetDateTime;

use crate::db::trash::{
    MAX_SOURCES, PageRequest, SourceFile, TrashRow, find_trash, find_trash_in, list_sources,
};
use database::{self, Db};
use packages::{
    access::{DatasetAccess, ViewFiles},
    id::{PackageId, PackageNodeId},
    name,
};
use storage::{ObjectStore, Recoverability};

/// How long S3 is asked for one page. What it has not said by then is not known.
const OUTLOOK_LIMIT: Duration = Duration::from_secs(10);

/// A package in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashedPackage {
    /// Primary key.
    pub package: PackageId,
    /// Public id.
    pub id: PackageNodeId,
    /// The name that it had.
    pub name: String,
    /// Folder or what else, as the platform says it.
    pub kind: String,
    /// Bytes of its source files; `None` for a folder.
    pub size: Option<i64>,
    /// The folder that it was in, by its node id.
    pub parent: Option<String>,
    /// The names of the folders above it, outermost first, at most the nearest [`crate::db::trash::MAX_PATH`].
    pub path: Vec<String>,
    /// When its row was last changed: RFC 3339 in UTC.
    pub deleted_at: Option<String>,
    /// How many packages lie directly in it in the trash, counted up to [`crate::db::trash::MAX_CHILDREN`]; `None` for a file.
    pub children: Option<i64>,
    /// Whether there are more than were counted, or may be.
    pub more_children: bool,
    /// Whether it is in the trash, on its way there or back.
    pub state: TrashState,
    /// Why the last restore left it.
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
    /// On its way back, or waiting for that.
    Restoring,
}

/// A page of the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashPage {
    /// In the order of their names in the trash.
    pub items: Vec<TrashedPackage>,
    /// The name after which the next page begins; `None`: this was the last one.
    pub next: Option<String>,
}

/// What can be had back of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Whether S3 has a version of each of its source files; `None`: S3 did not say, or there is none on record.
    pub is_recoverable: Option<bool>,
    /// When the first of them goes, as the lifecycles of their buckets say.
    pub until: Option<OffsetDateTime>,
}

/// A page of what is in the trash: directly in a folder, or else of all that is not beneath a folder that is there, too.
/// `None`: there is no such folder, or no such dataset. One statement.
pub async fn list_trash(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    folder: Option<&PackageNodeId>,
    piece: PageRequest<'_>,
) -> Result<Option<TrashPage>, database::Error> {
    let rows = match folder {
        None => find_trash(db, access, piece).await?,
        Some(folder) => find_trash_in(db, access, folder, piece).await?,
    };
    Ok(rows.map(|rows| TrashPage { items: rows.rows.into_iter().map(trashed).collect(), next: rows.next }))
}

/// What can be had back of each file of a page. One statement, and one request for each source file and each bucket.
pub async fn find_recoveries(
    db: &Db,
    objects: &ObjectStore,
    access: &DatasetAccess<ViewFiles>,
    items: &[TrashedPackage],
) -> Result<HashMap<PackageId, Recovery>, database::Error> {
    let files: Vec<PackageId> =
        items.iter().filter(|item| item.size.is_some()).map(|item| item.package).collect();
    let sources = list_sources(db, access, &files).await?;
    let asked: BTreeSet<(&str, &str)> = sources.iter().map(place).collect();
    let found = objects.find_recoverability(&asked, OUTLOOK_LIMIT).await;
    let of = |package: PackageId| {
        let own = sources.iter().filter(move |source| source.package == package);
        own.map(|source| found.get(&place(source)).copied().unwrap_or_default()).collect::<Vec<_>>()
    };
    Ok(files.into_iter().map(|package| (package, recovery(&of(package)))).collect())
}

fn place(source: &SourceFile) -> (&str, &str) {
    (&source.bucket, &source.key)
}

/// What becomes of a package by what becomes of its source files.
fn recovery(files: &[Recoverability]) -> Recovery {
    let is_known = !files.is_empty()
        && files.len() <= MAX_SOURCES
        && files.iter().all(|file| file.has_version.is_some());
    let is_lost = files.iter().any(|file| file.has_version == Some(false));
    let is_recoverable = (is_known || is_lost).then_some(!is_lost);
    let until =
        files.iter().filter_map(|file| file.expires_at).min().filter(|_| is_recoverable == Some(true));
    Recovery { is_recoverable, until }
}

fn trashed(row: TrashRow) -> TrashedPackage {
    let is_folder = row.kind == "Collection";
    let state = match row.state.as_str() {
        _ if row.is_claimed => TrashState::Restoring,
        "RESTORING" => TrashState::Restoring,
        "DELETING" => TrashState::Deleting,
        _ => TrashState::Deleted,
    };
    let has_bytes = is_folder || row.sources == 0 || row.stored > 0;
    TrashedPackage {
        package: row.id,
        name: name::original_name(&row.name, &row.node_id).to_owned(),
        size: (!is_folder).then_some(row.size),
        parent: row.above.last().and_then(|(id, _)| id.clone()),
        path: row.above.iter().map(|(id, name)| original(id.as_deref(), name)).collect(),
        deleted_at: row.updated_at,
        children: is_folder.then_some(row.children),
        more_children: row.more_children,
        state,
        reason: row.reason,
        is_restorable: state == TrashState::Deleted && has_bytes,
        id: row.node_id,
        kind: row.kind,
    }
}

/// The name that a folder has, or had.
fn original(id: Option<&str>, name: &str) -> String {
    let id = id.and_then(|id| PackageNodeId::parse(id).ok());
    id.map_or(name, |id| name::original_name(name, &id)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlook(has_version: Option<bool>, until: Option<i64>) -> Recoverability {
        let expires_at = until.map(|at| OffsetDateTime::from_unix_timestamp(at).unwrap());
        Recoverability { has_version, expires_at }
    }

    #[test]
    fn a_package_is_recoverable_if_all_its_files_are() {
        let there = outlook(Some(true), Some(7));
        let known = |files: &[Recoverability]| {
            let recovery = recovery(files);
            (recovery.is_recoverable, recovery.until.map(OffsetDateTime::unix_timestamp))
        };
        assert_eq!(known(&[there]), (Some(true), Some(7)));
        assert_eq!(
            known(&[there, outlook(Some(true), None), outlook(Some(true), Some(5))]),
            (Some(true), Some(5))
        );
        assert_eq!(known(&[there, outlook(None, None)]), (None, None));
        assert_eq!(known(&[there, outlook(None, None), outlook(Some(false), None)]), (Some(false), None));
        assert_eq!(known(&[]), (None, None));
        assert_eq!(known(&[there; MAX_SOURCES + 1]), (None, None), "not all of them were asked for");
    }
}
