//! `packages_service.restore_claims`: which packages an order holds, in the order in which they come back.
//!
//! All walks through the tree go by `LATERAL` look-ups with `OFFSET 0`: one look into the index per package, whatever the
//! planner thinks of the tenant's shape. None has a limit on depth.

mod walk;

use std::time::SystemTime;

use tokio_postgres::{Row, types::Type};

pub(crate) use walk::{ClaimedOrder, claim_ancestors, claim_trees};

use crate::db::packages::{COLUMNS, PackageRow, row};
use database::{Db, Error, Param};
use packages::id::{DatasetKey, PackageId, WorkspaceId};

/// The orders that have counted a failure of `failures (package_id, order_id, failed_at)` which is to be counted anew, one
/// row a failure: unfinished orders whose numbers count since before it. What is claimed has a reason on record while it
/// waits, and is not counted yet. `workspace` is the parameter with the workspace.
pub(super) fn counted_failures(failures: &str, workspace: &str) -> String {
    format!(
        "SELECT failure.order_id FROM {failures} failure
               CROSS JOIN LATERAL (
                   SELECT begun_at, finished_at FROM packages_service.restore_orders o
                   WHERE o.workspace_id = {workspace} AND o.package_id = failure.order_id OFFSET 0
               ) o
               LEFT JOIN LATERAL (
                   SELECT order_id FROM packages_service.restore_claims c
                   WHERE c.workspace_id = {workspace} AND c.package_id = failure.package_id OFFSET 0
               ) claim ON true
               WHERE o.finished_at IS NULL AND o.begun_at <= failure.failed_at AND claim.order_id IS NULL"
    )
}

/// Looks at the claims on packages that the platform was still deleting: those that it has deleted by now can be restored.
/// What is still being deleted has `reason` on record until then; after `max_age_seconds` its claim ends with it.
pub(crate) async fn unblock(
    db: &Db,
    key: DatasetKey,
    reason: &str,
    max_age_seconds: f64,
) -> Result<(), Error> {
    let workspace = key.workspace;
    let sql = format!(
        r#"WITH blocked AS (
               SELECT c.package_id, c.order_id, c.claimed_at, p.state
               FROM packages_service.restore_claims c
               LEFT JOIN LATERAL (
                   SELECT state FROM "{workspace}".packages p WHERE p.id = c.package_id OFFSET 0
               ) p ON true
               WHERE c.workspace_id = $1 AND c.dataset_id = $2 AND c.is_blocked
           ), over AS (
               SELECT package_id, order_id FROM blocked
               WHERE state = 'DELETING' AND claimed_at < clock_timestamp() - $4::float8 * interval '1 second'
           ), ended AS (
               DELETE FROM packages_service.restore_claims c USING over
               WHERE c.workspace_id = $1 AND c.package_id = over.package_id
           ), counted AS (
               UPDATE packages_service.restore_orders o SET failed = o.failed + n.packages
               FROM (SELECT order_id, count(*) AS packages FROM over GROUP BY order_id) n
               WHERE o.workspace_id = $1 AND o.package_id = n.order_id
           ), freed AS (
               UPDATE packages_service.restore_claims c SET is_blocked = false FROM blocked
               WHERE c.workspace_id = $1 AND c.package_id = blocked.package_id AND blocked.state IS DISTINCT FROM 'DELETING'
           )
           INSERT INTO packages_service.restore_failures AS known (workspace_id, package_id, reason, order_id)
           SELECT $1, package_id, $3, order_id FROM blocked WHERE state = 'DELETING'
           ON CONFLICT (workspace_id, package_id)
           DO UPDATE SET reason = excluded.reason, order_id = excluded.order_id, failed_at = now()
           WHERE (known.reason, known.order_id) IS DISTINCT FROM (excluded.reason, excluded.order_id)"#
    );
    let params: [Param<'_>; 4] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&reason, Type::TEXT),
        (&max_age_seconds, Type::FLOAT8),
    ];
    db.query(&sql, &params).await.map(drop)
}

