//! Statements of the periodic maintenance.

use tokio_postgres::types::Type;

use crate::db::states::{DELETED, RESTORING};
use database::{Db, Error, Param};
use packages::id::WorkspaceId;

/// How many packages one statement reads.
const PAGE_SIZE: i64 = 20_000;

/// Queues every dataset that has unfinished orders or claims and is not in the queue. A former version of the service had
/// no queue.
pub(crate) async fn queue_unfinished_datasets(db: &Db) -> Result<(), Error> {
    let sql = "INSERT INTO packages_service.restore_queue (workspace_id, dataset_id)
               SELECT workspace_id, dataset_id FROM packages_service.restore_orders WHERE finished_at IS NULL
               UNION SELECT workspace_id, dataset_id FROM packages_service.restore_claims
               ON CONFLICT (workspace_id, dataset_id) DO NOTHING";
    db.query(sql, &[]).await.map(drop)
}

/// Deletes the orders that finished longer ago than this.
pub(crate) async fn delete_finished_orders(db: &Db, max_age_seconds: f64) -> Result<(), Error> {
    let sql = "DELETE FROM packages_service.restore_orders
               WHERE finished_at < clock_timestamp() - $1::float8 * interval '1 second'";
    db.query(sql, &[(&max_age_seconds, Type::FLOAT8)]).await.map(drop)
}

/// Deletes the failures of packages that no longer exist.
pub(crate) async fn delete_orphaned_failures(db: &Db, workspace: WorkspaceId) -> Result<(), Error> {
    let sql = format!(
        r#"DELETE FROM packages_service.restore_failures f
           WHERE f.workspace_id = $1 AND NOT EXISTS (SELECT 1 FROM "{workspace}".packages p WHERE p.id = f.package_id)"#
    );
    db.query(&sql, &[(&workspace.0, Type::INT4)]).await.map(drop)
}

/// What one page of [`release_strays`] contained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StrayPage {
    /// The id of the page's last package; `None`: the page is empty.
    pub(crate) last_id: Option<i32>,
    /// How many packages are in the trash again.
    pub(crate) released: u64,
}

/// Puts packages back into the trash, with the reason, that have been RESTORING for longer than this and that no order
/// holds. Reads one page of packages after the id `after`: the table has no index on states.
pub(crate) async fn release_strays(
    db: &Db,
    workspace: WorkspaceId,
    after: i32,
    reason: &str,
    max_age_seconds: f64,
) -> Result<StrayPage, Error> {
    let sql = release_strays_sql(workspace);
    let params: [Param<'_>; 4] = [
        (&workspace.0, Type::INT4),
        (&after, Type::INT4),
        (&reason, Type::TEXT),
        (&max_age_seconds, Type::FLOAT8),
    ];
    let Some(row) = db.query_opt(&sql, &params).await? else {
        return Ok(StrayPage { last_id: None, released: 0 });
    };
    let released: i64 = row.try_get("released")?;
    Ok(StrayPage { last_id: row.try_get("last_id")?, released: u64::try_from(released).unwrap_or_default() })
}

fn release_strays_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH
           -- A bounded number of packages: without a limit the statement would read the whole table.
           page AS (
               SELECT id, state, coalesce(updated_at, created_at) AS changed_at FROM "{workspace}".packages
               WHERE id > $2 ORDER BY id LIMIT {PAGE_SIZE}
           ),
           -- Packages that are RESTORING, and that neither a claim nor an unfinished order holds.
           strays AS (
               SELECT page.id FROM page
               WHERE page.state = {RESTORING}
                 -- The column has no time zone. The platform sets it by now(), so it is compared with that.
                 AND (page.changed_at IS NULL OR page.changed_at < now()::timestamp - $4::float8 * interval '1 second')
                 AND NOT EXISTS (SELECT 1 FROM packages_service.restore_claims c
                                 WHERE c.workspace_id = $1 AND c.package_id = page.id)
                 AND NOT EXISTS (SELECT 1 FROM packages_service.restore_orders o
                                 WHERE o.workspace_id = $1 AND o.package_id = page.id AND o.finished_at IS NULL)
           ),
           -- The state is checked again: it may have changed since the page was read.
           released AS (
               UPDATE "{workspace}".packages p SET state = {DELETED} FROM strays
               WHERE p.id = strays.id AND p.state = {RESTORING} RETURNING p.id
           ),
           -- Tells the package's owner why it is in the trash again.
           reasons AS (
               INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason)
               SELECT $1, id, $3 FROM released
               ON CONFLICT (workspace_id, package_id) DO UPDATE SET reason = excluded.reason, failed_at = now()
           )
           SELECT (SELECT max(id) FROM page) AS last_id, (SELECT count(*) FROM released) AS released"#
    )
}
