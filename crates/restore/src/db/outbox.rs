//! `packages_service.restore_outbox`: what is still to be delivered about restored packages.

use std::time::Duration;

use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use database::{Db, Error, Param, Transaction};
use packages::id::WorkspaceId;

/// One delivery.
#[derive(Debug, Clone)]
pub(crate) struct OutboxEntry {
    /// Stays the same however often it is delivered.
    pub(crate) id: Uuid,
    /// A message for the changelog, in JSON.
    pub(crate) message: Option<String>,
    /// Node ids of packages whose delete records are to be removed.
    pub(crate) record_node_ids: Vec<String>,
}

/// Adds entries, in the transaction that restores the packages.
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

/// Receives entries that are due, of one workspace or of all, the oldest first. Other workers do not see them for `delay`,
/// the time that a delivery may take.
pub(crate) async fn receive_entries(
    db: &Db,
    workspace: Option<WorkspaceId>,
    limit: i64,
    delay: Duration,
) -> Result<Vec<OutboxEntry>, Error> {
    // Locks: the rows of the outbox. A row that another worker has locked is skipped, so no worker waits.
    let sql = "WITH
               -- The oldest entries that are due.
               due AS (
                   SELECT id FROM packages_service.restore_outbox
                   WHERE due_at <= clock_timestamp() AND ($3::int IS NULL OR workspace_id = $3)
                   ORDER BY due_at, created_at LIMIT $1 FOR UPDATE SKIP LOCKED
               )
               UPDATE packages_service.restore_outbox o
               SET attempts = o.attempts + 1,
                   -- Each failed attempt doubles the delay, up to 32 times.
                   due_at = clock_timestamp() + $2::float8 * power(2, least(o.attempts, 5)) * interval '1 second'
               FROM due WHERE o.id = due.id
               RETURNING o.id, o.message, o.record_node_ids";
    let delay = delay.as_secs_f64();
    let workspace = workspace.map(|workspace| workspace.0);
    let params: [Param<'_>; 3] = [(&limit, Type::INT8), (&delay, Type::FLOAT8), (&workspace, Type::INT4)];
    db.query(sql, &params).await?.iter().map(read_entry).collect()
}

fn read_entry(row: &Row) -> Result<OutboxEntry, Error> {
    Ok(OutboxEntry {
        id: row.try_get("id")?,
        message: row.try_get("message")?,
        record_node_ids: row.try_get("record_node_ids")?,
    })
}

/// Clears the messages of entries whose messages are delivered and whose delete records are not removed yet.
pub(crate) async fn clear_messages(db: &Db, delivered: &[Uuid]) -> Result<(), Error> {
    let sql = "UPDATE packages_service.restore_outbox SET message = NULL WHERE id = ANY ($1)";
    db.query(sql, &[(&delivered, Type::UUID_ARRAY)]).await.map(drop)
}

/// Removes entries that are delivered.
pub(crate) async fn remove_entries(db: &Db, delivered: &[Uuid]) -> Result<(), Error> {
    let sql = "DELETE FROM packages_service.restore_outbox WHERE id = ANY ($1)";
    db.query(sql, &[(&delivered, Type::UUID_ARRAY)]).await.map(drop)
}

/// How many entries are not delivered yet.
pub async fn count_entries(db: &Db) -> Result<i64, Error> {
    let row = db.query_opt("SELECT count(*) AS entries FROM packages_service.restore_outbox", &[]).await?;
    row.map_or(Ok(0), |row| Ok(row.try_get("entries")?))
}
