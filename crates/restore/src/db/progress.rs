//! How far a restore is, as its order says it: nothing is counted in the tree.

use std::time::SystemTime;

use tokio_postgres::{Row, types::Type};

use database::{Db, Error, Param};
use packages::{
    access::DatasetAccess,
    id::PackageNodeId,
    package::{PackageKind, PackageState},
};

/// How many failures one answer lists.
pub const MAX_FAILED: usize = 1000;

/// How far a package and, if it is a folder, what lies beneath it have come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The package's own state, as the column holds it; `RESTORING`, too, while an order holds the package.
    pub state: String,
    /// Whether the package is a folder.
    pub is_collection: bool,
    /// Its order, if there is one, or was lately.
    pub order: Option<OrderProgress>,
    /// Packages that the last restore left in the trash, at most [`MAX_FAILED`], the asked one first: node id and reason.
    pub failed: Vec<(String, String)>,
}

/// How far an order is, those that it has around packages inside it included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderProgress {
    /// Where it stands.
    pub stage: Stage,
    /// Packages that it holds or held, an ordered folder not counted.
    pub total: i64,
    /// Those that are back.
    pub restored: i64,
    /// Those that are not and stay in the trash.
    pub failed: i64,
    /// Bytes that are back.
    pub bytes: i64,
    /// When it was last asked for.
    pub since: SystemTime,
    /// When any of this last changed.
    pub updated_at: SystemTime,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nobody works on it yet; it is not known how much there is to do.
    Queued,
    /// A worker is at its dataset.
    Running,
    /// It is to be continued: it waits for its turn, for the storage, or for the platform to finish deleting.
    Waiting,
    /// It is over.
    Finished,
}

impl Stage {
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

/// Looks up a package of the caller's dataset. One statement, whose cost does not depend on the size of the tree.
pub async fn find_progress<P>(
    db: &Db,
    access: &DatasetAccess<P>,
    package: &PackageNodeId,
) -> Result<Option<Progress>, Error> {
    let workspace = access.workspace();
    let sql = format!(
        r#"WITH RECURSIVE target AS (
               SELECT p.id, p.state, p.type
               FROM "{workspace}".datasets d JOIN "{workspace}".packages p ON p.dataset_id = d.id
               WHERE d.id = $1 AND d.node_id = $2 AND p.node_id = $3
           ), orders AS (
               -- Its own order, and those inside it. UNION ends a circle, which packages that were moved could make.
               SELECT id FROM target
               UNION
               SELECT o.package_id FROM orders JOIN packages_service.restore_orders o
                   ON o.workspace_id = $4 AND o.within_id = orders.id
           ), numbers AS (
               SELECT sum(o.total)::bigint AS total, sum(o.restored)::bigint AS restored, sum(o.failed)::bigint AS failed,
                      sum(o.bytes)::bigint AS bytes, max(o.updated_at) AS updated_at
               FROM orders JOIN packages_service.restore_orders o ON o.workspace_id = $4 AND o.package_id = orders.id
           ), failed AS (
               SELECT p.node_id::text, f.reason
               FROM (
                   SELECT f.package_id, f.reason FROM target
                   JOIN packages_service.restore_failures f ON f.workspace_id = $4 AND f.package_id = target.id
                   UNION ALL
                   (SELECT f.package_id, f.reason FROM orders
                    JOIN packages_service.restore_failures f
                      ON f.workspace_id = $4 AND f.order_id = orders.id AND f.package_id <> (SELECT id FROM target)
                    ORDER BY f.package_id LIMIT {MAX_FAILED})
               ) f
               CROSS JOIN LATERAL (
                   SELECT node_id FROM "{workspace}".packages p
                   WHERE p.id = f.package_id AND p.state = ANY ($5) OFFSET 0
               ) p
           )
           SELECT CASE WHEN target.state = 'DELETED' AND EXISTS (
                           SELECT 1 FROM packages_service.restore_claims c
                           WHERE c.workspace_id = $4 AND c.package_id = target.id AND c.order_id IS NOT NULL
                       ) THEN 'RESTORING' ELSE target.state END,
                  target.type,
                  ARRAY(SELECT node_id FROM failed), ARRAY(SELECT reason FROM failed),
                  numbers.total, numbers.restored, numbers.failed, numbers.bytes, o.ordered_at, numbers.updated_at,
                  o.claimed_at IS NOT NULL, o.finished_at IS NOT NULL, coalesce(q.leased_until > clock_timestamp(), false)
           FROM target CROSS JOIN numbers
           LEFT JOIN packages_service.restore_orders o ON o.workspace_id = $4 AND o.package_id = target.id
           LEFT JOIN packages_service.restore_queue q ON q.workspace_id = $4 AND q.dataset_id = $1"#
    );
    let params: [Param<'_>; 5] = [
        (&access.dataset().0, Type::INT4),
        (&access.dataset_node_id().as_str(), Type::TEXT),
        (&package.as_str(), Type::TEXT),
        (&workspace.0, Type::INT4),
        (&&PackageState::NOT_LIVE[..], Type::TEXT_ARRAY),
    ];
    db.query_opt(&sql, &params).await?.map(|row| progress(&row)).transpose()
}

fn progress(row: &Row) -> Result<Progress, Error> {
    let (ids, reasons): (Vec<String>, Vec<String>) = (row.try_get(2)?, row.try_get(3)?);
    let since: Option<SystemTime> = row.try_get(8)?;
    Ok(Progress {
        state: row.try_get(0)?,
        is_collection: PackageKind::from_column(row.try_get(1)?).is_collection(),
        order: since.map(|since| order_progress(row, since)).transpose()?,
        failed: ids.into_iter().zip(reasons).collect(),
    })
}

fn order_progress(row: &Row, since: SystemTime) -> Result<OrderProgress, Error> {
    let stage = match (row.try_get(10)?, row.try_get(11)?, row.try_get(12)?) {
        (_, true, _) => Stage::Finished,
        (false, false, false) => Stage::Queued,
        (_, false, true) => Stage::Running,
        (true, false, false) => Stage::Waiting,
    };
    Ok(OrderProgress {
        stage,
        total: row.try_get(4)?,
        restored: row.try_get(5)?,
        failed: row.try_get(6)?,
        bytes: row.try_get(7)?,
        since,
        updated_at: row.try_get(9)?,
    })
}