/// A claim whose turn has come.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The claimed package.
    pub(crate) id: PackageId,
    /// The ordered package.
    pub(crate) order: PackageId,
    /// Whether it was ordered itself.
    pub(crate) is_ordered: bool,
    /// Tells this claim from a later one on the same package.
    pub(crate) claimed_at: SystemTime,
    /// Its place in the order in which packages come back.
    pub(crate) position: i64,
    /// Failed attempts.
    pub(crate) attempts: u32,
    /// The package as it is; `None` if it no longer exists.
    pub(crate) package: Option<PackageRow>,
}

/// Where a claim stands in the order in which packages come back: its position, then its package.
pub(crate) type ClaimPosition = (i64, i32);

/// The next claims of a dataset that are due, after this position, folders before what lies in them. Nothing is locked.
pub(crate) async fn list_next(
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
               SELECT {COLUMNS} FROM "{workspace}".packages p WHERE p.id = next.package_id AND p.dataset_id = $2 OFFSET 0
           ) p ON true
           ORDER BY next.position, next.package_id"#
    );
    let params: [Param<'_>; 5] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&limit, Type::INT8),
        (&after.0, Type::INT8),
        (&after.1, Type::INT4),
    ];
    db.query(&sql, &params).await?.iter().map(claim).collect()
}

fn claim(r: &Row) -> Result<Claim, Error> {
    Ok(Claim {
        package: row(r)?,
        id: PackageId(r.try_get("package_id")?),
        order: PackageId(r.try_get("order_id")?),
        is_ordered: r.try_get("is_ordered")?,
        claimed_at: r.try_get("claimed_at")?,
        position: r.try_get("position")?,
        attempts: u32::try_from(r.try_get::<_, i32>("attempts")?).unwrap_or_default(),
    })
}

/// A folder above packages that are to come back.
#[derive(Debug, Clone)]
pub(crate) struct Ancestor {
    /// The folder as it is.
    pub(crate) package: PackageRow,
    /// Its claim, if it is to come back with what lies in it.
    pub(crate) claimed_at: Option<SystemTime>,
    /// The order that holds it for itself.
    pub(crate) order: Option<PackageId>,
}

/// These folders and those above them, up to the first that is neither in the trash nor on its way back.
pub(crate) async fn list_ancestors(
    db: &Db,
    workspace: WorkspaceId,
    folders: &[i32],
) -> Result<Vec<Ancestor>, Error> {
    let sql = format!(
        r#"WITH RECURSIVE up AS (
               SELECT p.* FROM unnest($2::int[]) AS folder (id) CROSS JOIN LATERAL (
                   SELECT {COLUMNS} FROM "{workspace}".packages p WHERE p.id = folder.id OFFSET 0
               ) p
               UNION
               SELECT p.* FROM up CROSS JOIN LATERAL (
                   SELECT {COLUMNS} FROM "{workspace}".packages p WHERE p.id = up.parent_id OFFSET 0
               ) p
               WHERE up.state IN ('DELETED', 'RESTORING')
           )
           SELECT up.*, c.claimed_at, c.order_id FROM up
           LEFT JOIN LATERAL (
               SELECT claimed_at, order_id FROM packages_service.restore_claims c
               WHERE c.workspace_id = $1 AND c.package_id = up.id OFFSET 0
           ) c ON true"#
    );
    let rows = db.query(&sql, &[(&workspace.0, Type::INT4), (&folders, Type::INT4_ARRAY)]).await?;
    let mut ancestors = Vec::with_capacity(rows.len());
    for r in &rows {
        if let Some(package) = row(r)? {
            let order = r.try_get::<_, Option<i32>>("order_id")?.map(PackageId);
            ancestors.push(Ancestor { package, claimed_at: r.try_get("claimed_at")?, order });
        }
    }
    Ok(ancestors)
}
