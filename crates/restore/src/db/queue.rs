//! `packages_service.restore_queue`: the datasets that have unfinished orders, and who works on them.
//!
//! One worker at a time has the lease of a dataset. It renews the lease while it works. If it dies, the lease expires and
//! the next worker continues. All times are the database's, so workers' clocks need not agree.

use std::time::{Duration, SystemTime};

use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use database::{Db, Error, Param};
use packages::id::{DatasetId, DatasetKey, WorkspaceId};

/// How long a lease lasts that is not renewed.
pub const LEASE_DURATION: Duration = Duration::from_secs(10);

/// The right to work on a dataset's orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The dataset.
    pub key: DatasetKey,
    /// Distinguishes this lease from all others on the same dataset.
    pub id: Uuid,
}

/// The result of [`lease_dataset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseResult {
    /// The lease was free.
    Acquired(Lease),
    /// Another worker has it until then, unless it renews the lease.
    Held(SystemTime),
    /// The dataset is due after this time.
    NotDue(Duration),
    /// The dataset has no unfinished orders.
    Empty,
}

/// What is left to do in a dataset.
#[derive(Debug, Clone, Copy)]
pub struct RemainingWork {
    /// When the last order came in.
    pub woken_at: SystemTime,
    /// When there is something to do; `None`: nothing is left.
    pub due_in: Option<Duration>,
}

/// Leases a dataset that is due. The workspace with the fewest workers comes first, and in it the dataset that has waited
/// longest. So no workspace, and no dataset, waits for all the work of another.
pub async fn lease_next_dataset(db: &Db) -> Result<Option<Lease>, Error> {
    // Locks: one row of the queue. A row that another worker has locked is skipped, so no worker waits.
    let sql = "WITH
               -- How many workers each workspace has, and when it was served last.
               workspaces AS (
                   SELECT workspace_id, max(served_at) AS served_at,
                          count(*) FILTER (WHERE leased_until > clock_timestamp()) AS workers
                   FROM packages_service.restore_queue GROUP BY workspace_id
               ),
               -- The first dataset that is due and not leased.
               next AS (
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
    let duration = LEASE_DURATION.as_secs_f64();
    let row = db.query_opt(sql, &[(&id, Type::UUID), (&duration, Type::FLOAT8)]).await?;
    row.map(|row| Ok(Lease { key: read_key(&row)?, id })).transpose()
}

fn read_key(row: &Row) -> Result<DatasetKey, Error> {
    Ok(DatasetKey {
        workspace: WorkspaceId(row.try_get("workspace_id")?),
        dataset: DatasetId(row.try_get("dataset_id")?),
    })
}

/// Leases this dataset if it is due and not leased.
pub async fn lease_dataset(db: &Db, key: DatasetKey) -> Result<LeaseResult, Error> {
    let sql = "WITH
               -- The row as it was before this statement: it tells why the lease was not acquired.
               known AS (
                   SELECT leased_until, due_at FROM packages_service.restore_queue WHERE workspace_id = $1 AND dataset_id = $2
               ),
               -- Takes effect only where the dataset is due and not leased.
               acquired AS (
                   UPDATE packages_service.restore_queue
                   SET lease_id = $3, leased_until = clock_timestamp() + $4::float8 * interval '1 second',
                       served_at = clock_timestamp()
                   WHERE workspace_id = $1 AND dataset_id = $2 AND due_at <= clock_timestamp()
                     AND (leased_until IS NULL OR leased_until <= clock_timestamp())
                   RETURNING 1
               )
               SELECT EXISTS (SELECT 1 FROM acquired) AS is_acquired,
                      CASE WHEN leased_until > clock_timestamp() OR due_at <= clock_timestamp()
                           THEN coalesce(leased_until, clock_timestamp()) END AS held_until,
                      extract(epoch FROM due_at - clock_timestamp())::float8 AS due_in_seconds
               FROM known";
    let id = Uuid::new_v4();
    let duration = LEASE_DURATION.as_secs_f64();
    let params: [Param<'_>; 4] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&id, Type::UUID),
        (&duration, Type::FLOAT8),
    ];
    let Some(row) = db.query_opt(sql, &params).await? else { return Ok(LeaseResult::Empty) };
    if row.try_get("is_acquired")? {
        return Ok(LeaseResult::Acquired(Lease { key, id }));
    }
    let due_in = to_duration(row.try_get("due_in_seconds")?);
    let held_until: Option<SystemTime> = row.try_get("held_until")?;
    Ok(held_until.map_or(LeaseResult::NotDue(due_in), LeaseResult::Held))
}

/// Extends the lease to another [`LEASE_DURATION`] from now. False: another worker has it.
pub async fn renew_lease(db: &Db, lease: Lease) -> Result<bool, Error> {
    let sql = "UPDATE packages_service.restore_queue
               SET leased_until = clock_timestamp() + $4::float8 * interval '1 second'
               WHERE workspace_id = $1 AND dataset_id = $2 AND lease_id = $3 RETURNING 1";
    let duration = LEASE_DURATION.as_secs_f64();
    let params: [Param<'_>; 4] = [
        (&lease.key.workspace.0, Type::INT4),
        (&lease.key.dataset.0, Type::INT4),
        (&lease.id, Type::UUID),
        (&duration, Type::FLOAT8),
    ];
    Ok(db.query_opt(sql, &params).await?.is_some())
}

/// Finds what is left to do: orders whose packages are not claimed yet, claims, and claims on packages that the platform
/// is still deleting, which are due after `blocked_delay`. `None`: the dataset is not in the queue any more.
pub async fn find_remaining_work(
    db: &Db,
    key: DatasetKey,
    blocked_delay: Duration,
) -> Result<Option<RemainingWork>, Error> {
    let sql = "SELECT q.woken_at, extract(epoch FROM coalesce(
                   -- An order that is not claimed yet is due now.
                   (SELECT to_timestamp(0) FROM packages_service.restore_orders o
                    WHERE o.workspace_id = $1 AND o.dataset_id = $2 AND o.finished_at IS NULL AND o.claimed_at IS NULL
                    LIMIT 1),
                   -- The first claim that is due ends the search. All claims are read only where none is due.
                   (SELECT to_timestamp(0) FROM packages_service.restore_claims c
                    WHERE c.workspace_id = $1 AND c.dataset_id = $2 AND c.order_id IS NOT NULL AND NOT c.is_blocked
                      AND c.due_at <= clock_timestamp()
                    ORDER BY c.position, c.package_id LIMIT 1),
                   -- No claim is due: the time when the first one will be.
                   (SELECT min(CASE WHEN c.is_blocked THEN clock_timestamp() + $3::float8 * interval '1 second'
                                    ELSE greatest(c.due_at, to_timestamp(0)) END)
                    FROM packages_service.restore_claims c
                    WHERE c.workspace_id = $1 AND c.dataset_id = $2 AND c.order_id IS NOT NULL)
               ) - clock_timestamp())::float8 AS due_in_seconds
               FROM packages_service.restore_queue q WHERE q.workspace_id = $1 AND q.dataset_id = $2";
    let blocked_delay = blocked_delay.as_secs_f64();
    let params: [Param<'_>; 3] =
        [(&key.workspace.0, Type::INT4), (&key.dataset.0, Type::INT4), (&blocked_delay, Type::FLOAT8)];
    let Some(row) = db.query_opt(sql, &params).await? else { return Ok(None) };
    let due_in = row.try_get::<_, Option<f64>>("due_in_seconds")?.map(to_duration);
    Ok(Some(RemainingWork { woken_at: row.try_get("woken_at")?, due_in }))
}

