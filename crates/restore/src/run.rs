//! A run: a worker's turn at the orders of one dataset.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout_at};

use crate::db::{
    claims::{ClaimPosition, ClaimedOrder, claim_ancestors, claim_trees, unblock},
    orders::{fail_orders, finish_orders, forget_purged_orders, give_up_orders},
    queue::{LEASE_TIME, Lease, Leased, find_remaining, lease, postpone, release_lease, renew_lease},
};
use crate::{
    MAX_ATTEMPTS, RUN_FAILED, RestoreError, Restorer,
    batch::{BEING_DELETED, Batch, DELETED_AGAIN, START, read_batch},
    delivery::deliver,
    finish::{Finished, apply_errors, finish_batch},
};
use database::{self, Db};
use packages::{
    id::{DatasetKey, PackageId},
    package::PackageState,
};

/// Why a package with a circle of parents stays in the trash.
const CIRCLE: &str = "the folders above it form a circle";

/// Why a package stays in the trash that the platform deletes for too long.
const STILL_DELETING: &str = "the platform is still deleting it; it comes back when that has ended";

/// How long a run waits for what it announces to be delivered. The rest is delivered later.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the lease of a dataset is looked at that somebody else has.
const LEASE_INTERVAL: Duration = Duration::from_millis(50);

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOutcome {
    /// How many packages came back, folders above included.
    pub restored: usize,
    /// How many could not, and are still in the trash.
    pub failed: usize,
    /// What is left to do.
    pub progressed: RunStatus,
}

/// What is left to do in a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// Nothing.
    Finished,
    /// Something, and it can be gone on with after so long.
    Continues(Duration),
    /// Somebody else is at it, and does all that is on record.
    Elsewhere,
    /// Something, which another run has put off for so long.
    PutOff(Duration),
}

/// Carries out what is ordered in a dataset, until `until` has passed; what is under way then is cut off at `deadline`.
/// Waits for the lease as long as it takes to tell whether its holder is alive.
pub async fn run(
    restorer: &Restorer,
    key: DatasetKey,
    until: Instant,
    deadline: Option<Instant>,
) -> Result<RunOutcome, RestoreError> {
    let idle = |progressed| RunOutcome { restored: 0, failed: 0, progressed };
    match wait_for_lease(&restorer.db, key).await? {
        Leased::Taken(lease) => run_leased(restorer, lease, until, deadline).await,
        Leased::Held(_) => Ok(idle(RunStatus::Elsewhere)),
        Leased::Waiting(due_in) => Ok(idle(RunStatus::PutOff(due_in))),
        Leased::Empty => Ok(idle(RunStatus::Finished)),
    }
}

/// A lease that is renewed has a holder that is alive; another one expires.
async fn wait_for_lease(db: &Db, key: DatasetKey) -> Result<Leased, database::Error> {
    let mut held_until: Option<SystemTime> = None;
    loop {
        match lease(db, key).await? {
            Leased::Held(until) if held_until.is_none_or(|before| before == until) => {
                held_until = Some(until);
            }
            leased => return Ok(leased),
        }
        sleep(LEASE_INTERVAL).await;
    }
}

/// The same for a worker that has the lease. An error says that the dataset is to be tried again, and when is on record;
/// after the last attempt its orders are given up.
pub async fn run_leased(
    restorer: &Restorer,
    lease: Lease,
    until: Instant,
    deadline: Option<Instant>,
) -> Result<RunOutcome, RestoreError> {
    let restored = AtomicUsize::new(0);
    let work = AssertUnwindSafe(Box::pin(work(restorer, lease, until, &restored))).catch_unwind();
    let ended = tokio::select! {
        ended = work => ended.unwrap_or(Err(RestoreError::Panicked)),
        () = keep_lease(&restorer.db, lease) => Err(RestoreError::LeaseLost),
        () = pass(deadline) => Err(RestoreError::TimedOut),
    };
    match &ended {
        Ok(outcome) => count_run(outcome),
        Err(error) => {
            metrics::counter!(metric_names::RESTORES_TOTAL.name, "outcome" => "stopped").increment(1);
            stop(restorer, lease, error, restored.load(Relaxed) > 0).await;
        }
    }
    // Also what an earlier run has left. A failure here is never a second restore.
    if let Err(error) = deliver_until(restorer, lease.key, deadline).await {
        tracing::warn!(%error, "what is restored is announced later");
    }
    ended
}

async fn deliver_until(
    restorer: &Restorer,
    key: DatasetKey,
    deadline: Option<Instant>,
) -> Result<(), database::Error> {
    // A queue that does not answer must not keep the worker from the next dataset.
    let latest = Instant::now() + DELIVERY_TIMEOUT;
    let end = deadline.map_or(latest, |deadline| deadline.min(latest));
    timeout_at(end, deliver(restorer, Some(key.workspace))).await.unwrap_or(Ok(0)).map(drop)
}

/// Ends when the deadline has passed; never without one.
async fn pass(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Renews the lease until that fails.
async fn keep_lease(db: &Db, lease: Lease) {
    loop {
        sleep(LEASE_TIME / 3).await;
        match renew_lease(db, lease).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "the lease of a dataset was not renewed"),
        }
    }
}

