//! `packages_service.restore_queue`: the datasets that have unfinished orders, and who works on them.
//!
//! One worker at a time has the lease of a dataset. It renews the lease while it works; if it dies, the lease expires and
//! the next worker goes on. Times are the database's, so that workers need not agree on theirs.

use std::time::{Duration, SystemTime};

use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use database::{Db, Error, Param};
use packages::id::{DatasetId, DatasetKey, WorkspaceId};

/// How long a lease holds that is not renewed.
pub const LEASE_TIME: Duration = Duration::from_secs(10);

/// The right to work on a dataset's orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The dataset.
    pub key: DatasetKey,
    /// Tells this lease from all others on the same dataset.
    pub id: Uuid,
}

/// What became of the wish for the lease of one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leased {
    /// It was free.
    Taken(Lease),
    /// Somebody has it until then, unless they renew it.
    Held(SystemTime),
    /// There is nothing to do yet, and there will be after so long.
    Waiting(Duration),
    /// The dataset has no unfinished orders.
    Empty,
}

/// What is left to do in a dataset, as one look at it says.
#[derive(Debug, Clone, Copy)]
pub struct Remaining {
    /// When the last order came in.
    pub woken_at: SystemTime,
    /// How long it takes until there is something to do; `None` if nothing is left.
    pub due_in: Option<Duration>,
}

/// Takes the lease of a dataset that is due: of the workspace that has the fewest workers, then of the one that was served
/// the longest time ago. So no workspace, and no dataset of it, waits for all the work of another.
pub async fn lease_next(db: &Db) -> Result<Option<Lease>, Error> {
    let sql = "WITH workspaces AS (
                   SELECT workspace_id, max(served_at) AS served_at,
                          count(*) FILTER (WHERE leased_until > clock_timestamp()) AS workers
                   FROM packages_service.restore_queue GROUP BY workspace_id
               ), next AS (
                   SELECT q.workspace_id, q.dataset_id
                   FROM packages_service.restore_queue q JOIN workspaces w USING (workspace_id)
                   WHERE q.due_at <= clock_timestamp()
                     AND (q.leased_until IS NULL OR q.leased_until <= clock_timestamp())
                   ORDER BY w.workers, w.served_at, q.served_at, q.due_at LIMIT 1
                   FOR UPDATE OF q SKIP LOCKED
               )
               UPDATE packages_service.restore_queue q
               SET lease_id = $1, leased_until = clock_timestamp() + $2::float8 * interval '1 second',
                   served_at = clock_timestamp()
               FROM next WHERE q.workspace_id = next.workspace_id AND q.dataset_id = next.dataset_id
               RETURNING q.workspace_id, q.dataset_id";
    let id = Uuid::new_v4();
    let lease_time = LEASE_TIME.as_secs_f64();
    let row = db.query_opt(sql, &[(&id, Type::UUID), (&lease_time, Type::FLOAT8)]).await?;
    row.map(|row| Ok(Lease { key: key(&row)?, id })).transpose()
}

fn key(row: &Row) -> Result<DatasetKey, Error> {
    Ok(DatasetKey { workspace: WorkspaceId(row.try_get(0)?), dataset: DatasetId(row.try_get(1)?) })
}

/// Takes the lease of this dataset if it is free and due.
pub async fn lease(db: &Db, key: DatasetKey) -> Result<Leased, Error> {
    let sql = "WITH known AS (
                   SELECT leased_until, due_at FROM packages_service.restore_queue WHERE workspace_id = $1 AND dataset_id = $2
               ), taken AS (
                   UPDATE packages_service.restore_queue
                   SET lease_id = $3, leased_until = clock_timestamp() + $4::float8 * interval '1 second',
                       served_at = clock_timestamp()
                   WHERE workspace_id = $1 AND dataset_id = $2 AND due_at <= clock_timestamp()
                     AND (leased_until IS NULL OR leased_until <= clock_timestamp())
                   RETURNING 1
               )
               SELECT EXISTS (SELECT 1 FROM taken),
                      CASE WHEN leased_until > clock_timestamp() OR due_at <= clock_timestamp()
                           THEN coalesce(leased_until, clock_timestamp()) END,
                      extract(epoch FROM due_at - clock_timestamp())::float8
               FROM known";
    let id = Uuid::new_v4();
    let lease_time = LEASE_TIME.as_secs_f64();
    let params: [Param<'_>; 4] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&id, Type::UUID),
        (&lease_time, Type::FLOAT8),
    ];
    let Some(row) = db.query_opt(sql, &params).await? else { return Ok(Leased::Empty) };
    if row.try_get(0)? {
        return Ok(Leased::Taken(Lease { key, id }));
    }
    let held_until: Option<SystemTime> = row.try_get(1)?;
    Ok(held_until.map_or(Leased::Waiting(wait_time(row.try_get(2)?)), Leased::Held))
}

/// Keeps the lease for another [`LEASE_TIME`]. False: somebody else has it.
pub async fn renew_lease(db: &Db, lease: Lease) -> Result<bool, Error> {
    let sql = "UPDATE packages_service.restore_queue
               SET leased_until = clock_timestamp() + $4::float8 * interval '1 second'
               WHERE workspace_id = $1 AND dataset_id = $2 AND lease_id = $3 RETURNING 1";
    let lease_time = LEASE_TIME.as_secs_f64();
    let params: [Param<'_>; 4] = [
        (&lease.key.workspace.0, Type::INT4),
        (&lease.key.dataset.0, Type::INT4),
        (&lease.id, Type::UUID),
        (&lease_time, Type::FLOAT8),
    ];
    Ok(db.query_opt(sql, &params).await?.is_some())
}

