//! `packages_service.restore_claims`: which packages an order holds, in the order in which they come back.
//!
//! All walks through the tree use `LATERAL` look-ups with `OFFSET 0`: one index look-up for each package, whatever the
//! planner assumes about the tenant's shape. None has a limit on depth.

use std::time::SystemTime;

use tokio_postgres::{Row, types::Type};

use crate::db::packages::{PACKAGE_COLUMNS, PackageRow, read_package_row};
use crate::db::states::{DELETING, RESTORABLE};
use crate::reasons::{DELETING_TOO_LONG_REASON, STILL_DELETING_REASON};
use database::{Db, Error, Param};
use packages::id::{DatasetKey, PackageId, WorkspaceId};

/// Updates the claims on packages that the platform was still deleting. Those that it has deleted by now can be restored.
/// The others get a reason for now; after `max_age_seconds` their claims end, with another reason.
///
/// Locks: claims by package, failures, orders by id.
pub(crate) async fn unblock_claims(db: &Db, key: DatasetKey, max_age_seconds: f64) -> Result<(), Error> {
    let params: [Param<'_>; 5] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&STILL_DELETING_REASON, Type::TEXT),
        (&max_age_seconds, Type::FLOAT8),
        (&DELETING_TOO_LONG_REASON, Type::TEXT),
    ];
    db.query(&unblock_claims_sql(key.workspace), &params).await.map(drop)
}

fn unblock_claims_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH
           -- The blocked claims, locked, with the states that their packages have now.
           blocked AS (
               SELECT c.package_id, c.order_id, c.claimed_at, p.state
               FROM packages_service.restore_claims c
               LEFT JOIN LATERAL (
                   SELECT state FROM "{workspace}".packages p WHERE p.id = c.package_id OFFSET 0
               ) p ON true
               WHERE c.workspace_id = $1 AND c.dataset_id = $2 AND c.is_blocked
               ORDER BY c.package_id FOR NO KEY UPDATE OF c
           ),
           -- Those that have waited too long.
           expired AS (
               SELECT package_id, order_id FROM blocked
               WHERE state = {DELETING} AND claimed_at < clock_timestamp() - $4::float8 * interval '1 second'
           ),
           -- Ends the expired claims.
           ended_claims AS (
               DELETE FROM packages_service.restore_claims c USING expired
               WHERE c.workspace_id = $1 AND c.package_id = expired.package_id
           ),
           -- Their orders, locked in the order of their ids.
           locked_orders AS (
               SELECT o.package_id FROM (SELECT DISTINCT order_id FROM expired ORDER BY order_id) changed
               CROSS JOIN LATERAL (
                   SELECT package_id FROM packages_service.restore_orders o
                   WHERE o.workspace_id = $1 AND o.package_id = changed.order_id FOR NO KEY UPDATE
               ) o
           ),
           -- They count them as failures.
           updated_orders AS (
               UPDATE packages_service.restore_orders o SET failed = o.failed + n.packages
               FROM (SELECT order_id, count(*) AS packages FROM expired GROUP BY order_id) n
               WHERE o.workspace_id = $1 AND o.package_id = n.order_id AND (SELECT count(*) FROM locked_orders) >= 0
           ),
           -- A package that is not DELETING any more, or is gone, is decided on by its batch.
           unblocked AS (
               UPDATE packages_service.restore_claims c SET is_blocked = false FROM blocked
               WHERE c.workspace_id = $1 AND c.package_id = blocked.package_id AND blocked.state IS DISTINCT FROM {DELETING}
           )
           INSERT INTO packages_service.restore_failures AS known (workspace_id, package_id, reason, order_id)
           SELECT $1, package_id, CASE WHEN package_id IN (SELECT package_id FROM expired) THEN $5 ELSE $3 END, order_id
           FROM blocked WHERE state = {DELETING}
           ON CONFLICT (workspace_id, package_id)
           DO UPDATE SET reason = excluded.reason, order_id = excluded.order_id, failed_at = now()
           WHERE (known.reason, known.order_id) IS DISTINCT FROM (excluded.reason, excluded.order_id)"#
    )
}

/// A claim that is due.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The claimed package.
    pub(crate) id: PackageId,
    /// The ordered package.
    pub(crate) order: PackageId,
    /// Whether the claimed package was itself ordered.
    pub(crate) is_ordered: bool,
    /// Distinguishes this claim from a later one on the same package.
    pub(crate) claimed_at: SystemTime,
    /// Its place in the order in which packages come back.
    pub(crate) position: i64,
    /// Failed attempts.
    pub(crate) attempts: u32,
    /// The package as it is; `None`: it no longer exists.
    pub(crate) package: Option<PackageRow>,
}

