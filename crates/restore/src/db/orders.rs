//! `packages_service.restore_orders`: placing orders.

use tokio_postgres::{Row, types::Type};

use crate::db::failures::counted_failures_sql;
use crate::db::packages::{PACKAGE_COLUMNS, PackageRow, read_package_row};
use crate::db::states::{COLLECTION, DELETED, IN_TRASH, NOT_LIVE, READY, RESTORABLE, RESTORING};
use database::{Db, Error, Param, Transaction};
use packages::{
    access::{CreateDeleteFiles, DatasetAccess},
    id::{PackageId, PackageNodeId, WorkspaceId},
    package::PackageState,
};

/// How many packages beneath live folders are searched for one that is in the trash, all folders of a request together. A
/// folder with more packages is ordered without knowing.
const MAX_SCANNED_DESCENDANTS: i64 = 10_000;

/// Which of the requested packages can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Orderable {
    /// Packages in the trash, or on their way back.
    Deleted,
    /// Live folders: what is in the trash beneath them comes back.
    LiveFolders,
}

/// Places orders for packages and queues their dataset. Packages in the trash become RESTORING. One statement, its own
/// transaction. `None`: the dataset does not exist. The answer leaves out packages that cannot be ordered.
///
/// An order that is unfinished is reused: its packages are claimed anew, so that what was deleted since comes back too. A
/// package that leaves the trash here gets another `claimed_at`. So a worker that read its claim before cannot finish it
/// with the delete markers of before.
///
/// Locks: packages by id, their claims, their failures, orders by id, the dataset's row in the queue.
pub(crate) async fn place_orders(
    db: &Db,
    access: &DatasetAccess<CreateDeleteFiles>,
    packages: &[PackageNodeId],
    orderable: Orderable,
) -> Result<Option<Vec<PackageRow>>, Error> {
    let node_ids: Vec<&str> = packages.iter().map(PackageNodeId::as_str).collect();
    let params: [Param<'_>; 5] = [
        (&access.dataset().0, Type::INT4),
        (&access.dataset_node_id().as_str(), Type::TEXT),
        (&node_ids, Type::TEXT_ARRAY),
        (&access.workspace().0, Type::INT4),
        (&access.user().as_str(), Type::TEXT),
    ];
    let rows = db.query(&place_orders_sql(access.workspace(), orderable), &params).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    rows.iter().filter_map(|row| read_package_row(row).transpose()).collect::<Result<_, _>>().map(Some)
}

/// The whole statement of [`place_orders`].
fn place_orders_sql(workspace: WorkspaceId, orderable: Orderable) -> String {
    let requested = requested_sql(workspace, orderable);
    let (failures, orders) = (failures_sql(), orders_sql());
    format!(
        "{requested}{failures}{orders},
           -- woken_at tells a worker that is about to release the dataset's lease that an order came in.
           queued_dataset AS (
               INSERT INTO packages_service.restore_queue AS known (workspace_id, dataset_id)
               SELECT $4, $1 WHERE (SELECT count(*) FROM placed_orders) > 0
               ON CONFLICT (workspace_id, dataset_id) DO UPDATE
               SET woken_at = clock_timestamp(), due_at = least(known.due_at, clock_timestamp())
           )
           SELECT requested.* FROM dataset LEFT JOIN requested ON true
           WHERE (SELECT count(*) FROM locked_orders) >= 0"
    )
}

/// The first part of the statement: the requested packages, locked, and RESTORING from here on.
fn requested_sql(workspace: WorkspaceId, orderable: Orderable) -> String {
    let condition = match orderable {
        Orderable::Deleted => format!("p.state IN {RESTORABLE}"),
        Orderable::LiveFolders => format!("p.type = {COLLECTION} AND p.state NOT IN {NOT_LIVE}"),
    };
    format!(
        r#"WITH
           -- The caller's access is for both ids.
           dataset AS (
               SELECT id FROM "{workspace}".datasets WHERE id = $1 AND node_id = $2
           ),
           -- The requested packages, locked in the order of their ids. moved: they leave the trash now.
           requested AS (
               SELECT p.* FROM (
                   SELECT DISTINCT p.id FROM dataset CROSS JOIN unnest($3::text[]) AS named (node_id) CROSS JOIN LATERAL (
                       SELECT id FROM "{workspace}".packages p
                       WHERE p.node_id = named.node_id AND p.dataset_id = dataset.id OFFSET 0
                   ) p ORDER BY p.id
               ) named
               CROSS JOIN LATERAL (
                   SELECT {PACKAGE_COLUMNS}, p.state = {DELETED} AS moved FROM "{workspace}".packages p
                   WHERE p.id = named.id AND {condition} FOR NO KEY UPDATE
               ) p
           ),
           -- Out of the trash with the commit that records the order.
           moved_packages AS (
               UPDATE "{workspace}".packages p SET state = {RESTORING} FROM requested
               WHERE p.id = requested.id AND requested.moved
           )"#
    )
}

