//! Finds the files of packages and of everything beneath them. One statement.

use std::collections::HashSet;

use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    FilePosition, Folder, MAX_FOLDER_DEPTH, MAX_SELECTED_FILES, MAX_SKIPPED_PACKAGES, ManifestRequest,
    ReadableDatasets, SelectError, SelectedFile, Selection, SkipReason, SkippedPackage, longest_path,
};
use crate::{
    db::IS_STORED_SOURCE,
    file_name::FileName,
    id::{MAX_NODE_ID_BYTES, PackageNodeId, WorkspaceId},
    links::READABLE_SCANS,
    name::DELETED_PREFIX,
    package::{PackageKind, PackageState},
};
use database::{Db, Error};

/// Finds the files of the requested packages and of everything beneath them. A file that is requested more than once is in
/// the selection once.
pub async fn select_files(
    db: &Db,
    access: &ReadableDatasets,
    request: &ManifestRequest,
) -> Result<Selection, SelectError> {
    let packages: Vec<&str> = request.packages.iter().map(PackageNodeId::as_str).collect();
    let limit = i32::try_from(MAX_SELECTED_FILES + 1).unwrap_or(i32::MAX);
    let skipped_limit = i32::try_from(MAX_SKIPPED_PACKAGES).unwrap_or(i32::MAX);
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&access.dataset_ids(), Type::INT4_ARRAY),
        (&packages, Type::TEXT_ARRAY),
        (&request.file_ids, Type::INT4_ARRAY),
        (&limit, Type::INT4),
        (&skipped_limit, Type::INT4),
    ];
    let rows = db
        .query(
            &format!("{}{}{SELECT_ARRAYS}", selection_ctes(access.workspace), summary_ctes(access.workspace)),
            &parameters,
        )
        .await?;
    let mut selection = Selection::default();
    if let Some(row) = rows.first() {
        let folders = read_folders(row)?;
        selection.files = read_files(row)?;
        let packages: i64 = row.try_get("package_count").map_err(Error::from)?;
        let counts = [selection.files.len(), folders.len(), usize::try_from(packages).unwrap_or(usize::MAX)];
        if counts.iter().any(|count| *count > MAX_SELECTED_FILES) {
            return Err(SelectError::TooMany);
        }
        selection.folders = folders.into_iter().collect();
        if longest_path(&selection.folders) > MAX_FOLDER_DEPTH {
            return Err(SelectError::TooDeep);
        }
        selection.skipped = read_skipped(row, request)?;
    }
    Ok(selection)
}

/// One row of arrays: a row for each file would take ten times the memory.
const SELECT_ARRAYS: &str = "
    SELECT (SELECT count(*) FROM packages) AS package_count,
           (SELECT coalesce(array_agg(id), '{}') FROM some_folders) AS folder_ids,
           (SELECT coalesce(array_agg(parent_id), '{}') FROM some_folders) AS folder_parents,
           (SELECT coalesce(array_agg(name::text), '{}') FROM some_folders) AS folder_names,
           (SELECT coalesce(array_agg(parent_id), '{}') FROM found) AS file_folders,
           (SELECT coalesce(array_agg(package_id), '{}') FROM found) AS file_packages,
           (SELECT coalesce(array_agg(file_id), '{}') FROM found) AS file_ids,
           (SELECT coalesce(array_agg(size), '{}') FROM found) AS file_sizes,
           (SELECT coalesce(array_agg(is_blocked), '{}') FROM found) AS file_blocked,
           (SELECT coalesce(array_agg(node_id::text), '{}') FROM skipped) AS skipped_ids,
           (SELECT coalesce(array_agg(state::text), '{}') FROM skipped) AS skipped_states,
           (SELECT coalesce(array_agg(node_id::text), '{}') FROM requested) AS requested_ids,
           (SELECT coalesce(array_agg(state::text), '{}') FROM requested) AS requested_states,
           (SELECT coalesce(array_agg(node_id::text), '{}') FROM empty) AS empty_ids";

