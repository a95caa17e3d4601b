//! What a restore changes: states, names, claims and orders. Every statement works on a batch, so their number does not
//! grow with it.

use std::time::SystemTime;

use tokio_postgres::{Row, types::Type};

use crate::db::packages::{COLUMNS, PackageRow, row};
use database::{Db, Error, Param, Transaction};
use packages::id::{PackageId, WorkspaceId};

/// Locks packages, in the order of their ids, and reads them as they are now.
pub(crate) async fn lock_packages(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    packages: &[i32],
) -> Result<Vec<PackageRow>, Error> {
    let sql = format!(
        r#"SELECT p.* FROM (SELECT unnest($1::int[]) AS id ORDER BY 1) locked CROSS JOIN LATERAL (
               SELECT {COLUMNS} FROM "{workspace}".packages p WHERE p.id = locked.id FOR NO KEY UPDATE
           ) p"#
    );
    read_rows(&tx.query(&sql, &[(&packages, Type::INT4_ARRAY)]).await?)
}

/// Which of these claims are still the same: neither finished by somebody else nor made anew since. Whoever makes one anew
/// has the package's lock, so this is a statement of its own, after [`lock_packages`]: it sees what was committed before.
pub(crate) async fn find_same_claims(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    claims: &[(PackageId, SystemTime)],
) -> Result<Vec<PackageId>, Error> {
    let sql = "SELECT c.package_id FROM unnest($2::int[], $3::timestamptz[]) AS known (id, claimed_at)
               CROSS JOIN LATERAL (
                   SELECT package_id FROM packages_service.restore_claims c
                   WHERE c.workspace_id = $1 AND c.package_id = known.id AND c.claimed_at = known.claimed_at OFFSET 0
               ) c";
    let (ids, claimed_at): (Vec<i32>, Vec<SystemTime>) = claims.iter().map(|(id, at)| (id.0, *at)).unzip();
    let params: [Param<'_>; 3] =
        [(&workspace.0, Type::INT4), (&ids, Type::INT4_ARRAY), (&claimed_at, Type::TIMESTAMPTZ_ARRAY)];
    tx.query(sql, &params).await?.iter().map(|row| Ok(PackageId(row.try_get(0)?))).collect()
}

fn read_rows(rows: &[Row]) -> Result<Vec<PackageRow>, Error> {
    rows.iter().filter_map(|r| row(r).transpose()).collect()
}

/// The `WITH` clause that finds out which of the names `$2` are free for the packages `$1`, as `free (id, name)`.
///
/// A name is free when no package in the same folder has it, in any state, and no earlier one of this very set asks for it.
/// Two look-ups, one in each of the two unique indexes on names.
fn with_free_names(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH asked AS (
               SELECT p.id, a.name, p.parent_id, p.dataset_id,
                      row_number() OVER (PARTITION BY p.dataset_id, p.parent_id, a.name ORDER BY p.id) AS turn
               FROM unnest($1::int[], $2::text[]) AS a (id, name)
               CROSS JOIN LATERAL (
                   SELECT id, parent_id, dataset_id FROM "{workspace}".packages p WHERE p.id = a.id OFFSET 0
               ) p
           ), free AS (
               SELECT a.id, a.name FROM asked a
               LEFT JOIN LATERAL (
                   SELECT q.id FROM "{workspace}".packages q
                   WHERE q.parent_id = a.parent_id AND q.dataset_id = a.dataset_id AND q.name = a.name AND q.id <> a.id
                   LIMIT 1
               ) in_folder ON true
               LEFT JOIN LATERAL (
                   SELECT q.id FROM "{workspace}".packages q
                   WHERE q.parent_id IS NULL AND a.parent_id IS NULL AND q.dataset_id = a.dataset_id
                     AND q.name = a.name AND q.id <> a.id
                   LIMIT 1
               ) at_top ON true
               WHERE a.turn = 1 AND in_folder.id IS NULL AND at_top.id IS NULL
           )"#
    )
}