fn count_run(outcome: &RunOutcome) {
    if outcome.progressed == RunStatus::Finished {
        metrics::counter!(metric_names::RESTORES_TOTAL.name, "outcome" => "finished").increment(1);
    }
    metrics::counter!(metric_names::RESTORE_FAILED_PACKAGES_TOTAL.name).increment(outcome.failed as u64);
    #[expect(clippy::cast_precision_loss, reason = "packages of one dataset")]
    metrics::histogram!(metric_names::RESTORED_PACKAGES.name).record(outcome.restored as f64);
}

/// Puts on record that a run failed. What passes by itself does not count as an attempt, nor does a run that got on.
async fn stop(restorer: &Restorer, lease: Lease, error: &RestoreError, got_on: bool) {
    let counts = match error {
        RestoreError::LeaseLost => return,
        RestoreError::Db(error) => error.is_permanent() && !got_on,
        RestoreError::TimedOut | RestoreError::Panicked => !got_on,
    };
    let (workspace, dataset) = (lease.key.workspace.0, lease.key.dataset.0);
    let stopped = async {
        let attempts = postpone(&restorer.db, lease, restorer.limits.retry_delay(1), counts).await?;
        tracing::warn!(workspace, dataset, attempts, %error, "restore stopped");
        if counts && attempts >= MAX_ATTEMPTS { give_up(&restorer.db, lease.key).await } else { Ok(()) }
    };
    if let Err(error) = stopped.await {
        tracing::error!(workspace, dataset, %error, "a stopped restore goes on when its lease has expired");
    }
}

/// Ends all orders of a dataset: what they hold is in the trash again, with the reason, and can be ordered anew. Undeleted
/// objects stay undeleted; the next restore finds them so.
async fn give_up(db: &Db, key: DatasetKey) -> Result<(), database::Error> {
    let mut session = db.session().await?;
    let tx = session.begin().await?;
    let packages = give_up_orders(&tx, key, RUN_FAILED).await?;
    tx.commit().await?;
    metrics::counter!(metric_names::RESTORES_GIVEN_UP_TOTAL.name).increment(1);
    let (workspace, dataset) = (key.workspace.0, key.dataset.0);
    tracing::error!(workspace, dataset, packages, "restore given up: the packages are in the trash again");
    Ok(())
}

async fn work(
    restorer: &Restorer,
    lease: Lease,
    until: Instant,
    restored: &AtomicUsize,
) -> Result<RunOutcome, RestoreError> {
    let (db, key, limits) = (&restorer.db, lease.key, restorer.limits);
    let mut total = Finished::default();
    loop {
        claim_orders(db, key).await?;
        unblock(db, key, STILL_DELETING, limits.max_blocked.as_secs_f64()).await?;
        Box::pin(run_batches(restorer, (key, until), &mut total, restored)).await?;
        finish_orders(db, key).await?;
        let remaining = find_remaining(db, key, limits.blocked_delay).await?;
        let Some(remaining) = remaining else { return Err(RestoreError::LeaseLost) };
        let is_due = remaining.due_in.is_some_and(|due_in| due_in.is_zero());
        if is_due && Instant::now() < until {
            continue;
        }
        if release_lease(db, lease, remaining).await? {
            let progressed = remaining.due_in.map_or(RunStatus::Finished, RunStatus::Continues);
            let Finished { restored, failed } = total;
            return Ok(RunOutcome { restored, failed, progressed });
        }
        // An order came in since the look, or another worker has the lease.
        if !renew_lease(db, lease).await? {
            return Err(RestoreError::LeaseLost);
        }
    }
}

/// Batch after batch, until no claim is due or it is another dataset's turn. While one batch is finished in Postgres, S3 is
/// asked for the next one. What of that lies in a folder of the first is looked at again when its own turn has come.
async fn run_batches(
    restorer: &Restorer,
    (key, until): (DatasetKey, Instant),
    total: &mut Finished,
    restored: &AtomicUsize,
) -> Result<(), RestoreError> {
    let mut next = undelete_batch(restorer, key, START).await?;
    while let Some(batch) = next {
        let end = batch.end();
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
    apply_errors(&mut batch, &errors);
    Ok(Some(batch))
}

/// Records what new orders hold. An order whose package cannot come back ends here.
async fn claim_orders(db: &Db, key: DatasetKey) -> Result<(), database::Error> {
    let mut session = db.session().await?;
    let tx = session.begin().await?;
    let orders = claim_trees(&tx, key).await?;
    if !orders.is_empty() {
        let (failed, claimed): (Vec<_>, Vec<_>) = orders.iter().partition(|order| refusal(**order).is_some());
        let claimed: Vec<i32> = claimed.iter().map(|order: &&ClaimedOrder| order.id.0).collect();
        claim_ancestors(&tx, key, &claimed).await?;
        let failed: Vec<(PackageId, &str)> =
            failed.iter().filter_map(|order| Some((order.id, refusal(**order)?))).collect();
        if !failed.is_empty() {
            fail_orders(&tx, key.workspace, &failed).await?;
        }
    }
    forget_purged_orders(&tx, key).await?;
    tx.commit().await
}

fn refusal(order: ClaimedOrder) -> Option<&'static str> {
    match order.state {
        PackageState::Deleted => Some(DELETED_AGAIN),
        PackageState::Deleting => Some(BEING_DELETED),
        _ if !order.has_top => Some(CIRCLE),
        _ => None,
    }
}
