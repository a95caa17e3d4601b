//! Ordering: what a person asks for is put on record, and a worker is woken.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::db::packages::PackageRow;
use crate::message::{MessagePackage, RestoreMessage};
use crate::{
    db::orders::{Orderable, find_live_folders, place_orders},
    queue::WorkerQueue,
};
use database::{self, Db};
use packages::{
    access::{CreateDeleteFiles, DatasetAccess},
    id::PackageNodeId,
};

/// What became of each package that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlacedOrders {
    /// On their way, in the order in which they were asked for.
    pub success: Vec<PackageNodeId>,
    /// Not, and why.
    pub failures: Vec<OrderFailure>,
}

/// A package that is not on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFailure {
    /// The id as it was asked for.
    pub id: PackageNodeId,
    /// Why, in words for the caller.
    pub error: String,
}

/// Why nothing was ordered at all.
#[derive(Debug)]
pub enum OrderError {
    /// The dataset is gone since the claims were made.
    NoDataset,
    /// Postgres.
    Db(database::Error),
}

impl From<database::Error> for OrderError {
    fn from(error: database::Error) -> Self {
        Self::Db(error)
    }
}

/// Orders packages of the caller's dataset. Each asked id is answered once, however often it was asked for; one that
/// is on its way already is a success. A live folder is a success if there is anything in the trash beneath it.
///
/// When this answers, the order is on record and will be carried out: also if no worker could be woken now.
pub async fn order(
    db: &Db,
    queue: &WorkerQueue,
    access: &DatasetAccess<CreateDeleteFiles>,
    asked: &[PackageNodeId],
) -> Result<PlacedOrders, OrderError> {
    let mut seen = HashSet::new();
    let asked: Vec<PackageNodeId> = asked.iter().filter(|id| seen.insert(*id)).cloned().collect();
    let mut placed =
        place_orders(db, access, &asked, Orderable::Deleted).await?.ok_or(OrderError::NoDataset)?;
    if let Some(package) = placed.first() {
        wake(queue, &message(access, package)).await;
    }
    let live = order_live_folders(db, access, &asked, &placed).await?;
    if let (true, Some(package)) = (placed.is_empty(), live.first()) {
        wake(queue, &message(access, package)).await;
    }
    placed.extend(live);

    let placed: HashMap<&PackageNodeId, &PackageRow> = placed.iter().map(|row| (&row.node_id, row)).collect();
    let mut order = PlacedOrders::default();
    for id in asked {
        if placed.contains_key(&id) {
            order.success.push(id);
        } else {
            order.failures.push(not_found(access, &id));
        }
    }
    Ok(order)
}

/// The failure of a package that cannot be ordered.
pub(super) fn not_found(access: &DatasetAccess<CreateDeleteFiles>, id: &PackageNodeId) -> OrderFailure {
    let error = format!("deleted package {id} not found in dataset {}", access.dataset_node_id());
    OrderFailure { id: id.clone(), error }
}

/// Orders those of the other packages that are live folders. Only for these it is looked what lies beneath.
async fn order_live_folders(
    db: &Db,
    access: &DatasetAccess<CreateDeleteFiles>,
    asked: &[PackageNodeId],
    placed: &[PackageRow],
) -> Result<Vec<PackageRow>, OrderError> {
    let placed: HashSet<&PackageNodeId> = placed.iter().map(|row| &row.node_id).collect();
    let is_open = |id: &&PackageNodeId| !placed.contains(*id) && id.as_str().starts_with("N:collection:");
    let open: Vec<PackageNodeId> = asked.iter().filter(is_open).cloned().collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let folders = find_live_folders(db, access, &open).await?;
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    place_orders(db, access, &folders, Orderable::LiveFolders).await?.ok_or(OrderError::NoDataset)
}

/// A worker that is not woken finds the order later by itself.
async fn wake(queue: &WorkerQueue, message: &RestoreMessage) {
    if !queue.wake(message, Duration::ZERO).await {
        let (workspace, dataset) = (message.workspace.0, message.dataset.0);
        tracing::error!(workspace, dataset, "no worker was woken for a restore order; it is found later");
    }
}

fn message(access: &DatasetAccess<CreateDeleteFiles>, package: &PackageRow) -> RestoreMessage {
    RestoreMessage {
        workspace: access.workspace(),
        dataset: access.dataset(),
        user: access.user().to_string(),
        package: MessagePackage::from(package),
    }
}

/// Takes up a package that a message names and that is RESTORING, but was not ordered here: another service moved it, or
/// a former version of this one.
pub async fn adopt(db: &Db, message: &RestoreMessage) -> Result<(), database::Error> {
    if crate::db::orders::adopt(db, message).await? {
        let (workspace, dataset, package) = (message.workspace.0, message.dataset.0, message.package.id.0);
        tracing::warn!(workspace, dataset, package, "taking up a package that is RESTORING without an order");
        metrics::counter!(metric_names::RESTORES_ADOPTED_TOTAL.name).increment(1);
    }
    Ok(())
}