/// Gives packages a name and makes them READY, where the name is free; answers those that it did that for. Whether a name is
/// free is only a look: the unique index decides, and an upload that came in between is a name clash. The packages are
/// locked by whoever calls.
pub(crate) async fn assign_names(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    packages: &[i32],
    names: &[&str],
) -> Result<Vec<(PackageId, String)>, Error> {
    let free = with_free_names(workspace);
    let sql = format!(
        r#"{free}
           UPDATE "{workspace}".packages p SET name = free.name, state = 'READY' FROM free
           WHERE p.id = free.id AND p.state IN ('RESTORING', 'DELETED')
           RETURNING p.id, p.name"#
    );
    let rows = tx.query(&sql, &[(&packages, Type::INT4_ARRAY), (&names, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(|row| Ok((PackageId(row.try_get(0)?), row.try_get(1)?))).collect()
}

/// Which of these names are free now. Nothing changes.
pub(crate) async fn find_free_names(
    db: &Db,
    workspace: WorkspaceId,
    packages: &[i32],
    names: &[&str],
) -> Result<Vec<(PackageId, String)>, Error> {
    let sql = format!("{} SELECT id, name FROM free", with_free_names(workspace));
    let rows = db.query(&sql, &[(&packages, Type::INT4_ARRAY), (&names, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(|row| Ok((PackageId(row.try_get(0)?), row.try_get(1)?))).collect()
}

/// What became of a batch, for [`close_claims`].
#[derive(Debug, Default)]
pub(crate) struct ClosedClaims<'a> {
    /// Packages whose claims end: those that came back, those that fail, and those that need nothing.
    pub(crate) ended: Vec<i32>,
    /// Packages that came back.
    pub(crate) restored: Vec<i32>,
    /// Packages that stay in the trash, the order that held them, and why.
    pub(crate) failed: Vec<(i32, i32, &'a str)>,
    /// Packages to be tried again after so many seconds.
    pub(crate) retried: Vec<(i32, f64)>,
    /// Packages that wait for a folder above that the platform is still deleting.
    pub(crate) blocked: Vec<i32>,
    /// What the orders gain, by order.
    pub(crate) progress: Vec<(i32, Gain)>,
}

/// What an order's numbers gain by a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gain {
    /// Packages that came back.
    pub(crate) restored: i64,
    /// Packages that did not.
    pub(crate) failed: i64,
    /// Bytes that came back.
    pub(crate) bytes: i64,
}

/// Ends claims, keeps the reasons of what stays in the trash, and counts both for the orders.
pub(crate) async fn close_claims(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    closed: &ClosedClaims<'_>,
) -> Result<(), Error> {
    let sql = format!(
        r#"WITH ended AS (
               DELETE FROM packages_service.restore_claims c USING unnest($2::int[]) AS ended (id)
               WHERE c.workspace_id = $1 AND c.package_id = ended.id
           ), forgotten AS (
               DELETE FROM packages_service.restore_failures f USING unnest($3::int[]) AS restored (id)
               WHERE f.workspace_id = $1 AND f.package_id = restored.id
           ), failed AS (
               SELECT * FROM unnest($4::int[], $5::int[], $6::text[]) AS failed (id, order_id, reason)
           ), released AS (
               UPDATE "{workspace}".packages p SET state = 'DELETED' FROM failed
               WHERE p.id = failed.id AND p.state = 'RESTORING'
           ), reasons AS (
               INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason, order_id)
               SELECT $1, id, reason, order_id FROM failed
               ON CONFLICT (workspace_id, package_id)
               DO UPDATE SET reason = excluded.reason, order_id = excluded.order_id, failed_at = now()
           ), retried AS (
               UPDATE packages_service.restore_claims c
               SET attempts = c.attempts + 1, due_at = clock_timestamp() + retried.seconds * interval '1 second'
               FROM unnest($7::int[], $8::float8[]) AS retried (id, seconds)
               WHERE c.workspace_id = $1 AND c.package_id = retried.id
           ), blocked AS (
               UPDATE packages_service.restore_claims c SET is_blocked = true FROM unnest($13::int[]) AS blocked (id)
               WHERE c.workspace_id = $1 AND c.package_id = blocked.id
           )
           UPDATE packages_service.restore_orders o
           SET restored = o.restored + gain.restored, failed = o.failed + gain.failed, bytes = o.bytes + gain.bytes,
               updated_at = clock_timestamp()
           FROM unnest($9::int[], $10::bigint[], $11::bigint[], $12::bigint[]) AS gain (id, restored, failed, bytes)
           WHERE o.workspace_id = $1 AND o.package_id = gain.id"#
    );
    let ids = |index: fn(&(i32, i32, &str)) -> i32| closed.failed.iter().map(index).collect::<Vec<i32>>();
    let (failed, failed_orders) = (ids(|failed| failed.0), ids(|failed| failed.1));
    let reasons: Vec<&str> = closed.failed.iter().map(|failed| failed.2).collect();
    let (retried, seconds): (Vec<i32>, Vec<f64>) = closed.retried.iter().copied().unzip();
    let orders: Vec<i32> = closed.progress.iter().map(|(order, _)| *order).collect();
    let gains =
        |index: fn(&Gain) -> i64| closed.progress.iter().map(|(_, gain)| index(gain)).collect::<Vec<_>>();
    let (restored, failures, bytes) =
        (gains(|gain| gain.restored), gains(|gain| gain.failed), gains(|gain| gain.bytes));
    let params: [Param<'_>; 13] = [
        (&workspace.0, Type::INT4),
        (&closed.ended, Type::INT4_ARRAY),
        (&closed.restored, Type::INT4_ARRAY),
        (&failed, Type::INT4_ARRAY),
        (&failed_orders, Type::INT4_ARRAY),
        (&reasons, Type::TEXT_ARRAY),
        (&retried, Type::INT4_ARRAY),
        (&seconds, Type::FLOAT8_ARRAY),
        (&orders, Type::INT4_ARRAY),
        (&restored, Type::INT8_ARRAY),
        (&failures, Type::INT8_ARRAY),
        (&bytes, Type::INT8_ARRAY),
        (&closed.blocked, Type::INT4_ARRAY),
    ];
    tx.query(&sql, &params).await.map(drop)
}
