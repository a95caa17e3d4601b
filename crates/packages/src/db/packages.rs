//! `"{workspace}".packages`: where a package is and in which state.

use tokio_postgres::{Row, types::Type};

use super::{Db, Error};
use crate::{
    access::DatasetAccess,
    id::{DatasetId, PackageId, PackageNodeId, WorkspaceId},
    package::{Kind, State},
};

/// How far a package and what lies beneath it have come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The package's own state, as the column holds it.
    pub state: String,
    /// Whether the package is a folder.
    pub is_collection: bool,
    /// How many packages there are beneath it; itself, where it is no folder.
    pub total: i64,
    /// How many of them are live.
    pub restored: i64,
    /// How many are on their way.
    pub restoring: i64,
    /// Those that the last restore left in the trash, at most [`MAX_FAILED`]: node id and reason.
    pub failed: Vec<(String, String)>,
    /// How many those are in all.
    pub failures: i64,
}

/// How many failures one answer lists.
pub const MAX_FAILED: i64 = 1000;

/// Counts a package and, if it is a folder, everything beneath it. One statement.
pub async fn find_progress<P>(
    db: &Db,
    access: &DatasetAccess<P>,
    package: &PackageNodeId,
) -> Result<Option<Progress>, Error> {
    let workspace = access.workspace();
    let sql = format!(
        r#"WITH RECURSIVE target AS (
               SELECT p.id, p.state, p.type
               FROM "{workspace}".datasets d JOIN "{workspace}".packages p ON p.dataset_id = d.id
               WHERE d.id = $1 AND d.node_id = $2 AND p.node_id = $3
           ), tree AS (
               SELECT id, 0 AS depth FROM target
               UNION
               SELECT p.id, tree.depth + 1
               FROM tree JOIN "{workspace}".packages p ON p.parent_id = tree.id
               WHERE tree.depth < 256
           ), members AS (
               SELECT p.id, p.node_id, p.state, f.reason
               FROM tree JOIN target ON target.type <> 'Collection' OR tree.depth > 0
               JOIN "{workspace}".packages p ON p.id = tree.id
               LEFT JOIN packages_service.restore_failures f
                      ON f.workspace_id = $4 AND f.package_id = p.id AND p.state = 'DELETED'
           ), own AS (
               SELECT f.reason FROM target
               JOIN packages_service.restore_failures f ON f.workspace_id = $4 AND f.package_id = target.id
               WHERE target.type = 'Collection' AND target.state = 'DELETED'
           )
           SELECT target.state, target.type,
                  (SELECT count(*) FROM members),
                  (SELECT count(*) FROM members WHERE state <> ALL ($5)),
                  (SELECT count(*) FROM members WHERE state = 'RESTORING'),
                  (SELECT count(*) FROM members WHERE reason IS NOT NULL) + (SELECT count(*) FROM own),
                  ARRAY(SELECT $3 FROM own)
                      || ARRAY(SELECT node_id::text FROM members WHERE reason IS NOT NULL ORDER BY id LIMIT {MAX_FAILED}),
                  ARRAY(SELECT reason FROM own)
                      || ARRAY(SELECT reason FROM members WHERE reason IS NOT NULL ORDER BY id LIMIT {MAX_FAILED})
           FROM target"#
    );
    let row = db
        .query_opt(
            &sql,
            &[
                (&access.dataset().0, Type::INT4),
                (&access.dataset_node_id().as_str(), Type::TEXT),
                (&package.as_str(), Type::TEXT),
                (&workspace.0, Type::INT4),
                (&&State::NOT_LIVE[..], Type::TEXT_ARRAY),
            ],
        )
        .await?;
    row.map(|row| progress(&row)).transpose()
}