/// Zero for a time that has passed.
fn to_duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
}

/// Releases the lease. The dataset stays in the queue if anything is left to do. False: an order came in since
/// `remaining` was read, or another worker has the lease. Then read again what is left.
pub async fn release_lease(db: &Db, lease: Lease, remaining: RemainingWork) -> Result<bool, Error> {
    let sql = match remaining.due_in {
        None => {
            // $5 is 0 here. Both statements take the same parameters.
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

/// Releases the lease after a failure. The dataset is due again after `delay`. Returns how many attempts have failed since
/// the last run that did not; this one is included if it counts. 0: another worker has the lease.
pub async fn postpone_dataset(db: &Db, lease: Lease, delay: Duration, counts: bool) -> Result<u32, Error> {
    let sql = "UPDATE packages_service.restore_queue
               SET lease_id = NULL, leased_until = NULL, attempts = attempts + $5::int,
                   -- Each failed attempt doubles the delay, up to 256 times.
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
    row.map_or(Ok(0), |row| Ok(u32::try_from(row.try_get::<_, i32>("attempts")?).unwrap_or_default()))
}

/// The datasets that have been due for this long and that no worker has leased, the longest due first, at most `limit`.
pub async fn list_overdue_datasets(db: &Db, overdue: Duration, limit: i64) -> Result<Vec<DatasetKey>, Error> {
    let sql = "SELECT workspace_id, dataset_id FROM packages_service.restore_queue
               WHERE due_at <= clock_timestamp() - $2::float8 * interval '1 second'
                 AND (leased_until IS NULL OR leased_until <= clock_timestamp())
               ORDER BY due_at LIMIT $1";
    let overdue = overdue.as_secs_f64();
    db.query(sql, &[(&limit, Type::INT8), (&overdue, Type::FLOAT8)]).await?.iter().map(read_key).collect()
}

/// How much is in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueSize {
    /// Datasets.
    pub datasets: i64,
    /// Those of them that a worker has leased.
    pub leased: i64,
}

/// Counts the datasets in the queue.
pub async fn count_datasets(db: &Db) -> Result<QueueSize, Error> {
    let sql =
        "SELECT count(*) AS datasets, count(*) FILTER (WHERE leased_until > clock_timestamp()) AS leased
               FROM packages_service.restore_queue";
    let row = db.query_opt(sql, &[]).await?;
    row.map_or(Ok(QueueSize::default()), |row| {
        Ok(QueueSize { datasets: row.try_get("datasets")?, leased: row.try_get("leased")? })
    })
}