/// The second part: the claims of the requested packages are renewed, and their failures end. Other unfinished orders that
/// have counted the failures do not count them any more.
fn failures_sql() -> String {
    let counted_failures = counted_failures_sql("deleted_failures", "$4");
    format!(
        ",
           -- A claim from before gets a new claimed_at: a worker that has read it must not finish it.
           renewed_claims AS (
               UPDATE packages_service.restore_claims c
               SET is_ordered = true, attempts = 0, due_at = '-infinity', claimed_at = clock_timestamp()
               FROM requested WHERE c.workspace_id = $4 AND c.package_id = requested.id AND requested.moved
               RETURNING 1
           ),
           -- An ordered package has no failure until it fails again.
           deleted_failures AS (
               DELETE FROM packages_service.restore_failures
               WHERE workspace_id = $4 AND package_id IN (SELECT id FROM requested)
                 AND (SELECT count(*) FROM renewed_claims) >= 0
               RETURNING package_id, order_id, failed_at
           ),
           -- How many of them each order has counted.
           counted_failures AS (
               SELECT order_id, count(*) AS packages FROM ({counted_failures}) failure GROUP BY order_id
           ),
           -- Finished orders inside the requested ones.
           inner_orders AS (
               SELECT o.package_id AS id FROM requested CROSS JOIN LATERAL (
                   SELECT package_id FROM packages_service.restore_orders o
                   WHERE o.workspace_id = $4 AND o.within_id = requested.id AND o.finished_at IS NOT NULL OFFSET 0
               ) o
           ),
           -- All orders that this statement changes, locked in the order of their ids.
           locked_orders AS (
               SELECT o.package_id FROM (
                   SELECT id FROM requested UNION SELECT order_id FROM counted_failures UNION SELECT id FROM inner_orders
                   ORDER BY id
               ) changed
               CROSS JOIN LATERAL (
                   SELECT package_id FROM packages_service.restore_orders o
                   WHERE o.workspace_id = $4 AND o.package_id = changed.id FOR NO KEY UPDATE
               ) o
           ),
           -- Other orders only: the numbers of the requested ones change where they are written.
           recounted_orders AS (
               UPDATE packages_service.restore_orders o
               SET total = greatest(o.total - counted.packages, 0), failed = greatest(o.failed - counted.packages, 0)
               FROM counted_failures counted
               WHERE o.workspace_id = $4 AND o.package_id = counted.order_id
                 AND o.package_id NOT IN (SELECT id FROM requested) AND (SELECT count(*) FROM locked_orders) >= 0
           )"
    )
}

