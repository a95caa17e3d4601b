//! What a restore changes: states, names, and this service's own two tables, as [`orders`](super::orders) fills them.
//!
//! Every statement works on a set, so their number does not grow with the folder.

use std::time::SystemTime;

use tokio_postgres::types::Type;

use super::{
    Error, Param, Tx,
    packages::{COLUMNS, PackageRow, row, rows},
};
use crate::{
    id::{DatasetId, PackageId, PackageNodeId, WorkspaceId},
    package::State,
};

/// How deep a tree is followed: deeper than any path people make, and an end to a cycle.
const MAX_DEPTH: i32 = 256;

/// The package that a message names, locked, and whether its order is on record. All three ids must agree.
pub(crate) async fn lock_target(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    dataset: DatasetId,
    package: (PackageId, &PackageNodeId),
) -> Result<Option<(PackageRow, bool)>, Error> {
    let sql = format!(
        r#"SELECT {COLUMNS}, EXISTS (SELECT 1 FROM packages_service.restore_orders o
                                     WHERE o.workspace_id = $4 AND o.package_id = p.id)
           FROM "{workspace}".packages p
           WHERE p.id = $1 AND p.node_id = $2 AND p.dataset_id = $3 FOR NO KEY UPDATE OF p"#
    );
    let (id, node_id) = package;
    let params: [Param<'_>; 4] = [
        (&id.0, Type::INT4),
        (&node_id.as_str(), Type::TEXT),
        (&dataset.0, Type::INT4),
        (&workspace.0, Type::INT4),
    ];
    let Some(found) = tx.query_opt(&sql, &params).await? else { return Ok(None) };
    let ordered: bool = found.try_get(6)?;
    Ok(row(&found)?.map(|package| (package, ordered)))
}

/// What both claims have in common: the packages whose ids `ids` holds are locked, in the order of their ids so that two
/// restores never wait for each other in a circle, and marked if they are in the trash.
///
/// A package with a node id that is none of ours is passed over: nobody can have asked for it.
fn mark(workspace: WorkspaceId) -> String {
    format!(
        r#"claimed AS (
               SELECT {COLUMNS} FROM ids JOIN "{workspace}".packages p USING (id)
               WHERE p.state IN ('DELETED', 'RESTORING') AND p.node_id ~ '^N:(package|collection):[A-Za-z0-9-]+$'
               ORDER BY p.id FOR NO KEY UPDATE OF p
           ), marked AS (
               UPDATE "{workspace}".packages p SET state = 'RESTORING'
               FROM claimed WHERE p.id = claimed.id AND p.state = 'DELETED'
           )
           SELECT * FROM claimed"#
    )
}

/// Marks the folders above: upwards while they are in the trash or on their way. The first other one ends the walk.
pub(crate) async fn claim_ancestors(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    dataset: DatasetId,
    parent: PackageId,
) -> Result<Vec<PackageRow>, Error> {
    let mark = mark(workspace);
    let sql = format!(
        r#"WITH RECURSIVE up AS (
               SELECT p.id, p.parent_id, 0 AS depth FROM "{workspace}".packages p
               WHERE p.id = $1 AND p.dataset_id = $2 AND p.type = 'Collection' AND p.state IN ('DELETED', 'RESTORING')
               UNION
               SELECT p.id, p.parent_id, up.depth + 1 FROM up JOIN "{workspace}".packages p ON p.id = up.parent_id
               WHERE p.dataset_id = $2 AND p.type = 'Collection' AND p.state IN ('DELETED', 'RESTORING')
                 AND up.depth < {MAX_DEPTH}
           ), ids AS (SELECT DISTINCT id FROM up), {mark}"#
    );
    rows(&tx.query(&sql, &[(&parent.0, Type::INT4), (&dataset.0, Type::INT4)]).await?)
}

/// Marks a package and all that lies beneath it in the trash, through folders in any state but DELETING.
///
/// `dataset_id + 0` keeps the planner from walking the whole dataset's index once for every folder.
pub(crate) async fn claim_tree(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    dataset: DatasetId,
    root: PackageId,
) -> Result<Vec<PackageRow>, Error> {
    let mark = mark(workspace);
    let sql = format!(
        r#"WITH RECURSIVE down AS (
               SELECT p.id, 0 AS depth FROM "{workspace}".packages p WHERE p.id = $1
               UNION
               SELECT p.id, down.depth + 1 FROM down JOIN "{workspace}".packages p ON p.parent_id = down.id
               WHERE p.dataset_id + 0 = $2 AND p.state <> 'DELETING' AND down.depth < {MAX_DEPTH}
           ), ids AS (SELECT DISTINCT id FROM down), {mark}"#
    );
    rows(&tx.query(&sql, &[(&root.0, Type::INT4), (&dataset.0, Type::INT4)]).await?)
}

/// What time it is in the database, whose clock tells before and after among claims and orders.
pub(crate) async fn now(tx: &Tx<'_>) -> Result<SystemTime, Error> {
    Ok(tx.query_one("SELECT clock_timestamp()", &[]).await?.try_get(0)?)
}

