//! What a restore changes: states, names, claims and orders. Each statement works on a whole batch, so the number of
//! statements does not grow with it.

use std::time::SystemTime;

use tokio_postgres::{Row, types::Type};

use crate::db::packages::{PACKAGE_COLUMNS, PackageRow, read_package_row};
use crate::db::states::{READY, RESTORABLE};
use database::{Db, Error, Param, Transaction};
use packages::id::{PackageId, WorkspaceId};

/// Locks packages and reads them as they are now.
///
/// Locks: packages by id.
pub(crate) async fn lock_packages(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    packages: &[i32],
) -> Result<Vec<PackageRow>, Error> {
    let sql = format!(
        r#"SELECT p.* FROM (SELECT unnest($1::int[]) AS id ORDER BY 1) locked CROSS JOIN LATERAL (
               SELECT {PACKAGE_COLUMNS} FROM "{workspace}".packages p WHERE p.id = locked.id FOR NO KEY UPDATE
           ) p"#
    );
    let rows = tx.query(&sql, &[(&packages, Type::INT4_ARRAY)]).await?;
    rows.iter().filter_map(|row| read_package_row(row).transpose()).collect()
}

/// Which of these claims are unchanged: neither ended by another worker nor renewed by a new order.
///
/// Who renews a claim locks its package first. So this is a statement of its own after [`lock_packages`]: it sees what was
/// committed before the lock.
pub(crate) async fn list_unchanged_claims(
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
    let rows = tx.query(sql, &params).await?;
    rows.iter().map(|row| Ok(PackageId(row.try_get("package_id")?))).collect()
}

/// The `WITH` clause that finds which of the names `$2` are free for the packages `$1`, as `free (id, name)`.
///
/// A name is free when no package in the same folder has it, in any state, and no earlier package of this set requests it.
/// Two look-ups, one in each of the two unique indexes on names.
fn with_free_names_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH
           -- turn: 1 for the first package of this set that requests the name in its folder.
           requested AS (
               SELECT p.id, named.name, p.parent_id, p.dataset_id,
                      row_number() OVER (PARTITION BY p.dataset_id, p.parent_id, named.name ORDER BY p.id) AS turn
               FROM unnest($1::int[], $2::text[]) AS named (id, name)
               CROSS JOIN LATERAL (
                   SELECT id, parent_id, dataset_id FROM "{workspace}".packages p WHERE p.id = named.id OFFSET 0
               ) p
           ),
           -- Each look-up fits one of the two unique indexes: names in a folder, names at the dataset's top.
           free AS (
               SELECT r.id, r.name FROM requested r
               LEFT JOIN LATERAL (
                   SELECT q.id FROM "{workspace}".packages q
                   WHERE q.parent_id = r.parent_id AND q.dataset_id = r.dataset_id AND q.name = r.name AND q.id <> r.id
                   LIMIT 1
               ) in_folder ON true
               LEFT JOIN LATERAL (
                   SELECT q.id FROM "{workspace}".packages q
                   WHERE q.parent_id IS NULL AND r.parent_id IS NULL AND q.dataset_id = r.dataset_id
                     AND q.name = r.name AND q.id <> r.id
                   LIMIT 1
               ) at_top ON true
               WHERE r.turn = 1 AND in_folder.id IS NULL AND at_top.id IS NULL
           )"#
    )
}

/// Names packages and makes them READY, where the name is free. Returns the packages that got their name. The unique index
/// decides: if an upload takes the name in between, the statement fails with a name clash. The caller has locked the
/// packages.
pub(crate) async fn assign_names(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    packages: &[i32],
    names: &[&str],
) -> Result<Vec<(PackageId, String)>, Error> {
    let with_free_names = with_free_names_sql(workspace);
    let sql = format!(
        r#"{with_free_names}
           UPDATE "{workspace}".packages p SET name = free.name, state = {READY} FROM free
           WHERE p.id = free.id AND p.state IN {RESTORABLE}
           RETURNING p.id, p.name"#
    );
    let rows = tx.query(&sql, &[(&packages, Type::INT4_ARRAY), (&names, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(read_name).collect()
}

/// Which of these names are free now. Nothing changes.
pub(crate) async fn list_free_names(
    db: &Db,
    workspace: WorkspaceId,
    packages: &[i32],
    names: &[&str],
) -> Result<Vec<(PackageId, String)>, Error> {
    let sql = format!("{} SELECT id, name FROM free", with_free_names_sql(workspace));
    let rows = db.query(&sql, &[(&packages, Type::INT4_ARRAY), (&names, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(read_name).collect()
}

fn read_name(row: &Row) -> Result<(PackageId, String), Error> {
    Ok((PackageId(row.try_get("id")?), row.try_get("name")?))
}