fn selection_ctes(workspace: WorkspaceId) -> String {
    let readable = PackageState::READABLE_SQL;
    let infected = PackageState::INFECTED_SQL;
    let collection = PackageKind::COLLECTION_SQL;
    let readable_scans = READABLE_SCANS.map(|status| format!("'{status}'")).join(", ");
    // As before the deletion of a folder, whose live files are in the manifest.
    let prefix = format!("'{DELETED_PREFIX}' || node_id || '_'");
    let name = format!(
        "CASE WHEN starts_with(name, {prefix}) THEN substr(name, length({prefix}) + 1) ELSE name END"
    );
    format!(
        r#"WITH RECURSIVE
           requested AS MATERIALIZED (
               SELECT id, node_id, coalesce(parent_id, 0) AS parent_id, {name} AS name, type, state
               FROM "{workspace}".packages WHERE node_id = ANY($2) AND dataset_id = ANY($1)
           ),
           -- All folders, whatever their state: a live file in a deleted folder is live. UNION ends also where folders
           -- form a cycle, and keeps a folder once that is requested with one above it.
           folders (id, parent_id, name) AS (
               SELECT id, parent_id, name FROM requested WHERE type = {collection}
               UNION
               SELECT c.id, c.parent_id, c.name FROM folders f CROSS JOIN LATERAL (
                   SELECT id, parent_id, {name} AS name FROM "{workspace}".packages
                   WHERE parent_id = f.id AND type = {collection} AND dataset_id = ANY($1) OFFSET 0
               ) c
           ),
           -- The packages with files. OFFSET 0 keeps the lookups by index, which cost as much as there is to find.
           -- The limit ends the walk of a tree that is too large.
           packages AS MATERIALIZED (
               SELECT * FROM (
                   SELECT p.id, p.node_id, p.parent_id, p.state FROM folders f CROSS JOIN LATERAL (
                       SELECT id, node_id, parent_id, state FROM "{workspace}".packages
                       WHERE parent_id = f.id AND type <> {collection} AND dataset_id = ANY($1) OFFSET 0
                   ) p
                   UNION ALL
                   SELECT id, node_id, parent_id, state FROM requested r
                   WHERE type <> {collection} AND r.parent_id NOT IN (SELECT id FROM folders)
               ) p LIMIT $4
           ),
           found AS MATERIALIZED (
               SELECT p.parent_id, p.id AS package_id, f.id AS file_id, f.size, f.is_unsafe OR p.state = {infected} AS is_blocked
               FROM packages p
               -- `scan_status` is newer than some schemas. Where `files` has no such column, the name means this one.
               CROSS JOIN (SELECT NULL::text AS scan_status) absent
               CROSS JOIN LATERAL (
                   SELECT f.id, coalesce(f.size, 0) AS size, coalesce(lower(scan_status) NOT IN ({readable_scans}), false) AS is_unsafe
                   FROM "{workspace}".files f
                   WHERE f.package_id = p.id AND {IS_STORED_SOURCE}
                     AND ($3::int[] IS NULL OR f.id = ANY($3)) OFFSET 0
               ) f
               WHERE p.state IN {readable} OR p.state = {infected}
               ORDER BY 1, 2, 3 LIMIT $4
           )"#
    )
}

