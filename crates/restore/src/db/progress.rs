//! The progress of a restore, as its order records it: the tree is not counted.

use std::time::SystemTime;

use tokio_postgres::{Row, types::Type};

use crate::db::states::{DELETED, RESTORING};
use database::{Db, Error, Param};
use packages::{
    access::DatasetAccess,
    id::{PackageNodeId, WorkspaceId},
    package::{PackageKind, PackageState},
};

/// How many failures are listed.
pub const MAX_LISTED_FAILURES: usize = 1000;

/// The progress of a package and, if it is a folder, of what is beneath it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The package's own state, as the column holds it; also `RESTORING` while an order holds the package.
    pub state: String,
    /// Whether the package is a folder.
    pub is_collection: bool,
    /// Its order, if it has one or had one in the last week.
    pub order: Option<OrderProgress>,
    /// Packages that the last restore left in the trash, at most [`MAX_LISTED_FAILURES`], the requested one first.
    pub failed: Vec<FailedPackage>,
}

/// A package that its restore left in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedPackage {
    /// Its public id.
    pub node_id: String,
    /// Why it stays in the trash.
    pub reason: String,
}

/// The progress of an order, the orders inside it included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderProgress {
    /// Its status.
    pub status: OrderStatus,
    /// Packages that it holds or held. An ordered folder does not count itself.
    pub total: i64,
    /// Packages that are restored.
    pub restored: i64,
    /// Packages that stay in the trash.
    pub failed: i64,
    /// Bytes that are restored.
    pub bytes: i64,
    /// When it was last ordered.
    pub since: SystemTime,
    /// When any of this last changed.
    pub updated_at: SystemTime,
}

/// The status of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// No worker has begun. It is not known how much there is to do.
    Queued,
    /// A worker works on its dataset.
    Running,
    /// It continues later: it waits for its turn, for the storage, or for the platform to finish deleting.
    Waiting,
    /// It has ended.
    Finished,
}

impl OrderStatus {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Finished => "finished",
        }
    }
}

/// Finds the progress of a package in the caller's dataset. One statement, whose cost does not depend on the size of the
/// tree.
pub async fn find_progress<P>(
    db: &Db,
    access: &DatasetAccess<P>,
    package: &PackageNodeId,
) -> Result<Option<Progress>, Error> {
    let workspace = access.workspace();
    let params: [Param<'_>; 5] = [
        (&access.dataset().0, Type::INT4),
        (&access.dataset_node_id().as_str(), Type::TEXT),
        (&package.as_str(), Type::TEXT),
        (&workspace.0, Type::INT4),
        (&&PackageState::NOT_LIVE[..], Type::TEXT_ARRAY),
    ];
    let row = db.query_opt(&find_progress_sql(workspace), &params).await?;
    row.map(|row| read_progress(&row)).transpose()
}

fn find_progress_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH RECURSIVE
           -- The package, only if it is in the caller's dataset.
           target AS (
               SELECT p.id, p.state, p.type
               FROM "{workspace}".datasets d JOIN "{workspace}".packages p ON p.dataset_id = d.id
               WHERE d.id = $1 AND d.node_id = $2 AND p.node_id = $3
           ),
           -- Its own order, and the orders inside it. UNION ends a cycle, which moved packages can make.
           orders AS (
               SELECT id FROM target
               UNION
               SELECT o.package_id FROM orders JOIN packages_service.restore_orders o
                   ON o.workspace_id = $4 AND o.within_id = orders.id
           ),
           -- The numbers of all these orders together.
           totals AS (
               SELECT sum(o.total)::bigint AS total, sum(o.restored)::bigint AS restored, sum(o.failed)::bigint AS failed,
                      sum(o.bytes)::bigint AS bytes, max(o.updated_at) AS updated_at
               FROM orders JOIN packages_service.restore_orders o ON o.workspace_id = $4 AND o.package_id = orders.id
           ),
           -- The failures that are still true: a package that is live again has none.
           failed AS (
               SELECT p.node_id::text, f.reason
               FROM (
                   SELECT f.package_id, f.reason FROM target
                   JOIN packages_service.restore_failures f ON f.workspace_id = $4 AND f.package_id = target.id
                   UNION ALL
                   (SELECT f.package_id, f.reason FROM orders
                    JOIN packages_service.restore_failures f
                      ON f.workspace_id = $4 AND f.order_id = orders.id AND f.package_id <> (SELECT id FROM target)
                    ORDER BY f.package_id LIMIT {MAX_LISTED_FAILURES})
               ) f
               CROSS JOIN LATERAL (
                   SELECT node_id FROM "{workspace}".packages p
                   WHERE p.id = f.package_id AND p.state = ANY ($5) OFFSET 0
               ) p
           )
           SELECT CASE WHEN target.state = {DELETED} AND EXISTS (
                           SELECT 1 FROM packages_service.restore_claims c
                           WHERE c.workspace_id = $4 AND c.package_id = target.id AND c.order_id IS NOT NULL
                       ) THEN {RESTORING} ELSE target.state END AS state,
                  target.type,
                  ARRAY(SELECT node_id FROM failed) AS failed_node_ids, ARRAY(SELECT reason FROM failed) AS reasons,
                  totals.total, totals.restored, totals.failed, totals.bytes, o.ordered_at, totals.updated_at,
                  o.claimed_at IS NOT NULL AS is_claimed, o.finished_at IS NOT NULL AS is_finished,
                  coalesce(q.leased_until > clock_timestamp(), false) AS is_leased
           FROM target CROSS JOIN totals
           LEFT JOIN packages_service.restore_orders o ON o.workspace_id = $4 AND o.package_id = target.id
           LEFT JOIN packages_service.restore_queue q ON q.workspace_id = $4 AND q.dataset_id = $1"#
    )
}

fn read_progress(row: &Row) -> Result<Progress, Error> {
    let ids: Vec<String> = row.try_get("failed_node_ids")?;
    let reasons: Vec<String> = row.try_get("reasons")?;
    let since: Option<SystemTime> = row.try_get("ordered_at")?;
    Ok(Progress {
        state: row.try_get("state")?,
        is_collection: PackageKind::from_column(row.try_get("type")?).is_collection(),
        order: since.map(|since| read_order_progress(row, since)).transpose()?,
        failed: ids
            .into_iter()
            .zip(reasons)
            .map(|(node_id, reason)| FailedPackage { node_id, reason })
            .collect(),
    })
}

fn read_order_progress(row: &Row, since: SystemTime) -> Result<OrderProgress, Error> {
    let (is_claimed, is_finished) = (row.try_get("is_claimed")?, row.try_get("is_finished")?);
    let status = match (is_claimed, is_finished, row.try_get("is_leased")?) {
        (_, true, _) => OrderStatus::Finished,
        (false, false, false) => OrderStatus::Queued,
        (_, false, true) => OrderStatus::Running,
        (true, false, false) => OrderStatus::Waiting,
    };
    Ok(OrderProgress {
        status,
        total: row.try_get("total")?,
        restored: row.try_get("restored")?,
        failed: row.try_get("failed")?,
        bytes: row.try_get("bytes")?,
        since,
        updated_at: row.try_get("updated_at")?,
    })
}
