//! What a finished batch changes in claims, failures and orders.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use crate::db::states::{DELETED, RESTORING};
use database::{Error, Param, Transaction};
use packages::id::WorkspaceId;

/// The changes of a batch, for [`update_claims`]. Packages and orders by their ids.
#[derive(Debug, Default)]
pub(crate) struct ClaimUpdates<'a> {
    /// Packages whose claims end: restored ones, failed ones, and those that need nothing.
    pub(crate) ended: Vec<i32>,
    /// Packages that came back.
    pub(crate) restored: Vec<i32>,
    /// Packages that stay in the trash.
    pub(crate) failed: Vec<FailedClaim<'a>>,
    /// Packages that are tried again.
    pub(crate) retried: Vec<RetriedClaim>,
    /// Packages in a folder that the platform is still deleting.
    pub(crate) blocked: Vec<i32>,
    /// How the numbers of each order change.
    pub(crate) orders: BTreeMap<i32, OrderChange>,
}

/// A package that stays in the trash.
#[derive(Debug)]
pub(crate) struct FailedClaim<'a> {
    pub(crate) package: i32,
    pub(crate) order: i32,
    pub(crate) reason: &'a str,
}

/// A package that is tried again after this time.
#[derive(Debug)]
pub(crate) struct RetriedClaim {
    pub(crate) package: i32,
    pub(crate) delay_seconds: f64,
}

/// How an order's numbers change with a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OrderChange {
    /// Packages that came back.
    pub(crate) restored: i64,
    /// Packages that did not.
    pub(crate) failed: i64,
    /// Bytes that came back.
    pub(crate) bytes: i64,
}

/// Ends claims, records why packages stay in the trash, and adds both to the orders' numbers. The caller has locked the
/// packages.
///
/// Locks: claims, failures, orders by id.
pub(crate) async fn update_claims(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    updates: &ClaimUpdates<'_>,
) -> Result<(), Error> {
    let failed: Vec<i32> = updates.failed.iter().map(|claim| claim.package).collect();
    let failed_orders: Vec<i32> = updates.failed.iter().map(|claim| claim.order).collect();
    let reasons: Vec<&str> = updates.failed.iter().map(|claim| claim.reason).collect();
    let retried: Vec<i32> = updates.retried.iter().map(|claim| claim.package).collect();
    let delays: Vec<f64> = updates.retried.iter().map(|claim| claim.delay_seconds).collect();
    let orders: Vec<i32> = updates.orders.keys().copied().collect();
    let changes = |number: fn(&OrderChange) -> i64| updates.orders.values().map(number).collect::<Vec<_>>();
    let (restored, failures, bytes) =
        (changes(|change| change.restored), changes(|change| change.failed), changes(|change| change.bytes));
    let params: [Param<'_>; 13] = [
        (&workspace.0, Type::INT4),
        (&updates.ended, Type::INT4_ARRAY),
        (&updates.restored, Type::INT4_ARRAY),
        (&failed, Type::INT4_ARRAY),
        (&failed_orders, Type::INT4_ARRAY),
        (&reasons, Type::TEXT_ARRAY),
        (&retried, Type::INT4_ARRAY),
        (&delays, Type::FLOAT8_ARRAY),
        (&orders, Type::INT4_ARRAY),
        (&restored, Type::INT8_ARRAY),
        (&failures, Type::INT8_ARRAY),
        (&bytes, Type::INT8_ARRAY),
        (&updates.blocked, Type::INT4_ARRAY),
    ];
    tx.query(&update_claims_sql(workspace), &params).await.map(drop)
}

/// The first part of the statement: the claims.
fn changed_claims_sql() -> &'static str {
    "-- A claim ends in the transaction that decides on its package.
           ended_claims AS (
               DELETE FROM packages_service.restore_claims c USING unnest($2::int[]) AS ended (id)
               WHERE c.workspace_id = $1 AND c.package_id = ended.id
               RETURNING 1
           ),
           -- Tried again later.
           retried AS (
               UPDATE packages_service.restore_claims c
               SET attempts = c.attempts + 1, due_at = clock_timestamp() + retried.seconds * interval '1 second'
               FROM unnest($7::int[], $8::float8[]) AS retried (id, seconds)
               WHERE c.workspace_id = $1 AND c.package_id = retried.id
               RETURNING 1
           ),
           -- Not due until the platform has deleted the folder above.
           blocked AS (
               UPDATE packages_service.restore_claims c SET is_blocked = true FROM unnest($13::int[]) AS blocked (id)
               WHERE c.workspace_id = $1 AND c.package_id = blocked.id
               RETURNING 1
           ),
           -- Claims come before failures.
           changed_claims AS (
               SELECT 1 FROM ended_claims UNION ALL SELECT 1 FROM retried UNION ALL SELECT 1 FROM blocked
           ),"
}

fn update_claims_sql(workspace: WorkspaceId) -> String {
    let claims = changed_claims_sql();
    format!(
        r#"WITH
           {claims}
           -- What came back has no failure any more.
           deleted_failures AS (
               DELETE FROM packages_service.restore_failures f USING unnest($3::int[]) AS restored (id)
               WHERE f.workspace_id = $1 AND f.package_id = restored.id AND (SELECT count(*) FROM changed_claims) >= 0
               RETURNING 1
           ),
           -- The packages that stay in the trash, for the next two.
           failed AS (
               SELECT * FROM unnest($4::int[], $5::int[], $6::text[]) AS failed (id, order_id, reason)
           ),
           -- An ordered package was RESTORING until now.
           released AS (
               UPDATE "{workspace}".packages p SET state = {DELETED} FROM failed
               WHERE p.id = failed.id AND p.state = {RESTORING}
           ),
           -- Tells the packages' owner why.
           reasons AS (
               INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason, order_id)
               SELECT $1, id, reason, order_id FROM failed WHERE (SELECT count(*) FROM deleted_failures) >= 0
               ON CONFLICT (workspace_id, package_id)
               DO UPDATE SET reason = excluded.reason, order_id = excluded.order_id, failed_at = now()
               RETURNING 1
           ),
           -- The orders last, in the order of their ids.
           locked_orders AS (
               SELECT o.package_id FROM (
                   SELECT unnest($9::int[]) AS id WHERE (SELECT count(*) FROM reasons) >= 0 ORDER BY id
               ) changed
               CROSS JOIN LATERAL (
                   SELECT package_id FROM packages_service.restore_orders o
                   WHERE o.workspace_id = $1 AND o.package_id = changed.id FOR NO KEY UPDATE
               ) o
           )
           UPDATE packages_service.restore_orders o
           SET restored = o.restored + change.restored, failed = o.failed + change.failed, bytes = o.bytes + change.bytes,
               updated_at = clock_timestamp()
           FROM unnest($9::int[], $10::bigint[], $11::bigint[], $12::bigint[]) AS change (id, restored, failed, bytes)
           WHERE o.workspace_id = $1 AND o.package_id = change.id AND (SELECT count(*) FROM locked_orders) >= 0"#
    )
}
