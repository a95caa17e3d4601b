//! A run: a worker's turn at the orders of one dataset.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    batch::{BEING_DELETED, Batch, DELETED_AGAIN, START, read_batch},
    db::{
        claim_trees::{ClaimedOrder, claim_ancestors, claim_trees},
        claims::{ClaimPosition, unblock_claims},
        order_ends::{delete_orphaned_orders, fail_orders, finish_orders, give_up_orders},
        queue::{
            LEASE_DURATION, Lease, LeaseResult, find_remaining_work, lease_dataset, postpone_dataset,
            release_lease, renew_lease,
        },
    },
    delivery::deliver_outbox,
    error::RestoreError,
    finish::{BatchCounts, apply_storage_errors, finish_batch},
    restorer::{MAX_ATTEMPTS, Restorer},
};
use database::{self, Db};
use packages::{
    id::{DatasetKey, PackageId},
    package::PackageState,
};

/// Why orders failed whose runs failed, in words for the packages' owner.
pub const RUN_FAILED: &str = "the restore failed several times; order it again later";

/// Why a package in a cycle of parents stays in the trash.
const FOLDER_CYCLE: &str = "the folders above it form a circle";

/// Why a package stays in the trash that the platform deletes for too long.
const STILL_DELETING: &str = "the platform is still deleting it; it comes back when that has ended";

/// How long a run waits for its deliveries. The rest is delivered later.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a lease is checked that another worker has.
const LEASE_POLL_INTERVAL: Duration = Duration::from_millis(50);

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

/// Carries out the orders of a dataset until `until`. A batch that is under way is cut off at `deadline`. If another worker
/// has the lease, waits as long as it takes to tell whether that worker is alive.
pub async fn process_dataset(
    restorer: &Restorer,
    key: DatasetKey,
    until: Instant,
    deadline: Option<Instant>,
) -> Result<RunOutcome, RestoreError> {
    let idle = |status| RunOutcome { restored: 0, failed: 0, status };
    match wait_for_lease(&restorer.db, key).await? {
        LeaseResult::Acquired(lease) => process_lease(restorer, lease, until, deadline).await,
        LeaseResult::Held(_) => Ok(idle(RunStatus::LeasedElsewhere)),
        LeaseResult::NotDue(due_in) => Ok(idle(RunStatus::Postponed(due_in))),
        LeaseResult::Empty => Ok(idle(RunStatus::Finished)),
    }
}

/// A worker that is alive renews its lease. Another lease expires.
async fn wait_for_lease(db: &Db, key: DatasetKey) -> Result<LeaseResult, database::Error> {
    let mut held_until: Option<SystemTime> = None;
    loop {
        match lease_dataset(db, key).await? {
            LeaseResult::Held(until) if held_until.is_none_or(|before| before == until) => {
                held_until = Some(until);
            }
            result => return Ok(result),
        }
        sleep(LEASE_POLL_INTERVAL).await;
    }
}

/// The same for a worker that has the lease. After an error the dataset is postponed; after the last attempt its orders
/// are given up.
pub async fn process_lease(
    restorer: &Restorer,
    lease: Lease,
    until: Instant,
    deadline: Option<Instant>,
) -> Result<RunOutcome, RestoreError> {
    let restored = AtomicUsize::new(0);
    let work = AssertUnwindSafe(Box::pin(run_orders(restorer, lease, until, &restored))).catch_unwind();
    let result = tokio::select! {
        result = work => result.unwrap_or(Err(RestoreError::Panicked)),
        () = keep_lease_renewed(&restorer.db, lease) => Err(RestoreError::LeaseLost),
        () = wait_until(deadline) => Err(RestoreError::TimedOut),
    };
    match &result {
        Ok(outcome) => count_run(outcome),
        Err(error) => {
            metrics::counter!(metric_names::RESTORES_TOTAL.name, "outcome" => "stopped").increment(1);
            record_failed_run(restorer, lease, error, restored.load(Relaxed) > 0).await;
        }
    }
    // Also what an earlier run has left. A failure here is never a second restore.
    if let Err(error) = deliver_until(restorer, lease.key, deadline).await {
        tracing::warn!(%error, "restored packages are announced later");
    }
    result
}

