//! What an order holds: the walk through the tree that finds it, and the claims that record it.

use tokio_postgres::{Row, types::Type};

use crate::db::failures::counted_failures_sql;
use crate::db::states::{COLLECTION, DELETING, IN_TRASH, NOT_LIVE, RESTORABLE, RESTORING};
use database::{Error, Param, Transaction};
use packages::{
    id::{DatasetKey, PackageId, WorkspaceId},
    package::PackageState,
};

/// An order whose packages were to be claimed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClaimedOrder {
    /// The ordered package.
    pub(crate) id: PackageId,
    /// Its state.
    pub(crate) state: PackageState,
    /// Whether the folders above it lead to the dataset's top. In a cycle of parents they do not.
    pub(crate) has_root: bool,
}

/// The first part of the `WITH` clause of [`claim_trees`]: from the orders that have no claims yet to the top of the
/// dataset, and back down with depths.
///
/// Depths count from the dataset's top and are found on the way down. So a cycle of parents is never entered: a package has
/// one parent, and a walk down from outside cannot reach a cycle.
fn ancestors_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH RECURSIVE
           -- The packages of the orders that have no claims yet.
           ordered_packages AS (
               SELECT o.package_id AS id, o.ordered_at, p.parent_id, p.state, p.type
               FROM packages_service.restore_orders o
               CROSS JOIN LATERAL (
                   SELECT parent_id, state::text, type::text FROM "{workspace}".packages p
                   WHERE p.id = o.package_id AND p.dataset_id = $2 OFFSET 0
               ) p
               WHERE o.workspace_id = $1 AND o.dataset_id = $2 AND o.finished_at IS NULL AND o.claimed_at IS NULL
           ),
           -- They and the folders above. UNION ends a cycle of parents.
           ancestors AS (
               SELECT id, parent_id FROM ordered_packages
               UNION
               SELECT p.id, p.parent_id FROM ancestors CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p WHERE p.id = ancestors.parent_id OFFSET 0
               ) p
           ),
           -- Back from the top, with depths. within_id: the unfinished order of the nearest folder above.
           with_depth AS (
               SELECT id, 0 AS depth, NULL::int AS within_id FROM ancestors WHERE parent_id IS NULL
               UNION ALL
               SELECT ancestors.id, with_depth.depth + 1, coalesce(o.package_id, with_depth.within_id)
               FROM with_depth JOIN ancestors ON ancestors.parent_id = with_depth.id
               LEFT JOIN LATERAL (
                   SELECT package_id, dataset_id, finished_at FROM packages_service.restore_orders o
                   WHERE o.workspace_id = $1 AND o.package_id = with_depth.id OFFSET 0
               ) o ON o.dataset_id = $2 AND o.finished_at IS NULL
           )"#
    )
}

/// The second part: everything beneath the ordered packages.
fn descendants_sql(workspace: WorkspaceId) -> String {
    format!(
        r#",
           -- The ordered packages to walk down from. One that was deleted again since its order is not RESTORING any more.
           roots AS (
               SELECT ordered.id, ordered.state, ordered.type, with_depth.depth, with_depth.within_id
               FROM ordered_packages ordered JOIN with_depth USING (id)
               WHERE ordered.state = {RESTORING} OR ordered.state <> ALL ($3)
           ),
           -- They and everything beneath. outer_order_id: the nearest order above. A package without a node id cannot be ordered.
           descendants AS (
               SELECT id, within_id AS outer_order_id, true AS is_ordered, depth, state, type, NULL::int AS parent_id
               FROM roots
               UNION ALL
               SELECT p.id, CASE WHEN parent.is_ordered THEN parent.id ELSE parent.outer_order_id END, o.package_id IS NOT NULL,
                      parent.depth + 1, p.state, p.type, parent.id
               FROM descendants parent CROSS JOIN LATERAL (
                   SELECT id, node_id, state::text, type::text FROM "{workspace}".packages p
                   WHERE p.parent_id = parent.id AND p.dataset_id = $2 OFFSET 0
               ) p
               -- Looked up by the key alone. With more conditions, and where it expects few open orders, the planner would
               -- read all open orders for every package.
               LEFT JOIN LATERAL (
                   SELECT package_id, claimed_at, dataset_id, finished_at FROM packages_service.restore_orders o
                   WHERE (p.state = {RESTORING} OR p.state NOT IN {NOT_LIVE})
                     AND o.workspace_id = $1 AND o.package_id = p.id
                   OFFSET 0
               ) o ON o.dataset_id = $2 AND o.finished_at IS NULL
               -- An order that has no claims yet is a root of its own.
               WHERE p.node_id LIKE 'N:%' AND (o.package_id IS NULL OR o.claimed_at IS NOT NULL)
           )"#
    )
}

