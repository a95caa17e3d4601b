//! A run: a worker's turn at the orders of one dataset.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    batch::{Batch, START, read_batch},
    db::{
        claim_trees::{ClaimedOrder, claim_ancestors, claim_trees},
        claims::{ClaimPosition, unblock_claims},
        order_ends::{delete_orphaned_orders, fail_orders, finish_orders},
        queue::{LEASE_DURATION, Lease, find_remaining_work, release_lease, renew_lease},
    },
    error::RestoreError,
    finish::{BatchCounts, apply_storage_errors, finish_batch},
    reasons::{BEING_DELETED_REASON, DELETED_AGAIN_REASON, FOLDER_CYCLE_REASON},
    restorer::Restorer,
    window::RunWindow,
};
use database::{self, Db};
use packages::{
    id::{DatasetKey, PackageId},
    package::PackageState,
};

/// The result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOutcome {
    /// How many packages came back, folders above included.
    pub restored: usize,
    /// How many could not, and are still in the trash.
    pub failed: usize,
    /// What is left to do.
    pub status: RunStatus,
}

/// What is left to do in a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// Nothing.
    Finished,
    /// Something, which is due after this time.
    Continues(Duration),
    /// Something, on which another worker works.
    LeasedElsewhere,
    /// Something, which another run has postponed by this time.
    Postponed(Duration),
}

/// Carries out the orders of a dataset whose lease this worker has. `restored` is how many packages came back, also after
/// an error.
pub(super) async fn run_lease(
    restorer: &Restorer,
    lease: Lease,
    window: RunWindow,
    restored: &AtomicUsize,
) -> Result<RunOutcome, RestoreError> {
    tokio::select! {
        result = run_orders(restorer, lease, window.until, restored) => result,
        () = keep_lease_renewed(&restorer.db, lease) => Err(RestoreError::LeaseLost),
        () = wait_until(window.cutoff) => Err(RestoreError::TimedOut),
    }
}

/// Ends at this time; never without one.
async fn wait_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Renews the lease until another worker has it.
async fn keep_lease_renewed(db: &Db, lease: Lease) {
    loop {
        sleep(LEASE_DURATION / 3).await;
        match renew_lease(db, lease).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "the lease of a dataset was not renewed"),
        }
    }
}

async fn run_orders(
    restorer: &Restorer,
    lease: Lease,
    until: Instant,
    restored: &AtomicUsize,
) -> Result<RunOutcome, RestoreError> {
    let (db, key, limits) = (&restorer.db, lease.key, restorer.limits);
    let mut total = BatchCounts::default();
    loop {
        claim_orders(db, key).await?;
        unblock_claims(db, key, limits.max_blocked.as_secs_f64()).await?;
        Box::pin(run_batches(restorer, key, until, &mut total, restored)).await?;
        finish_orders(db, key).await?;
        let remaining = find_remaining_work(db, key, limits.blocked_delay).await?;
        let Some(remaining) = remaining else { return Err(RestoreError::LeaseLost) };
        let is_due = remaining.due_in.is_some_and(|due_in| due_in.is_zero());
        if is_due && Instant::now() < until {
            continue;
        }
        if release_lease(db, lease, remaining).await? {
            let status = remaining.due_in.map_or(RunStatus::Finished, RunStatus::Continues);
            let BatchCounts { restored, failed } = total;
            return Ok(RunOutcome { restored, failed, status });
        }
        // An order came in since, or another worker has the lease.
        if !renew_lease(db, lease).await? {
            return Err(RestoreError::LeaseLost);
        }
    }
}

/// Batch after batch, until no claim is due or `until` has passed. While one batch is finished in Postgres, S3 already works on
/// the next one. Packages of the next batch that are in a folder of this one are checked again when their batch is finished.
async fn run_batches(
    restorer: &Restorer,
    key: DatasetKey,
    until: Instant,
    total: &mut BatchCounts,
    restored: &AtomicUsize,
) -> Result<(), RestoreError> {
    let mut next = undelete_batch(restorer, key, START).await?;
    while let Some(batch) = next {
        let end = batch.end_position();
        let prepare = async {
            if Instant::now() >= until { Ok(None) } else { undelete_batch(restorer, key, end).await }
        };
        let (finished, prepared) = tokio::join!(finish_batch(restorer, key, batch), prepare);
        let finished = finished?;
        total.restored += finished.restored;
        total.failed += finished.failed;
        restored.store(total.restored, Relaxed);
        next = prepared?;
    }
    Ok(())
}

/// Reads the batch after this position and makes its files visible.
async fn undelete_batch(
    restorer: &Restorer,
    key: DatasetKey,
    after: ClaimPosition,
) -> Result<Option<Batch>, RestoreError> {
    let batch = read_batch(&restorer.db, key, after, restorer.limits.batch_size).await?;
    let Some(mut batch) = batch else { return Ok(None) };
    let errors = restorer.objects.undelete(&batch.files.stored).await;
    apply_storage_errors(&mut batch, &errors);
    Ok(Some(batch))
}

/// Claims what the new orders hold. An order that cannot be carried out fails here.
async fn claim_orders(db: &Db, key: DatasetKey) -> Result<(), database::Error> {
    let mut session = db.session().await?;
    let tx = session.begin().await?;
    let orders = claim_trees(&tx, key).await?;
    if !orders.is_empty() {
        let (failed, claimed): (Vec<_>, Vec<_>) =
            orders.iter().partition(|order| failure_reason(**order).is_some());
        let claimed: Vec<i32> = claimed.iter().map(|order: &&ClaimedOrder| order.id.0).collect();
        claim_ancestors(&tx, key, &claimed).await?;
        let failed: Vec<(PackageId, &str)> =
            failed.iter().filter_map(|order| Some((order.id, failure_reason(**order)?))).collect();
        if !failed.is_empty() {
            fail_orders(&tx, key.workspace, &failed).await?;
        }
    }
    delete_orphaned_orders(&tx, key).await?;
    tx.commit().await
}

fn failure_reason(order: ClaimedOrder) -> Option<&'static str> {
    match order.state {
        PackageState::Deleted => Some(DELETED_AGAIN_REASON),
        PackageState::Deleting => Some(BEING_DELETED_REASON),
        _ if !order.has_root => Some(FOLDER_CYCLE_REASON),
        _ => None,
    }
}
