//! `packages_service.restore_orders`: how orders end.

use tokio_postgres::types::Type;

use crate::db::states::{DELETED, RESTORABLE, RESTORING};
use database::{Db, Error, Param, Transaction};
use packages::id::{DatasetKey, PackageId, WorkspaceId};

fn dataset_params(key: &DatasetKey) -> [Param<'_>; 2] {
    [(&key.workspace.0, Type::INT4), (&key.dataset.0, Type::INT4)]
}

/// Finishes the orders of a dataset that hold no claims any more. If no order holds any, the claims on the folders above
/// end too. Returns how many orders were finished.
///
/// Locks: claims, then orders by id.
pub(crate) async fn finish_orders(db: &Db, key: DatasetKey) -> Result<u64, Error> {
    let sql = "WITH RECURSIVE
               -- The unfinished orders.
               open_orders AS (
                   SELECT package_id, claimed_at, within_id FROM packages_service.restore_orders
                   WHERE workspace_id = $1 AND dataset_id = $2 AND finished_at IS NULL
               ),
               -- Those that are not done: they have no claims yet, they hold claims, or their package is claimed, as an
               -- ordered folder is by the order around it. An order does not end before those inside it.
               held_orders AS (
                   SELECT open.package_id, open.within_id FROM open_orders open
                   LEFT JOIN LATERAL (
                       SELECT true AS is_holding FROM packages_service.restore_claims c
                       -- IS TRUE keeps the planner from the index on datasets: it may hold more claims than it expects.
                       WHERE c.workspace_id = $1 AND c.order_id = open.package_id AND (c.dataset_id = $2) IS TRUE LIMIT 1
                   ) held_claim ON true
                   LEFT JOIN LATERAL (
                       SELECT true AS is_held FROM packages_service.restore_claims c
                       WHERE c.workspace_id = $1 AND c.package_id = open.package_id AND (c.dataset_id = $2) IS TRUE
                         AND c.order_id IS NOT NULL OFFSET 0
                   ) own_claim ON true
                   WHERE open.claimed_at IS NULL OR is_holding OR is_held
                   UNION
                   SELECT open.package_id, open.within_id
                   FROM held_orders JOIN open_orders open ON open.package_id = held_orders.within_id
               ),
               -- With no order left, nothing comes back beneath the claimed folders above.
               ended_claims AS (
                   DELETE FROM packages_service.restore_claims
                   WHERE workspace_id = $1 AND dataset_id = $2 AND order_id IS NULL
                     AND NOT EXISTS (SELECT 1 FROM held_orders)
                   RETURNING 1
               ),
               -- The orders that end, locked after the claims and in the order of their ids.
               locked_orders AS (
                   SELECT o.package_id FROM (
                       SELECT package_id FROM open_orders WHERE (SELECT count(*) FROM ended_claims) >= 0
                       EXCEPT SELECT package_id FROM held_orders ORDER BY package_id
                   ) ended
                   CROSS JOIN LATERAL (
                       SELECT package_id FROM packages_service.restore_orders o
                       WHERE o.workspace_id = $1 AND o.package_id = ended.package_id FOR NO KEY UPDATE
                   ) o
               )
               UPDATE packages_service.restore_orders o
               SET finished_at = clock_timestamp(), updated_at = clock_timestamp()
               FROM locked_orders ended
               WHERE o.workspace_id = $1 AND o.package_id = ended.package_id AND o.claimed_at IS NOT NULL
                 -- IS TRUE keeps the planner from the index of open orders: there may be more than it expects.
                 AND (o.finished_at IS NULL) IS TRUE
               RETURNING 1";
    Ok(db.query(sql, &dataset_params(&key)).await?.len() as u64)
}

/// Ends all unfinished orders of a dataset for one reason: what they hold stays in the trash, each package with the reason.
/// Returns how many packages that are.
///
/// Locks: packages by id, claims, failures, orders by id.
pub(crate) async fn give_up_orders(
    tx: &Transaction<'_>,
    key: DatasetKey,
    reason: &str,
) -> Result<u64, Error> {
    let params: [Param<'_>; 3] =
        [(&key.workspace.0, Type::INT4), (&key.dataset.0, Type::INT4), (&reason, Type::TEXT)];
    Ok(tx.query(&give_up_orders_sql(key.workspace), &params).await?.len() as u64)
}

fn give_up_orders_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH
           -- The ordered packages, and what the orders hold, each with its order.
           held AS (
               SELECT package_id, package_id AS order_id FROM packages_service.restore_orders
               WHERE workspace_id = $1 AND dataset_id = $2 AND finished_at IS NULL
               UNION
               SELECT package_id, order_id FROM packages_service.restore_claims
               WHERE workspace_id = $1 AND dataset_id = $2 AND order_id IS NOT NULL AND order_id <> package_id
           ),
           -- Packages are locked first and by id, as everywhere.
           locked AS (
               SELECT held.package_id, max(held.order_id) AS order_id
               FROM (SELECT * FROM held ORDER BY package_id) held
               CROSS JOIN LATERAL (
                   SELECT p.id FROM "{workspace}".packages p
                   WHERE p.id = held.package_id AND p.state IN {RESTORABLE} FOR NO KEY UPDATE
               ) p
               GROUP BY held.package_id
           ),
           -- Back into the trash.
           released AS (
               UPDATE "{workspace}".packages p SET state = {DELETED} FROM locked
               WHERE p.id = locked.package_id AND p.state = {RESTORING}
           ),
           -- Nothing is held any more, the folders above included.
           ended_claims AS (
               DELETE FROM packages_service.restore_claims
               WHERE workspace_id = $1 AND dataset_id = $2 AND (SELECT count(*) FROM locked) >= 0
               RETURNING 1
           ),
           -- Each package has the reason.
           reasons AS (
               INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason, order_id)
               SELECT $1, package_id, $3, order_id FROM locked WHERE (SELECT count(*) FROM ended_claims) >= 0
               ON CONFLICT (workspace_id, package_id)
               DO UPDATE SET reason = excluded.reason, order_id = excluded.order_id, failed_at = now()
               RETURNING 1
           ),
           -- The orders last, in the order of their ids.
           locked_orders AS (
               SELECT package_id FROM packages_service.restore_orders
               WHERE workspace_id = $1 AND dataset_id = $2 AND finished_at IS NULL AND (SELECT count(*) FROM reasons) >= 0
               ORDER BY package_id FOR NO KEY UPDATE
           ),
           -- What did not come back has failed.
           finished_orders AS (
               UPDATE packages_service.restore_orders o
               SET finished_at = clock_timestamp(), updated_at = clock_timestamp(), failed = greatest(o.total - o.restored, o.failed)
               FROM locked_orders WHERE o.workspace_id = $1 AND o.package_id = locked_orders.package_id
           )
           SELECT 1 FROM reasons"#
    )
}