/// The third part: the claims, and which orders held them before.
fn claims_sql(workspace: WorkspaceId) -> String {
    format!(
        r#",
           -- What is claimed, in the order in which it comes back: folders from the top down, then files as S3 lists them,
           -- so that neighbours there are requested together. An ordered folder inside another one is held by the order
           -- around it, which counts it.
           positioned AS (
               SELECT d.id, d.is_ordered, d.state, d.type,
                      CASE WHEN d.is_ordered AND (d.type <> {COLLECTION} OR d.outer_order_id IS NULL) THEN d.id
                           ELSE d.outer_order_id END AS order_id,
                      row_number() OVER (ORDER BY CASE WHEN file.s3_key IS NULL OR parents.id IS NOT NULL THEN d.depth END
                                                      NULLS LAST,
                                                  file.s3_bucket COLLATE "C", file.s3_key COLLATE "C", d.id) AS position
               FROM descendants d
               LEFT JOIN (SELECT DISTINCT parent_id AS id FROM descendants) parents ON parents.id = d.id
               LEFT JOIN LATERAL (
                   SELECT s3_bucket, s3_key FROM "{workspace}".files f
                   WHERE f.package_id = d.id AND d.type <> {COLLECTION} LIMIT 1
               ) file ON true
               WHERE d.state IN {IN_TRASH}
           ),
           -- The claims that are new, or that another order held until now. Locked in the order of the packages' ids, as
           -- everywhere.
           changed_claims AS (
               INSERT INTO packages_service.restore_claims AS known
                   (workspace_id, package_id, dataset_id, order_id, position, is_ordered, is_blocked)
               SELECT $1, id, $2, order_id, position, is_ordered, state = {DELETING} FROM positioned ORDER BY id
               ON CONFLICT (workspace_id, package_id) DO UPDATE
               SET order_id = excluded.order_id, position = excluded.position, is_ordered = excluded.is_ordered,
                   is_blocked = excluded.is_blocked
               WHERE known.order_id IS DISTINCT FROM excluded.order_id
               RETURNING package_id, order_id
           ),
           -- The orders that held them and counted them until now. A folder is not counted by its own order.
           former_orders AS (
               SELECT known.order_id FROM positioned CROSS JOIN LATERAL (
                   SELECT order_id FROM packages_service.restore_claims c
                   WHERE c.workspace_id = $1 AND c.package_id = positioned.id
                     AND c.order_id <> positioned.order_id
                     AND (c.order_id <> positioned.id OR positioned.type <> {COLLECTION}) OFFSET 0
               ) known
           )"#
    )
}

/// The fourth part: how the numbers of orders change, and which order is around which.
fn order_changes_sql() -> String {
    let counted_failures = counted_failures_sql("known_failures", "$1");
    format!(
        ",
           -- The failures of what is claimed now.
           known_failures AS (
               SELECT f.* FROM changed_claims c CROSS JOIN LATERAL (
                   SELECT package_id, order_id, failed_at FROM packages_service.restore_failures f
                   WHERE f.workspace_id = $1 AND f.package_id = c.package_id OFFSET 0
               ) f
           ),
           -- The orders that have counted them: what is tried again is not a failure of theirs any more.
           counted_failures AS (
               {counted_failures}
           ),
           -- One row for each change. A folder's order counts what is beneath the folder, and not the folder.
           changes AS (
               SELECT c.order_id AS id, 1 AS packages, 0 AS failed, NULL::int AS within_id
               FROM changed_claims c
               LEFT JOIN ordered_packages folder ON folder.id = c.package_id AND folder.type = {COLLECTION}
                                                AND c.package_id = c.order_id
               WHERE folder.id IS NULL
               UNION ALL
               SELECT order_id, -1, 0, NULL FROM former_orders
               UNION ALL
               SELECT order_id, -1, -1, NULL FROM counted_failures
               UNION ALL
               SELECT id, 0, 0, outer_order_id FROM descendants WHERE is_ordered
               UNION ALL
               SELECT id, 0, 0, NULL FROM ordered_packages
           ),
           -- One row for each order.
           order_changes AS (
               SELECT id, sum(packages) AS packages, sum(failed) AS failed, max(within_id) AS within_id
               FROM changes GROUP BY id
           )"
    )
}