impl Claim {
    /// Its place among the claims of its dataset.
    pub(crate) fn position(&self) -> ClaimPosition {
        ClaimPosition { position: self.position, package: self.id.0 }
    }
}

/// A claim's place in the order in which packages come back: by its position, then by its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClaimPosition {
    pub(crate) position: i64,
    pub(crate) package: i32,
}

/// The next claims of a dataset that are due, after this position, each folder before what is in it. Nothing is locked.
pub(crate) async fn list_next_claims(
    db: &Db,
    key: DatasetKey,
    after: ClaimPosition,
    limit: i64,
) -> Result<Vec<Claim>, Error> {
    let workspace = key.workspace;
    let sql = format!(
        r#"SELECT p.*, next.package_id, next.order_id, next.is_ordered, next.claimed_at, next.position, next.attempts
           FROM (
               SELECT package_id, order_id, is_ordered, claimed_at, attempts, position
               FROM packages_service.restore_claims
               WHERE workspace_id = $1 AND dataset_id = $2 AND order_id IS NOT NULL AND NOT is_blocked
                 AND (position, package_id) > ($4, $5) AND due_at <= clock_timestamp()
               ORDER BY position, package_id LIMIT $3
           ) next
           LEFT JOIN LATERAL (
               SELECT {PACKAGE_COLUMNS} FROM "{workspace}".packages p
               WHERE p.id = next.package_id AND p.dataset_id = $2 OFFSET 0
           ) p ON true
           ORDER BY next.position, next.package_id"#
    );
    let params: [Param<'_>; 5] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&limit, Type::INT8),
        (&after.position, Type::INT8),
        (&after.package, Type::INT4),
    ];
    db.query(&sql, &params).await?.iter().map(read_claim).collect()
}

fn read_claim(row: &Row) -> Result<Claim, Error> {
    Ok(Claim {
        package: read_package_row(row)?,
        id: PackageId(row.try_get("package_id")?),
        order: PackageId(row.try_get("order_id")?),
        is_ordered: row.try_get("is_ordered")?,
        claimed_at: row.try_get("claimed_at")?,
        position: row.try_get("position")?,
        attempts: u32::try_from(row.try_get::<_, i32>("attempts")?).unwrap_or_default(),
    })
}

/// A folder above packages that are to come back.
#[derive(Debug, Clone)]
pub(crate) struct Ancestor {
    /// The folder as it is.
    pub(crate) package: PackageRow,
    /// When it was claimed, if it is to come back with what is in it.
    pub(crate) claimed_at: Option<SystemTime>,
    /// The order that holds it, if one does.
    pub(crate) order: Option<PackageId>,
}

/// These folders and the folders above them, up to the first that is neither in the trash nor on its way back.
pub(crate) async fn list_ancestors(
    db: &Db,
    workspace: WorkspaceId,
    folders: &[i32],
) -> Result<Vec<Ancestor>, Error> {
    let sql = format!(
        r#"WITH RECURSIVE
           -- The folders first, then each parent of a deleted one. UNION ends a cycle of parents.
           ancestors AS (
               SELECT p.* FROM unnest($2::int[]) AS folder (id) CROSS JOIN LATERAL (
                   SELECT {PACKAGE_COLUMNS} FROM "{workspace}".packages p WHERE p.id = folder.id OFFSET 0
               ) p
               UNION
               SELECT p.* FROM ancestors CROSS JOIN LATERAL (
                   SELECT {PACKAGE_COLUMNS} FROM "{workspace}".packages p WHERE p.id = ancestors.parent_id OFFSET 0
               ) p
               WHERE ancestors.state IN {RESTORABLE}
           )
           SELECT ancestors.*, c.claimed_at, c.order_id FROM ancestors
           LEFT JOIN LATERAL (
               SELECT claimed_at, order_id FROM packages_service.restore_claims c
               WHERE c.workspace_id = $1 AND c.package_id = ancestors.id OFFSET 0
           ) c ON true"#
    );
    let rows = db.query(&sql, &[(&workspace.0, Type::INT4), (&folders, Type::INT4_ARRAY)]).await?;
    rows.iter().filter_map(|row| read_ancestor(row).transpose()).collect()
}

fn read_ancestor(row: &Row) -> Result<Option<Ancestor>, Error> {
    let Some(package) = read_package_row(row)? else { return Ok(None) };
    let order = row.try_get::<_, Option<i32>>("order_id")?.map(PackageId);
    Ok(Some(Ancestor { package, claimed_at: row.try_get("claimed_at")?, order }))
}