/// What is left out, and the folders.
fn summary_ctes(workspace: WorkspaceId) -> String {
    let (readable, infected) = (PackageState::READABLE_SQL, PackageState::INFECTED_SQL);
    let (deleting, deleted) = (PackageState::DELETING_SQL, PackageState::DELETED_SQL);
    let collection = PackageKind::COLLECTION_SQL;
    format!(
        r#",
           -- What is in the trash beneath a folder is not worth a word.
           skipped AS MATERIALIZED (
               SELECT node_id, state FROM packages
               WHERE state NOT IN {readable} AND state NOT IN ({infected}, {deleting}, {deleted}) AND node_id IS NOT NULL
               ORDER BY id LIMIT $5
           ),
           some_folders AS MATERIALIZED (SELECT id, parent_id, name FROM folders LIMIT $4),
           -- Requested packages that are no folders and have no file.
           empty AS (
               SELECT node_id FROM requested r
               WHERE type <> {collection} AND NOT EXISTS (
                   SELECT FROM "{workspace}".files f
                   WHERE f.package_id = r.id AND {IS_STORED_SOURCE}
               )
           )"#
    )
}

fn read_folders(row: &Row) -> Result<Vec<(i32, Folder)>, Error> {
    let ids: Vec<i32> = row.try_get("folder_ids")?;
    let parents: Vec<i32> = row.try_get("folder_parents")?;
    let names: Vec<&str> = row.try_get("folder_names")?;
    let folders = ids.into_iter().zip(parents).zip(names);
    Ok(folders.map(|((id, parent), name)| (id, Folder { parent, name: FileName::from_file(name) })).collect())
}

fn read_files(row: &Row) -> Result<Vec<SelectedFile>, Error> {
    let folders: Vec<i32> = row.try_get("file_folders")?;
    let packages: Vec<i32> = row.try_get("file_packages")?;
    let files: Vec<i32> = row.try_get("file_ids")?;
    let sizes: Vec<i64> = row.try_get("file_sizes")?;
    let blocked: Vec<bool> = row.try_get("file_blocked")?;
    let ids = folders.into_iter().zip(packages).zip(files);
    let files =
        ids.zip(sizes).zip(blocked).map(|((((folder, package), file), size), is_blocked)| SelectedFile {
            position: FilePosition { folder, package, file },
            size: u64::try_from(size).unwrap_or(0),
            is_blocked,
        });
    Ok(files.collect())
}

/// The requested packages that give nothing, in the order of the request, and then what is not available beneath them.
fn read_skipped(row: &Row, request: &ManifestRequest) -> Result<Vec<SkippedPackage>, Error> {
    let ids: Vec<&str> = row.try_get("requested_ids")?;
    let states: Vec<&str> = row.try_get("requested_states")?;
    let empty: Vec<&str> = row.try_get("empty_ids")?;
    let mut seen = HashSet::new();
    let mut skipped = Vec::new();
    for node_id in request.node_ids.iter().filter(|node_id| seen.insert(node_id.as_str())) {
        let state = ids.iter().position(|id| id == node_id).and_then(|index| states.get(index));
        let reason = match state.map(|state| PackageState::from_column(state)) {
            None => Some(SkipReason::NotFound),
            Some(PackageState::Deleted | PackageState::Deleting) => Some(SkipReason::InTrash),
            Some(state) => not_available_reason(state)
                .or_else(|| empty.contains(&node_id.as_str()).then_some(SkipReason::NoStoredFile)),
        };
        if let Some(reason) = reason {
            skipped
                .push(SkippedPackage { node_id: node_id.chars().take(MAX_NODE_ID_BYTES).collect(), reason });
        }
    }
    let beneath: Vec<&str> = row.try_get("skipped_ids")?;
    let states: Vec<&str> = row.try_get("skipped_states")?;
    for (node_id, state) in beneath.into_iter().zip(states).filter(|(node_id, _)| !seen.contains(node_id)) {
        if let Some(reason) = not_available_reason(PackageState::from_column(state)) {
            skipped.push(SkippedPackage { node_id: node_id.to_owned(), reason });
        }
    }
    Ok(skipped)
}

fn not_available_reason(state: PackageState) -> Option<SkipReason> {
    match state {
        PackageState::Restoring => Some(SkipReason::Restoring),
        PackageState::Infected => None,
        state if state.is_readable() => None,
        _ => Some(SkipReason::Unavailable),
    }
}
