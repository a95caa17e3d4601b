//! What an order holds: the walk through the tree that finds it, and the claims that keep it.

use tokio_postgres::{Row, types::Type};

use crate::db::claims::counted_failures;
use database::{Error, Param, Transaction};
use packages::{
    id::{DatasetKey, PackageId, WorkspaceId},
    package::PackageState,
};

/// What became of an order when its packages were to be claimed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClaimedOrder {
    /// The ordered package.
    pub(crate) id: PackageId,
    /// Its state.
    pub(crate) state: PackageState,
    /// Whether the folders above it lead to the dataset's top; in a circle of parents they do not.
    pub(crate) has_top: bool,
}

/// The `WITH` clause that walks through the trees of the orders that have not been claimed for yet: `ordered`, those orders'
/// packages; `placed`, them and the folders above with their depths and the unfinished order of the nearest folder above;
/// `down`, what lies beneath.
///
/// Depths count from the dataset's top and are found on the way down from there, so a circle of parents is never entered:
/// a package has one parent, so a walk down from outside cannot reach one.
fn with_trees(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH RECURSIVE ordered AS (
               SELECT o.package_id AS id, o.ordered_at, p.parent_id, p.state, p.type
               FROM packages_service.restore_orders o
               CROSS JOIN LATERAL (
                   SELECT parent_id, state::text, type::text FROM "{workspace}".packages p
                   WHERE p.id = o.package_id AND p.dataset_id = $2 OFFSET 0
               ) p
               WHERE o.workspace_id = $1 AND o.dataset_id = $2 AND o.finished_at IS NULL AND o.claimed_at IS NULL
           ), up AS (
               -- The folders above. UNION over ids ends a circle.
               SELECT id, parent_id FROM ordered
               UNION
               SELECT p.id, p.parent_id FROM up CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p WHERE p.id = up.parent_id OFFSET 0
               ) p
           ), placed AS (
               -- Back from the top, now with depths. within_id: the unfinished order of the nearest folder above.
               SELECT id, 0 AS depth, NULL::int AS within_id FROM up WHERE parent_id IS NULL
               UNION ALL
               SELECT up.id, placed.depth + 1, coalesce(o.package_id, placed.within_id)
               FROM placed JOIN up ON up.parent_id = placed.id
               LEFT JOIN LATERAL (
                   SELECT package_id, dataset_id, finished_at FROM packages_service.restore_orders o
                   WHERE o.workspace_id = $1 AND o.package_id = placed.id OFFSET 0
               ) o ON o.dataset_id = $2 AND o.finished_at IS NULL
           ), started AS (
               -- A package that was deleted again since it was ordered is not RESTORING any more.
               SELECT ordered.id, ordered.state, ordered.type, placed.depth, placed.within_id
               FROM ordered JOIN placed USING (id)
               WHERE ordered.state = 'RESTORING' OR ordered.state <> ALL ($3)
           ), down AS (
               -- above_id: the nearest order above. Nobody can have asked for a package without a node id.
               SELECT id, within_id AS above_id, true AS is_ordered, depth, state, type, NULL::int AS parent_id
               FROM started
               UNION ALL
               SELECT p.id, CASE WHEN down.is_ordered THEN down.id ELSE down.above_id END, o.package_id IS NOT NULL,
                      down.depth + 1, p.state, p.type, down.id
               FROM down CROSS JOIN LATERAL (
                   SELECT id, node_id, state::text, type::text FROM "{workspace}".packages p
                   WHERE p.parent_id = down.id AND p.dataset_id = $2 OFFSET 0
               ) p
               -- Looked up by the key alone: with more conditions the planner would go through all open orders for every package,
               -- where it believes that there are few.
               LEFT JOIN LATERAL (
                   SELECT package_id, claimed_at, dataset_id, finished_at FROM packages_service.restore_orders o
                   WHERE p.state NOT IN ('UNAVAILABLE', 'DELETING', 'DELETED') AND o.workspace_id = $1 AND o.package_id = p.id
                   OFFSET 0
               ) o ON o.dataset_id = $2 AND o.finished_at IS NULL
               -- One whose order is not claimed for yet has a walk of its own.
               WHERE p.node_id LIKE 'N:%' AND (o.package_id IS NULL OR o.claimed_at IS NOT NULL)
           )"#
    )
}

/// Goes on with the clause: `positioned`, what is claimed, in the order in which it comes back; `claimed`, the claims that
/// are new or in other hands; `lost`, whose they were.
fn with_claims(workspace: WorkspaceId) -> String {
    format!(
        r#", positioned AS (
               -- Folders from the top down, then files as S3 lists them: neighbours there are asked for together. An ordered
               -- folder inside another one is held by the order around it, which counts it.
               SELECT down.id, down.is_ordered, down.state, down.type,
                      CASE WHEN down.is_ordered AND (down.type <> 'Collection' OR down.above_id IS NULL) THEN down.id
                           ELSE down.above_id END AS order_id,
                      row_number() OVER (ORDER BY CASE WHEN file.s3_key IS NULL OR parents.id IS NOT NULL THEN down.depth END
                                                      NULLS LAST,
                                                  file.s3_bucket COLLATE "C", file.s3_key COLLATE "C", down.id) AS position
               FROM down
               LEFT JOIN (SELECT DISTINCT parent_id AS id FROM down) parents ON parents.id = down.id
               LEFT JOIN LATERAL (
                   SELECT s3_bucket, s3_key FROM "{workspace}".files f
                   WHERE f.package_id = down.id AND down.type <> 'Collection' LIMIT 1
               ) file ON true
               WHERE down.state IN ('DELETING', 'DELETED', 'RESTORING')
           ), claimed AS (
               INSERT INTO packages_service.restore_claims AS known
                   (workspace_id, package_id, dataset_id, order_id, position, is_ordered, is_blocked)
               SELECT $1, id, $2, order_id, position, is_ordered, state = 'DELETING' FROM positioned
               ON CONFLICT (workspace_id, package_id) DO UPDATE
               SET order_id = excluded.order_id, position = excluded.position, is_ordered = excluded.is_ordered,
                   is_blocked = excluded.is_blocked
               WHERE known.order_id IS DISTINCT FROM excluded.order_id
               RETURNING package_id, order_id
           ), lost AS (
               -- What other orders held until now, where they counted it: a folder is not counted by its own order.
               SELECT known.order_id FROM positioned CROSS JOIN LATERAL (
                   SELECT order_id FROM packages_service.restore_claims c
                   WHERE c.workspace_id = $1 AND c.package_id = positioned.id
                     AND c.order_id <> positioned.order_id
                     AND (c.order_id <> positioned.id OR positioned.type <> 'Collection') OFFSET 0
               ) known
           )"#
    )
}