/// The state of the nearest folder above that is neither in the trash nor on its way; `None` at the dataset's top.
pub(crate) async fn find_landing(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    parent: PackageId,
) -> Result<Option<State>, Error> {
    let sql = format!(
        r#"WITH RECURSIVE up AS (
               SELECT p.id, p.parent_id, p.state, 0 AS depth FROM "{workspace}".packages p WHERE p.id = $1
               UNION
               SELECT p.id, p.parent_id, p.state, up.depth + 1 FROM up
               JOIN "{workspace}".packages p ON p.id = up.parent_id
               WHERE up.state IN ('DELETED', 'RESTORING') AND up.depth < {MAX_DEPTH}
           )
           SELECT state FROM up WHERE state NOT IN ('DELETED', 'RESTORING') ORDER BY depth LIMIT 1"#
    );
    let row = tx.query_opt(&sql, &[(&parent.0, Type::INT4)]).await?;
    row.map(|row| Ok(State::parse(row.try_get(0)?))).transpose()
}

/// Locks packages, in the order of their ids, and reads them as they are now.
pub(crate) async fn lock(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    packages: &[i32],
) -> Result<Vec<PackageRow>, Error> {
    let sql = format!(
        r#"SELECT {COLUMNS} FROM "{workspace}".packages p WHERE p.id = ANY ($1) ORDER BY p.id FOR NO KEY UPDATE"#
    );
    rows(&tx.query(&sql, &[(&packages, Type::INT4_ARRAY)]).await?)
}

/// Gives packages a name and makes them READY, where the name is free; answers those that it did that for.
///
/// A name is free when no package in the same folder has it, in any state, and no earlier one of this very set asks
/// for it. That is only a look: the unique index decides, and an upload that came in between is a name clash.
/// The packages are locked by whoever calls, and on their way (a folder, which has no bytes, may be in the trash again).
pub(crate) async fn settle(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    packages: &[i32],
    names: &[&str],
) -> Result<Vec<(PackageId, String)>, Error> {
    let sql = format!(
        r#"WITH asked AS (
               SELECT p.id, a.name, p.parent_id, p.dataset_id,
                      row_number() OVER (PARTITION BY p.dataset_id, p.parent_id, a.name ORDER BY p.id) AS turn
               FROM unnest($1::int[], $2::text[]) AS a (id, name)
               JOIN "{workspace}".packages p ON p.id = a.id
           ), free AS (
               SELECT a.id, a.name FROM asked a
               WHERE a.turn = 1
                 AND NOT EXISTS (SELECT 1 FROM "{workspace}".packages q
                                 WHERE q.parent_id = a.parent_id AND q.dataset_id = a.dataset_id
                                   AND q.name = a.name AND q.id <> a.id)
                 AND NOT EXISTS (SELECT 1 FROM "{workspace}".packages q
                                 WHERE q.parent_id IS NULL AND a.parent_id IS NULL AND q.dataset_id = a.dataset_id
                                   AND q.name = a.name AND q.id <> a.id)
           )
           UPDATE "{workspace}".packages p SET name = free.name, state = 'READY' FROM free
           WHERE p.id = free.id AND p.state IN ('RESTORING', 'DELETED')
           RETURNING p.id, p.name"#
    );
    let rows = tx.query(&sql, &[(&packages, Type::INT4_ARRAY), (&names, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(|row| Ok((PackageId(row.try_get(0)?), row.try_get(1)?))).collect()
}

/// Puts claimed packages that do not come back into the trash again.
pub(crate) async fn release(tx: &Tx<'_>, workspace: WorkspaceId, packages: &[i32]) -> Result<(), Error> {
    let sql = format!(
        r#"UPDATE "{workspace}".packages SET state = 'DELETED' WHERE id = ANY ($1) AND state = 'RESTORING'"#
    );
    tx.query(&sql, &[(&packages, Type::INT4_ARRAY)]).await.map(drop)
}

/// Closes an order: forgets it, forgets the failures of what came back, and keeps those of what is still in the trash.
pub(crate) async fn close(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    target: PackageId,
    ready: &[i32],
    failed: (&[i32], &[&str]),
) -> Result<(), Error> {
    let (packages, reasons) = failed;
    let sql = format!(
        r#"WITH closed AS (
               DELETE FROM packages_service.restore_orders WHERE workspace_id = $1 AND package_id = $2
           ), forgotten AS (
               DELETE FROM packages_service.restore_failures WHERE workspace_id = $1 AND package_id = ANY ($3)
           )
           INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason)
           SELECT $1, p.id, f.reason FROM unnest($4::int[], $5::text[]) AS f (id, reason)
           JOIN "{workspace}".packages p ON p.id = f.id AND p.state IN ('DELETED', 'DELETING')
           ON CONFLICT (workspace_id, package_id) DO UPDATE SET reason = excluded.reason, failed_at = now()"#
    );
    let params: [Param<'_>; 5] = [
        (&workspace.0, Type::INT4),
        (&target.0, Type::INT4),
        (&ready, Type::INT4_ARRAY),
        (&packages, Type::INT4_ARRAY),
        (&reasons, Type::TEXT_ARRAY),
    ];
    tx.query(&sql, &params).await.map(drop)
}
