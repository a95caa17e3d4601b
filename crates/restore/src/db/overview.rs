//! What operators see of restores: the queue, and the datasets with unfinished orders, across workspaces. Only numbers.

use std::time::{Duration, SystemTime};

use tokio_postgres::{Row, types::Type};

use crate::db::queue::QueueSize;
use database::{Db, Error};
use packages::id::{DatasetId, DatasetKey, WorkspaceId};

/// How many datasets are listed.
pub const MAX_LISTED_DATASETS: usize = 100;

/// The restores of all workspaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreOverview {
    /// The queue.
    pub queue: QueueSize,
    /// Datasets with unfinished orders, at most [`MAX_LISTED_DATASETS`], those that have waited longest first.
    pub datasets: Vec<UnfinishedDataset>,
}

/// A dataset with unfinished orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedDataset {
    /// The dataset, and its workspace.
    pub key: DatasetKey,
    /// Unfinished orders.
    pub orders: i64,
    /// Packages that they hold or held, those that are restored, and those that stay in the trash.
    pub packages: PackageCounts,
    /// Bytes that are restored.
    pub bytes: i64,
    /// Since when the numbers of the oldest order count.
    pub since: SystemTime,
    /// When any of this last changed.
    pub updated_at: SystemTime,
    /// Failed attempts in a row. `None` if the dataset is not in the queue.
    pub attempts: Option<i32>,
    /// How long until a worker may take it; zero if one may now. `None` if it is not in the queue.
    pub due_in: Option<Duration>,
    /// Whether a worker works on it.
    pub is_leased: bool,
}

/// Packages of orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackageCounts {
    /// All.
    pub total: i64,
    /// Restored.
    pub restored: i64,
    /// Left in the trash.
    pub failed: i64,
}

/// Loads the restores of all workspaces. One statement; it reads the index of unfinished orders, and none of their packages.
pub async fn load_overview(db: &Db) -> Result<RestoreOverview, Error> {
    let sql = "WITH
               size AS (
                   SELECT count(*) AS datasets, count(*) FILTER (WHERE leased_until > clock_timestamp()) AS leased
                   FROM packages_service.restore_queue
               ),
               -- An order inside another one counts its own packages only, so the sum counts each once.
               unfinished AS (
                   SELECT workspace_id, dataset_id, count(*) AS orders, sum(total)::bigint AS total,
                          sum(restored)::bigint AS restored, sum(failed)::bigint AS failed, sum(bytes)::bigint AS bytes,
                          min(begun_at) AS since, max(updated_at) AS updated_at
                   FROM packages_service.restore_orders WHERE finished_at IS NULL
                   GROUP BY workspace_id, dataset_id
                   ORDER BY min(begun_at), workspace_id, dataset_id LIMIT $1
               )
               SELECT size.datasets, size.leased, u.workspace_id, u.dataset_id, u.orders, u.total, u.restored, u.failed,
                      u.bytes, u.since, u.updated_at, q.attempts,
                      greatest(extract(epoch FROM q.due_at - clock_timestamp()), 0)::float8 AS due_in_seconds,
                      coalesce(q.leased_until > clock_timestamp(), false) AS is_leased,
                      q.workspace_id IS NOT NULL AS is_queued
               -- A row also when there is no unfinished order.
               FROM size LEFT JOIN unfinished u ON true
               LEFT JOIN packages_service.restore_queue q
                   ON q.workspace_id = u.workspace_id AND q.dataset_id = u.dataset_id
               ORDER BY u.since, u.workspace_id, u.dataset_id";
    let limit = i64::try_from(MAX_LISTED_DATASETS).unwrap_or(i64::MAX);
    let rows = db.query(sql, &[(&limit, Type::INT8)]).await?;
    let Some(first) = rows.first() else { return Ok(RestoreOverview::default()) };
    let queue = QueueSize { datasets: first.try_get("datasets")?, leased: first.try_get("leased")? };
    let datasets = rows.iter().filter_map(|row| read_dataset(row).transpose()).collect::<Result<_, _>>()?;
    Ok(RestoreOverview { queue, datasets })
}

fn read_dataset(row: &Row) -> Result<Option<UnfinishedDataset>, Error> {
    let Some(workspace) = row.try_get("workspace_id")? else { return Ok(None) };
    let is_queued: bool = row.try_get("is_queued")?;
    let due_in: Option<f64> = row.try_get("due_in_seconds")?;
    Ok(Some(UnfinishedDataset {
        key: DatasetKey { workspace: WorkspaceId(workspace), dataset: DatasetId(row.try_get("dataset_id")?) },
        orders: row.try_get("orders")?,
        packages: PackageCounts {
            total: row.try_get("total")?,
            restored: row.try_get("restored")?,
            failed: row.try_get("failed")?,
        },
        bytes: row.try_get("bytes")?,
        since: row.try_get("since")?,
        updated_at: row.try_get("updated_at")?,
        attempts: row.try_get("attempts")?,
        // `greatest` ignores null, so an absent row would be due now.
        due_in: due_in
            .filter(|_| is_queued)
            .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        is_leased: row.try_get("is_leased")?,
    }))
}