/// Goes on with the clause: `changed`, what that does to the numbers of orders, and around which each lies.
fn with_changes() -> String {
    let tried_again = counted_failures("failed", "$1");
    format!(
        ", failed AS (
               SELECT f.* FROM claimed CROSS JOIN LATERAL (
                   SELECT package_id, order_id, failed_at FROM packages_service.restore_failures f
                   WHERE f.workspace_id = $1 AND f.package_id = claimed.package_id OFFSET 0
               ) f
           ), tried_again AS (
               {tried_again}
           ), changes AS (
               -- A folder's order counts what lies beneath it, and not the folder.
               SELECT c.order_id AS id, 1 AS packages, 0 AS failed, NULL::int AS within_id
               FROM claimed c LEFT JOIN ordered folder ON folder.id = c.package_id AND folder.type = 'Collection'
                                                      AND c.package_id = c.order_id
               WHERE folder.id IS NULL
               UNION ALL
               SELECT order_id, -1, 0, NULL FROM lost
               UNION ALL
               SELECT order_id, -1, -1, NULL FROM tried_again
               UNION ALL
               SELECT id, 0, 0, above_id FROM down WHERE is_ordered
               UNION ALL
               SELECT id, 0, 0, NULL FROM ordered
           ), changed AS (
               SELECT id, sum(packages) AS packages, sum(failed) AS failed, max(within_id) AS within_id FROM changes GROUP BY id
           )"
    )
}

/// Claims what the orders of a dataset hold that have not been claimed for yet: each ordered package and all that lies in
/// the trash beneath it. A package belongs to the nearest ordered package above it, also when another order had it before.
/// One statement, whatever the size.
pub(crate) async fn claim_trees(tx: &Transaction<'_>, key: DatasetKey) -> Result<Vec<ClaimedOrder>, Error> {
    let (trees, claims, changes) = (with_trees(key.workspace), with_claims(key.workspace), with_changes());
    let sql = format!(
        "{trees}{claims}{changes}, updated AS (
               UPDATE packages_service.restore_orders o
               -- One that was ordered again since this began is walked again.
               SET claimed_at = CASE WHEN ordered.id IS NULL THEN o.claimed_at
                                     WHEN o.ordered_at = ordered.ordered_at THEN clock_timestamp() END,
                   updated_at = clock_timestamp(),
                   -- A former version, which may run beside this one, does not tell when it began to count.
                   total = greatest(o.total + changed.packages, 0), failed = greatest(o.failed + changed.failed, 0),
                   within_id = coalesce(changed.within_id, o.within_id)
               FROM changed LEFT JOIN ordered USING (id)
               WHERE o.workspace_id = $1 AND o.package_id = changed.id
           )
           SELECT ordered.id, ordered.state, placed.id IS NOT NULL FROM ordered LEFT JOIN placed ON placed.id = ordered.id"
    );
    let params: [Param<'_>; 3] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&&PackageState::NOT_LIVE[..], Type::TEXT_ARRAY),
    ];
    let order = |row: &Row| {
        let state = PackageState::from_column(row.try_get(1)?);
        Ok(ClaimedOrder { id: PackageId(row.try_get(0)?), state, has_top: row.try_get(2)? })
    };
    tx.query(&sql, &params).await?.iter().map(order).collect()
}

/// Claims the deleted folders above a dataset's claims, which come back with the first package beneath them.
pub(crate) async fn claim_ancestors(
    tx: &Transaction<'_>,
    key: DatasetKey,
    orders: &[i32],
) -> Result<(), Error> {
    let workspace = key.workspace;
    let sql = format!(
        r#"WITH RECURSIVE up AS (
               SELECT p.id, p.parent_id, true AS is_ordered FROM unnest($3::int[]) AS ordered (id)
               CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p WHERE p.id = ordered.id OFFSET 0
               ) p
               UNION
               SELECT p.id, p.parent_id, false FROM up CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.id = up.parent_id AND p.dataset_id = $2 AND p.type = 'Collection'
                     AND p.state IN ('DELETED', 'RESTORING') AND p.node_id LIKE 'N:%' OFFSET 0
               ) p
           )
           INSERT INTO packages_service.restore_claims (workspace_id, package_id, dataset_id, position)
           SELECT DISTINCT $1, id, $2, 0 FROM up WHERE NOT is_ordered
           ON CONFLICT (workspace_id, package_id) DO NOTHING"#
    );
    let params: [Param<'_>; 3] =
        [(&key.workspace.0, Type::INT4), (&key.dataset.0, Type::INT4), (&orders, Type::INT4_ARRAY)];
    tx.query(&sql, &params).await.map(drop)
}