async fn deliver_until(
    restorer: &Restorer,
    key: DatasetKey,
    deadline: Option<Instant>,
) -> Result<(), database::Error> {
    // A queue that does not answer must not keep the worker from the next dataset.
    let latest = Instant::now() + DELIVERY_TIMEOUT;
    let end = deadline.map_or(latest, |deadline| deadline.min(latest));
    timeout_at(end, deliver_outbox(restorer, Some(key.workspace))).await.unwrap_or(Ok(0)).map(drop)
}

/// Ends at the deadline; never without one.
async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
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

fn count_run(outcome: &RunOutcome) {
    if outcome.status == RunStatus::Finished {
        metrics::counter!(metric_names::RESTORES_TOTAL.name, "outcome" => "finished").increment(1);
    }
    metrics::counter!(metric_names::RESTORE_FAILED_PACKAGES_TOTAL.name).increment(outcome.failed as u64);
    #[expect(clippy::cast_precision_loss, reason = "packages of one dataset")]
    metrics::histogram!(metric_names::RESTORED_PACKAGES.name).record(outcome.restored as f64);
}

/// Postpones the dataset of a failed run. A failure that passes by itself does not count as an attempt, nor does a run
/// that restored something.
async fn record_failed_run(restorer: &Restorer, lease: Lease, error: &RestoreError, has_restored: bool) {
    let counts = match error {
        RestoreError::LeaseLost => return,
        RestoreError::Db(error) => error.is_permanent() && !has_restored,
        RestoreError::TimedOut | RestoreError::Panicked => !has_restored,
    };
    let (workspace, dataset) = (lease.key.workspace.0, lease.key.dataset.0);
    let postponed = async {
        let attempts = postpone_dataset(&restorer.db, lease, restorer.limits.retry_delay(1), counts).await?;
        tracing::warn!(workspace, dataset, attempts, %error, "restore stopped");
        if counts && attempts >= MAX_ATTEMPTS {
            give_up_dataset(&restorer.db, lease.key).await
        } else {
            Ok(())
        }
    };
    if let Err(error) = postponed.await {
        tracing::error!(workspace, dataset, %error, "a stopped restore continues when its lease has expired");
    }
}

/// Ends all orders of a dataset: what they hold is in the trash again, with the reason, and can be ordered anew. Undeleted
/// objects stay undeleted; the next restore finds them so.
async fn give_up_dataset(db: &Db, key: DatasetKey) -> Result<(), database::Error> {
    let mut session = db.session().await?;
    let tx = session.begin().await?;
    let packages = give_up_orders(&tx, key, RUN_FAILED).await?;
    tx.commit().await?;
    metrics::counter!(metric_names::RESTORES_GIVEN_UP_TOTAL.name).increment(1);
    let (workspace, dataset) = (key.workspace.0, key.dataset.0);
    tracing::error!(workspace, dataset, packages, "restore given up: the packages are in the trash again");
    Ok(())
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
        unblock_claims(db, key, STILL_DELETING, limits.max_blocked.as_secs_f64()).await?;
        Box::pin(run_batches(restorer, (key, until), &mut total, restored)).await?;
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

/// Batch after batch, until no claim is due or `until` has passed. While one batch is finished in Postgres, S3 is asked for
/// the next one. What of that is in a folder of the first is checked again when it is finished itself.
async fn run_batches(
    restorer: &Restorer,
    (key, until): (DatasetKey, Instant),
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
        PackageState::Deleted => Some(DELETED_AGAIN),
        PackageState::Deleting => Some(BEING_DELETED),
        _ if !order.has_root => Some(FOLDER_CYCLE),
        _ => None,
    }
}
