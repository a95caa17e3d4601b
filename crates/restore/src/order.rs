//! Ordering a restore: the order is recorded, and a worker is woken.

use std::{collections::HashSet, time::Duration};

use thiserror::Error;

use crate::{
    db::{
        missing_orders::insert_missing_order,
        orders::{Orderable, list_live_folders, place_orders},
        packages::PackageRow,
    },
    message::{MessagePackage, RestoreMessage},
    queue::WorkerQueue,
};
use database::{self, Db};
use packages::{
    access::{CreateDeleteFiles, DatasetAccess},
    id::PackageNodeId,
};

/// The result for each requested package.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlacedOrders {
    /// Packages that will be restored, in the order of the request.
    pub success: Vec<PackageNodeId>,
    /// Packages that will not.
    pub failures: Vec<OrderFailure>,
}

/// A package that will not be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFailure {
    /// The id as it was requested.
    pub id: PackageNodeId,
    /// Why, in words for the caller.
    pub error: String,
}

/// Why nothing was ordered.
#[derive(Debug, Error)]
pub enum OrderError {
    /// The dataset does not exist any more.
    #[error("the dataset does not exist")]
    DatasetNotFound,
    /// Postgres.
    #[error(transparent)]
    Db(#[from] database::Error),
}

/// Orders packages of the caller's dataset. Each requested id is in the result once, even if it was requested twice. A package
/// that is on its way already is a success. A live folder is a success if anything is in the trash beneath it.
///
/// When this returns, the order is recorded and will be carried out, also if no worker could be notified now.
pub async fn order_restore(
    db: &Db,
    queue: &WorkerQueue,
    access: &DatasetAccess<CreateDeleteFiles>,
    requested: &[PackageNodeId],
) -> Result<PlacedOrders, OrderError> {
    let mut seen = HashSet::new();
    let requested: Vec<PackageNodeId> = requested.iter().filter(|id| seen.insert(*id)).cloned().collect();
    let placed = place_orders(db, access, &requested, Orderable::Deleted).await?;
    let mut placed = placed.ok_or(OrderError::DatasetNotFound)?;
    if let Some(package) = placed.first() {
        wake_worker(queue, &build_message(access, package)).await;
    }
    let live = order_live_folders(db, access, &requested, &placed).await?;
    // One message for each dataset is enough.
    if let (true, Some(package)) = (placed.is_empty(), live.first()) {
        wake_worker(queue, &build_message(access, package)).await;
    }
    placed.extend(live);

    let placed: HashSet<&PackageNodeId> = placed.iter().map(|row| &row.node_id).collect();
    let mut result = PlacedOrders::default();
    for id in requested {
        if placed.contains(&id) {
            result.success.push(id);
        } else {
            result.failures.push(not_found_failure(access, &id));
        }
    }
    Ok(result)
}

/// The failure of a package that cannot be ordered.
pub(super) fn not_found_failure(
    access: &DatasetAccess<CreateDeleteFiles>,
    id: &PackageNodeId,
) -> OrderFailure {
    let error = format!("deleted package {id} not found in dataset {}", access.dataset_node_id());
    OrderFailure { id: id.clone(), error }
}

/// Orders those of the other packages that are live folders. Only beneath these the tree is searched.
async fn order_live_folders(
    db: &Db,
    access: &DatasetAccess<CreateDeleteFiles>,
    requested: &[PackageNodeId],
    placed: &[PackageRow],
) -> Result<Vec<PackageRow>, OrderError> {
    let placed: HashSet<&PackageNodeId> = placed.iter().map(|row| &row.node_id).collect();
    let is_open = |id: &&PackageNodeId| !placed.contains(*id) && id.is_collection();
    let open: Vec<PackageNodeId> = requested.iter().filter(is_open).cloned().collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let folders = list_live_folders(db, access, &open).await?;
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let placed = place_orders(db, access, &folders, Orderable::LiveFolders).await?;
    placed.ok_or(OrderError::DatasetNotFound)
}

/// Wakes a worker now. Without that, a worker finds the order later.
async fn wake_worker(queue: &WorkerQueue, message: &RestoreMessage) {
    if !queue.wake_worker(message, Duration::ZERO).await {
        let (workspace, dataset) = (message.workspace.0, message.dataset.0);
        tracing::error!(
            workspace,
            dataset,
            "no worker could be notified of a restore order; a worker finds it later"
        );
    }
}

fn build_message(access: &DatasetAccess<CreateDeleteFiles>, package: &PackageRow) -> RestoreMessage {
    RestoreMessage {
        workspace: access.workspace(),
        dataset: access.dataset(),
        user: access.user().to_string(),
        package: MessagePackage {
            id: package.id,
            node_id: package.node_id.clone(),
            name: package.name.clone(),
            parent_id: package.parent_id,
            kind: package.kind.number(),
        },
    }
}

/// Makes sure that the package of a message has an order if it is RESTORING. It has none if another service changed its
/// state, or a former version of this one.
pub async fn ensure_order(db: &Db, message: &RestoreMessage) -> Result<(), database::Error> {
    if insert_missing_order(db, message).await? {
        let (workspace, dataset, package) = (message.workspace.0, message.dataset.0, message.package.id.0);
        tracing::warn!(workspace, dataset, package, "ordering a package that was RESTORING without an order");
        metrics::counter!(metric_names::RESTORES_ADOPTED_TOTAL.name).increment(1);
    }
    Ok(())
}