/// The third part: the orders. The numbers of an unfinished order continue; those of a finished one start at zero.
fn orders_sql() -> &'static str {
    ",
           -- claimed_at is null until a worker has claimed what the order holds.
           placed_orders AS (
               INSERT INTO packages_service.restore_orders AS known
                   (workspace_id, package_id, dataset_id, user_node_id, ordered_at, updated_at)
               SELECT $4, id, $1, $5, clock_timestamp(), clock_timestamp() FROM requested
               WHERE (SELECT count(*) FROM locked_orders) >= 0
               ON CONFLICT (workspace_id, package_id) DO UPDATE
               SET dataset_id = excluded.dataset_id, user_node_id = excluded.user_node_id,
                   ordered_at = excluded.ordered_at, updated_at = excluded.updated_at,
                   claimed_at = NULL, finished_at = NULL,
                   within_id = CASE WHEN known.finished_at IS NULL THEN known.within_id END,
                   begun_at = CASE WHEN known.finished_at IS NULL THEN known.begun_at ELSE excluded.ordered_at END,
                   total = CASE WHEN known.finished_at IS NULL THEN greatest(known.total - coalesce(
                               (SELECT packages FROM counted_failures WHERE order_id = known.package_id), 0), 0) ELSE 0 END,
                   restored = CASE WHEN known.finished_at IS NULL THEN known.restored ELSE 0 END,
                   failed = CASE WHEN known.finished_at IS NULL THEN greatest(known.failed - coalesce(
                               (SELECT packages FROM counted_failures WHERE order_id = known.package_id), 0), 0) ELSE 0 END,
                   bytes = CASE WHEN known.finished_at IS NULL THEN known.bytes ELSE 0 END
               RETURNING 1
           ),
           -- An order that begins anew does not count finished orders inside it any more.
           detached_orders AS (
               UPDATE packages_service.restore_orders inner_order SET within_id = NULL
               FROM requested
               JOIN packages_service.restore_orders known ON known.workspace_id = $4 AND known.package_id = requested.id
               WHERE (SELECT count(*) FROM locked_orders) >= 0 AND inner_order.workspace_id = $4 AND inner_order.within_id = requested.id AND known.finished_at IS NOT NULL
                 AND inner_order.finished_at IS NOT NULL AND inner_order.package_id NOT IN (SELECT id FROM requested)
           )"
}

/// Finds the live folders among these packages of the caller's dataset that have something in the trash beneath them, or
/// too many packages to search them all. One statement.
pub(crate) async fn list_live_folders(
    db: &Db,
    access: &DatasetAccess<CreateDeleteFiles>,
    packages: &[PackageNodeId],
) -> Result<Vec<PackageNodeId>, Error> {
    let node_ids: Vec<&str> = packages.iter().map(PackageNodeId::as_str).collect();
    let count = i64::try_from(packages.len()).unwrap_or(i64::MAX);
    let limit = MAX_SCANNED_DESCENDANTS / count.clamp(1, MAX_SCANNED_DESCENDANTS);
    let params: [Param<'_>; 4] = [
        (&access.dataset().0, Type::INT4),
        (&node_ids, Type::TEXT_ARRAY),
        (&&PackageState::NOT_LIVE[..], Type::TEXT_ARRAY),
        (&limit, Type::INT8),
    ];
    let rows = db.query(&list_live_folders_sql(access.workspace()), &params).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.extend(PackageNodeId::parse(row.try_get("node_id")?).ok());
    }
    Ok(found)
}

fn list_live_folders_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"SELECT requested.node_id
           FROM unnest($2::text[]) AS requested (node_id)
           CROSS JOIN LATERAL (
               SELECT p.id FROM "{workspace}".packages p
               WHERE p.node_id = requested.node_id AND p.dataset_id = $1 AND p.type = {COLLECTION} AND p.state <> ALL ($3)
               OFFSET 0
           ) folder
           CROSS JOIN LATERAL (
               WITH RECURSIVE
               -- The folder, which is live, and everything beneath it. UNION ends a cycle of parents.
               descendants AS (
                   SELECT folder.id, {READY}::text AS state
                   UNION
                   SELECT p.id, p.state FROM descendants CROSS JOIN LATERAL (
                       SELECT p.id, p.state::text FROM "{workspace}".packages p WHERE p.parent_id = descendants.id OFFSET 0
                   ) p
               )
               -- The limit ends the walk.
               SELECT count(*) AS scanned, count(*) FILTER (WHERE state IN {IN_TRASH}) AS deleted
               FROM (SELECT state FROM descendants LIMIT $4) scanned
           ) found
           WHERE found.deleted > 0 OR found.scanned = $4"#
    )
}

/// The node ids of the people who placed these orders, by order.
pub(crate) async fn list_order_users(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    orders: &[i32],
) -> Result<Vec<(PackageId, String)>, Error> {
    let sql = "SELECT package_id, user_node_id FROM packages_service.restore_orders
               WHERE workspace_id = $1 AND package_id = ANY ($2)";
    let rows = tx.query(sql, &[(&workspace.0, Type::INT4), (&orders, Type::INT4_ARRAY)]).await?;
    let read_user = |row: &Row| Ok((PackageId(row.try_get("package_id")?), row.try_get("user_node_id")?));
    rows.iter().map(read_user).collect()
}
