//! What is looked through now and then.

use tokio_postgres::types::Type;

use database::{Db, Error, Param};
use packages::id::WorkspaceId;

/// Packages that are looked at in one statement.
const PAGE: i64 = 20_000;

/// Puts every dataset into the queue that has unfinished orders or claims and is not in it: those of a former version, which
/// knew no queue.
pub(crate) async fn queue_unfinished(db: &Db) -> Result<(), Error> {
    let sql = "INSERT INTO packages_service.restore_queue (workspace_id, dataset_id)
               SELECT workspace_id, dataset_id FROM packages_service.restore_orders WHERE finished_at IS NULL
               UNION SELECT workspace_id, dataset_id FROM packages_service.restore_claims
               ON CONFLICT (workspace_id, dataset_id) DO NOTHING";
    db.query(sql, &[]).await.map(drop)
}

/// Forgets orders that ended longer ago than this.
pub(crate) async fn forget_finished_orders(db: &Db, max_age_seconds: f64) -> Result<(), Error> {
    let sql = "DELETE FROM packages_service.restore_orders
               WHERE finished_at < clock_timestamp() - $1::float8 * interval '1 second'";
    db.query(sql, &[(&max_age_seconds, Type::FLOAT8)]).await.map(drop)
}

/// Forgets the failures of packages that no longer exist.
pub(crate) async fn forget_purged_failures(db: &Db, workspace: WorkspaceId) -> Result<(), Error> {
    let sql = format!(
        r#"DELETE FROM packages_service.restore_failures f
           WHERE f.workspace_id = $1 AND NOT EXISTS (SELECT 1 FROM "{workspace}".packages p WHERE p.id = f.package_id)"#
    );
    db.query(&sql, &[(&workspace.0, Type::INT4)]).await.map(drop)
}

/// What one look found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StrayPage {
    /// The last package that was looked at; `None` if there was none.
    pub(crate) last: Option<i32>,
    /// Packages that are in the trash again.
    pub(crate) released: u64,
}

/// Puts packages back into the trash that have been RESTORING for longer than this without an order that holds them, with
/// the reason. Looks at some thousand packages after `after`, in the order of their ids: the table has no index on states.
pub(crate) async fn release_strays(
    db: &Db,
    workspace: WorkspaceId,
    after: i32,
    reason: &str,
    max_age_seconds: f64,
) -> Result<StrayPage, Error> {
    let sql = format!(
        r#"WITH page AS (
               SELECT id, state, coalesce(updated_at, created_at) AS changed_at FROM "{workspace}".packages
               WHERE id > $2 ORDER BY id LIMIT {PAGE}
           ), stray AS (
               SELECT page.id FROM page
               WHERE page.state = 'RESTORING'
                 -- The column has no time zone: it is compared as the platform sets it, by now().
                 AND (page.changed_at IS NULL OR page.changed_at < now()::timestamp - $4::float8 * interval '1 second')
                 AND NOT EXISTS (SELECT 1 FROM packages_service.restore_claims c
                                 WHERE c.workspace_id = $1 AND c.package_id = page.id)
                 AND NOT EXISTS (SELECT 1 FROM packages_service.restore_orders o
                                 WHERE o.workspace_id = $1 AND o.package_id = page.id AND o.finished_at IS NULL)
           ), released AS (
               UPDATE "{workspace}".packages p SET state = 'DELETED' FROM stray
               WHERE p.id = stray.id AND p.state = 'RESTORING' RETURNING p.id
           ), reasons AS (
               INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason)
               SELECT $1, id, $3 FROM released
               ON CONFLICT (workspace_id, package_id) DO UPDATE SET reason = excluded.reason, failed_at = now()
           )
           SELECT (SELECT max(id) FROM page), (SELECT count(*) FROM released)"#
    );
    let params: [Param<'_>; 4] = [
        (&workspace.0, Type::INT4),
        (&after, Type::INT4),
        (&reason, Type::TEXT),
        (&max_age_seconds, Type::FLOAT8),
    ];
    let Some(row) = db.query_opt(&sql, &params).await? else {
        return Ok(StrayPage { last: None, released: 0 });
    };
    let released: i64 = row.try_get(1)?;
    Ok(StrayPage { last: row.try_get(0)?, released: u64::try_from(released).unwrap_or_default() })
}