fn progress(row: &Row) -> Result<Progress, Error> {
    let ids: Vec<String> = row.try_get(6)?;
    let reasons: Vec<String> = row.try_get(7)?;
    Ok(Progress {
        state: row.try_get(0)?,
        is_collection: Kind::parse(row.try_get(1)?).is_collection(),
        total: row.try_get(2)?,
        restored: row.try_get(3)?,
        restoring: row.try_get(4)?,
        failures: row.try_get(5)?,
        failed: ids.into_iter().zip(reasons).collect(),
    })
}

/// A package as the restore knows it.
#[derive(Debug, Clone)]
pub struct PackageRow {
    /// Primary key.
    pub id: PackageId,
    /// Public id.
    pub node_id: PackageNodeId,
    /// The name as it stands, in the trash with the deletion prefix.
    pub name: String,
    /// The folder it lies in; `None` at the dataset's top.
    pub parent_id: Option<PackageId>,
    /// Folder or what else.
    pub kind: Kind,
    /// Its state when it was read.
    pub state: State,
}

/// The columns that [`row`] reads, of the table called `p`.
pub(super) const COLUMNS: &str = "p.id, p.node_id, p.name, p.parent_id, p.type, p.state";

/// Reads [`COLUMNS`]. A row whose node id is not one of ours gives `None`: nobody can have asked for it.
pub(super) fn row(row: &Row) -> Result<Option<PackageRow>, Error> {
    let Some(node_id) = row.try_get::<_, Option<&str>>(1)?.and_then(|id| PackageNodeId::parse(id).ok())
    else {
        return Ok(None);
    };
    Ok(Some(PackageRow {
        id: PackageId(row.try_get(0)?),
        node_id,
        name: row.try_get(2)?,
        parent_id: row.try_get::<_, Option<i32>>(3)?.map(PackageId),
        kind: Kind::parse(row.try_get(4)?),
        state: State::parse(row.try_get(5)?),
    }))
}

pub(super) fn rows(rows: &[Row]) -> Result<Vec<PackageRow>, Error> {
    rows.iter().filter_map(|r| row(r).transpose()).collect()
}

/// The workspaces there are, for what must look into each. One that is still being made has no tables yet.
pub async fn list_workspaces(db: &Db) -> Result<Vec<WorkspaceId>, Error> {
    let sql = "SELECT id FROM pennsieve.organizations
               WHERE to_regclass(format('%I.packages', id)) IS NOT NULL ORDER BY id";
    let rows = db.query(sql, &[]).await?;
    rows.iter().map(|row| Ok(WorkspaceId(row.try_get(0)?))).collect()
}

/// A package on its way back.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// The dataset.
    pub dataset: DatasetId,
    /// Who asked for it; where that is not on record, the package's owner, else empty.
    pub user: String,
    /// Whether it was asked for itself, and not moved along with another.
    pub ordered: bool,
    /// The package.
    pub package: PackageRow,
}

/// What is on its way back in one workspace, whoever ordered it.
pub async fn list_unfinished(db: &Db, workspace: WorkspaceId) -> Result<Vec<Unfinished>, Error> {
    let sql = format!(
        r#"SELECT {COLUMNS}, p.dataset_id, coalesce(o.user_node_id, u.node_id, ''), o.package_id IS NOT NULL
           FROM "{workspace}".packages p
           LEFT JOIN packages_service.restore_orders o ON o.workspace_id = $1 AND o.package_id = p.id
           LEFT JOIN pennsieve.users u ON u.id = p.owner_id
           WHERE p.state = 'RESTORING' OR o.package_id IS NOT NULL
           ORDER BY p.id"#
    );
    let rows = db.query(&sql, &[(&workspace.0, Type::INT4)]).await?;
    let mut unfinished = Vec::with_capacity(rows.len());
    for r in &rows {
        if let Some(package) = row(r)? {
            let dataset = DatasetId(r.try_get(6)?);
            unfinished.push(Unfinished { dataset, user: r.try_get(7)?, ordered: r.try_get(8)?, package });
        }
    }
    Ok(unfinished)
}