/// Looks at what is left to do: orders whose packages are not claimed yet, claims, and claims on packages that the platform
/// is still deleting, which are looked at again after `blocked_delay`. `None`: the dataset is no longer in the queue.
pub async fn find_remaining(
    db: &Db,
    key: DatasetKey,
    blocked_delay: Duration,
) -> Result<Option<Remaining>, Error> {
    let sql = "SELECT q.woken_at, extract(epoch FROM coalesce(
                   (SELECT to_timestamp(0) FROM packages_service.restore_orders o
                    WHERE o.workspace_id = $1 AND o.dataset_id = $2 AND o.finished_at IS NULL AND o.claimed_at IS NULL
                    LIMIT 1),
                   -- The first that is due ends the look; all are gone through only where none is.
                   (SELECT to_timestamp(0) FROM packages_service.restore_claims c
                    WHERE c.workspace_id = $1 AND c.dataset_id = $2 AND c.order_id IS NOT NULL AND NOT c.is_blocked
                      AND c.due_at <= clock_timestamp()
                    ORDER BY c.position, c.package_id LIMIT 1),
                   (SELECT min(CASE WHEN c.is_blocked THEN clock_timestamp() + $3::float8 * interval '1 second'
                                    ELSE greatest(c.due_at, to_timestamp(0)) END)
                    FROM packages_service.restore_claims c
                    WHERE c.workspace_id = $1 AND c.dataset_id = $2 AND c.order_id IS NOT NULL)
               ) - clock_timestamp())::float8
               FROM packages_service.restore_queue q WHERE q.workspace_id = $1 AND q.dataset_id = $2";
    let blocked_delay = blocked_delay.as_secs_f64();
    let params: [Param<'_>; 3] =
        [(&key.workspace.0, Type::INT4), (&key.dataset.0, Type::INT4), (&blocked_delay, Type::FLOAT8)];
    let Some(row) = db.query_opt(sql, &params).await? else { return Ok(None) };
    let seconds: Option<f64> = row.try_get(1)?;
    Ok(Some(Remaining { woken_at: row.try_get(0)?, due_in: seconds.map(wait_time) }))
}

/// Nothing for a time that has passed.
fn wait_time(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
}

/// Gives the lease back. The dataset stays in the queue if anything is left to do. False: an order came in since the look
/// that `remaining` is from, so look again.
pub async fn release_lease(db: &Db, lease: Lease, remaining: Remaining) -> Result<bool, Error> {
    let sql = match remaining.due_in {
        None => {
            "DELETE FROM packages_service.restore_queue
             WHERE workspace_id = $1 AND dataset_id = $2 AND lease_id = $3 AND woken_at = $4 AND $5::float8 = 0
             RETURNING 1"
        }
        Some(_) => {
            "UPDATE packages_service.restore_queue
             SET lease_id = NULL, leased_until = NULL, attempts = 0,
                 due_at = clock_timestamp() + $5::float8 * interval '1 second'
             WHERE workspace_id = $1 AND dataset_id = $2 AND lease_id = $3 AND woken_at = $4 RETURNING 1"
        }
    };
    let due_in = remaining.due_in.unwrap_or_default().as_secs_f64();
    let params: [Param<'_>; 5] = [
        (&lease.key.workspace.0, Type::INT4),
        (&lease.key.dataset.0, Type::INT4),
        (&lease.id, Type::UUID),
        (&remaining.woken_at, Type::TIMESTAMPTZ),
        (&due_in, Type::FLOAT8),
    ];
    Ok(db.query_opt(sql, &params).await?.is_some())
}

/// Gives the lease back after a failure, to be tried again after `delay`. Answers how many attempts have failed since the
/// last one that did not, this one included if it counts; none if somebody else has the lease.
pub async fn postpone(db: &Db, lease: Lease, delay: Duration, counts: bool) -> Result<u32, Error> {
    let sql = "UPDATE packages_service.restore_queue
               SET lease_id = NULL, leased_until = NULL, attempts = attempts + $5::int,
                   -- The more often it failed, the later it is tried again: up to 256 times the delay.
                   due_at = clock_timestamp() + $4::float8 * power(2, least(attempts, 8)) * interval '1 second'
               WHERE workspace_id = $1 AND dataset_id = $2 AND lease_id = $3 RETURNING attempts";
    let (delay, counted) = (delay.as_secs_f64(), i32::from(counts));
    let params: [Param<'_>; 5] = [
        (&lease.key.workspace.0, Type::INT4),
        (&lease.key.dataset.0, Type::INT4),
        (&lease.id, Type::UUID),
        (&delay, Type::FLOAT8),
        (&counted, Type::INT4),
    ];
    let row = db.query_opt(sql, &params).await?;
    row.map_or(Ok(0), |row| Ok(u32::try_from(row.try_get::<_, i32>(0)?).unwrap_or_default()))
}

/// The datasets that have been due for so long and that nobody works on, the longest due first, `limit` at most.
pub async fn list_overdue(db: &Db, overdue: Duration, limit: i64) -> Result<Vec<DatasetKey>, Error> {
    let sql = "SELECT workspace_id, dataset_id FROM packages_service.restore_queue
               WHERE due_at <= clock_timestamp() - $2::float8 * interval '1 second' AND (leased_until IS NULL OR leased_until <= clock_timestamp())
               ORDER BY due_at LIMIT $1";
    let overdue = overdue.as_secs_f64();
    db.query(sql, &[(&limit, Type::INT8), (&overdue, Type::FLOAT8)]).await?.iter().map(key).collect()
}

/// How many datasets wait in the queue, and how many are worked on.
pub async fn count_queue(db: &Db) -> Result<(i64, i64), Error> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE leased_until > clock_timestamp())
               FROM packages_service.restore_queue";
    let row = db.query_opt(sql, &[]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.try_get(0)?, row.try_get(1)?)))
}