/// The whole statement of [`claim_trees`].
fn claim_trees_sql(workspace: WorkspaceId) -> String {
    let (ancestors, descendants) = (ancestors_sql(workspace), descendants_sql(workspace));
    let (claims, order_changes) = (claims_sql(workspace), order_changes_sql());
    format!(
        "{ancestors}{descendants}{claims}{order_changes},
           -- The orders that change, locked after the claims and in the order of their ids.
           locked_orders AS (
               SELECT o.package_id FROM (SELECT id FROM order_changes ORDER BY id) change
               CROSS JOIN LATERAL (
                   SELECT package_id FROM packages_service.restore_orders o
                   WHERE o.workspace_id = $1 AND o.package_id = change.id FOR NO KEY UPDATE
               ) o
           ),
           -- From here on the orders have their claims, their numbers and the order around them.
           updated_orders AS (
               UPDATE packages_service.restore_orders o
               -- An order that was placed again since this began is walked again.
               SET claimed_at = CASE WHEN ordered.id IS NULL THEN o.claimed_at
                                     WHEN o.ordered_at = ordered.ordered_at THEN clock_timestamp() END,
                   updated_at = clock_timestamp(),
                   -- Never below zero: a former version of the service, which may run beside this one, does not record
                   -- since when it counts.
                   total = greatest(o.total + change.packages, 0), failed = greatest(o.failed + change.failed, 0),
                   within_id = coalesce(change.within_id, o.within_id)
               FROM order_changes change LEFT JOIN ordered_packages ordered USING (id)
               WHERE o.workspace_id = $1 AND o.package_id = change.id AND (SELECT count(*) FROM locked_orders) >= 0
           )
           SELECT ordered.id, ordered.state, with_depth.id IS NOT NULL AS has_root
           FROM ordered_packages ordered LEFT JOIN with_depth ON with_depth.id = ordered.id"
    )
}

/// Claims what the orders of a dataset hold that have no claims yet: each ordered package and everything in the trash
/// beneath it. A package belongs to the nearest ordered package above it, also if another order held it before. One
/// statement, whatever the size.
///
/// Locks: claims by package, then orders by id. No package is locked.
pub(crate) async fn claim_trees(tx: &Transaction<'_>, key: DatasetKey) -> Result<Vec<ClaimedOrder>, Error> {
    let params: [Param<'_>; 3] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&&PackageState::NOT_LIVE[..], Type::TEXT_ARRAY),
    ];
    tx.query(&claim_trees_sql(key.workspace), &params).await?.iter().map(read_order).collect()
}

fn read_order(row: &Row) -> Result<ClaimedOrder, Error> {
    let state = PackageState::from_column(row.try_get("state")?);
    Ok(ClaimedOrder { id: PackageId(row.try_get("id")?), state, has_root: row.try_get("has_root")? })
}

/// Claims the deleted folders above these orders' packages. They come back with the first package beneath them. No row is
/// updated, so this may come after the orders were locked.
pub(crate) async fn claim_ancestors(
    tx: &Transaction<'_>,
    key: DatasetKey,
    orders: &[i32],
) -> Result<(), Error> {
    let workspace = key.workspace;
    let sql = format!(
        r#"WITH RECURSIVE
           -- The ordered packages, then each deleted folder above. UNION ends a cycle of parents.
           ancestors AS (
               SELECT p.id, p.parent_id, true AS is_ordered FROM unnest($3::int[]) AS ordered (id)
               CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p WHERE p.id = ordered.id OFFSET 0
               ) p
               UNION
               SELECT p.id, p.parent_id, false FROM ancestors CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.id = ancestors.parent_id AND p.dataset_id = $2 AND p.type = {COLLECTION}
                     AND p.state IN {RESTORABLE} AND p.node_id LIKE 'N:%' OFFSET 0
               ) p
           )
           INSERT INTO packages_service.restore_claims (workspace_id, package_id, dataset_id, position)
           SELECT DISTINCT $1, id, $2, 0 FROM ancestors WHERE NOT is_ordered
           ON CONFLICT (workspace_id, package_id) DO NOTHING"#
    );
    let params: [Param<'_>; 3] =
        [(&key.workspace.0, Type::INT4), (&key.dataset.0, Type::INT4), (&orders, Type::INT4_ARRAY)];
    tx.query(&sql, &params).await.map(drop)
}