/// Ends orders that cannot be carried out: their packages, if they are RESTORING, are in the trash again, with the reason.
///
/// Locks: failures, orders and packages. The caller has locked the orders; a package comes after its order here, because
/// [`claim_trees`](super::claim_trees::claim_trees) locks no package. If a person orders the same package meanwhile, Postgres
/// ends one of the two, which is repeated.
pub(crate) async fn fail_orders(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    failed: &[(PackageId, &str)],
) -> Result<(), Error> {
    let (ids, reasons): (Vec<i32>, Vec<&str>) = failed.iter().map(|(id, reason)| (id.0, *reason)).unzip();
    let params: [Param<'_>; 3] =
        [(&workspace.0, Type::INT4), (&ids, Type::INT4_ARRAY), (&reasons, Type::TEXT_ARRAY)];
    tx.query(&fail_orders_sql(workspace), &params).await.map(drop)
}

fn fail_orders_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH
           -- The orders without claims. Claims from before decide on themselves, and so on their order.
           failed AS (
               SELECT id, reason FROM unnest($2::int[], $3::text[]) AS failed (id, reason)
               LEFT JOIN LATERAL (
                   SELECT true AS is_holding FROM packages_service.restore_claims c
                   WHERE c.workspace_id = $1 AND c.order_id = failed.id LIMIT 1
               ) held_claim ON true
               LEFT JOIN LATERAL (
                   SELECT true AS is_held FROM packages_service.restore_claims c
                   WHERE c.workspace_id = $1 AND c.package_id = failed.id AND c.order_id IS NOT NULL OFFSET 0
               ) own_claim ON true
               WHERE is_holding IS NULL AND is_held IS NULL
           ),
           -- Back into the trash.
           released AS (
               UPDATE "{workspace}".packages p SET state = {DELETED} FROM failed
               WHERE p.id = failed.id AND p.state = {RESTORING}
           ),
           -- The ordered package is the one that failed.
           finished_orders AS (
               UPDATE packages_service.restore_orders o
               SET finished_at = clock_timestamp(), updated_at = clock_timestamp(), total = o.total + 1, failed = o.failed + 1
               FROM failed WHERE o.workspace_id = $1 AND o.package_id = failed.id
           )
           INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason, order_id)
           SELECT $1, id, reason, id FROM failed
           ON CONFLICT (workspace_id, package_id)
           DO UPDATE SET reason = excluded.reason, order_id = excluded.order_id, failed_at = now()"#
    )
}

/// Deletes the unfinished orders of a dataset whose packages no longer exist: there is nothing to restore.
///
/// Locks: orders by id.
pub(crate) async fn delete_orphaned_orders(tx: &Transaction<'_>, key: DatasetKey) -> Result<(), Error> {
    let workspace = key.workspace;
    let sql = format!(
        r#"WITH
           -- Looked up one by one: with many orders the planner would read all packages.
           orphaned AS MATERIALIZED (
               SELECT o.package_id FROM packages_service.restore_orders o
               LEFT JOIN LATERAL (
                   SELECT true AS is_there FROM "{workspace}".packages p
                   WHERE p.id = o.package_id AND p.dataset_id = $2 OFFSET 0
               ) p ON true
               WHERE o.workspace_id = $1 AND o.dataset_id = $2 AND o.finished_at IS NULL AND p.is_there IS NULL
               ORDER BY o.package_id
           )
           DELETE FROM packages_service.restore_orders o USING orphaned
           -- IS TRUE keeps the planner from the index of open orders.
           WHERE o.workspace_id = $1 AND o.package_id = orphaned.package_id AND (o.finished_at IS NULL) IS TRUE"#
    );
    tx.query(&sql, &dataset_params(&key)).await.map(drop)
}
