//! `packages_service.restore_outbox`: what others are to be told of restored packages, until they have been.

use std::time::Duration;

use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use database::{Db, Error, Param, Transaction};
use packages::id::WorkspaceId;

/// One thing to tell.
#[derive(Debug, Clone)]
pub(crate) struct OutboxEntry {
    /// Tells it from all others, however often it is delivered.
    pub(crate) id: Uuid,
    /// A message for the changelog, in JSON.
    pub(crate) message: Option<String>,
    /// Node ids of packages whose records of deletion end.
    pub(crate) record_node_ids: Vec<String>,
}

/// Writes entries down, in the transaction that makes them true.
pub(crate) async fn add_entries(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    entries: &[OutboxEntry],
) -> Result<(), Error> {
    let sql = "INSERT INTO packages_service.restore_outbox (id, workspace_id, message, record_node_ids)
               SELECT $1, $2, $3, $4";
    for entry in entries {
        let params: [Param<'_>; 4] = [
            (&entry.id, Type::UUID),
            (&workspace.0, Type::INT4),
            (&entry.message, Type::TEXT),
            (&entry.record_node_ids, Type::TEXT_ARRAY),
        ];
        tx.query(sql, &params).await?;
    }
    Ok(())
}

/// Takes entries that are due, of one workspace or of all, the oldest first, out of others' sight for `delay`: so long they
/// may take.
pub(crate) async fn take_entries(
    db: &Db,
    workspace: Option<WorkspaceId>,
    limit: i64,
    delay: Duration,
) -> Result<Vec<OutboxEntry>, Error> {
    let sql = "WITH due AS (
                   SELECT id FROM packages_service.restore_outbox WHERE due_at <= clock_timestamp() AND ($3::int IS NULL OR workspace_id = $3)
                   ORDER BY due_at, created_at LIMIT $1 FOR UPDATE SKIP LOCKED
               )
               UPDATE packages_service.restore_outbox o
               SET attempts = o.attempts + 1,
                   -- The more often it failed, the later it is tried again: up to 32 times the delay.
                   due_at = clock_timestamp() + $2::float8 * power(2, least(o.attempts, 5)) * interval '1 second'
               FROM due WHERE o.id = due.id
               RETURNING o.id, o.message, o.record_node_ids";
    let delay = delay.as_secs_f64();
    let workspace = workspace.map(|workspace| workspace.0);
    let params: [Param<'_>; 3] = [(&limit, Type::INT8), (&delay, Type::FLOAT8), (&workspace, Type::INT4)];
    let rows = db.query(sql, &params).await?;
    let entry = |row: &Row| {
        Ok(OutboxEntry { id: row.try_get(0)?, message: row.try_get(1)?, record_node_ids: row.try_get(2)? })
    };
    rows.iter().map(entry).collect()
}

/// Notes that the messages of entries are delivered, and their records are not removed yet.
pub(crate) async fn forget_messages(db: &Db, delivered: &[Uuid]) -> Result<(), Error> {
    let sql = "UPDATE packages_service.restore_outbox SET message = NULL WHERE id = ANY ($1)";
    db.query(sql, &[(&delivered, Type::UUID_ARRAY)]).await.map(drop)
}

/// Removes entries that are delivered.
pub(crate) async fn remove_entries(db: &Db, delivered: &[Uuid]) -> Result<(), Error> {
    let sql = "DELETE FROM packages_service.restore_outbox WHERE id = ANY ($1)";
    db.query(sql, &[(&delivered, Type::UUID_ARRAY)]).await.map(drop)
}

/// How many entries wait to be delivered.
pub async fn count_entries(db: &Db) -> Result<i64, Error> {
    let row = db.query_opt("SELECT count(*) FROM packages_service.restore_outbox", &[]).await?;
    row.map_or(Ok(0), |row| Ok(row.try_get(0)?))
}
