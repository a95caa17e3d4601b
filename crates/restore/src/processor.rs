//! The processor of restores, the same for every host: it counts attempts, keeps the deadline, catches panics, gives up,
//! and logs the outcome. A server calls [`process_next`], a function in Lambda [`process_message`].
//!
//! A panic anywhere in a run is an error like others: the dataset is tried again, and given up after [`MAX_ATTEMPTS`]. No
//! package stays RESTORING without an order.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Span;

use crate::{
    attempts::{give_up_package, record_failed_run},
    db::queue::{Lease, LeaseResult, lease_dataset, lease_next_dataset},
    error::RestoreError,
    message::RestoreMessage,
    order::ensure_order,
    outbox_delivery::deliver_outbox,
    queue::WorkerQueue,
    restorer::{MAX_ATTEMPTS, Restorer},
    run::{RunOutcome, RunStatus, run_lease},
    window::RunWindow,
};
use database::Db;
use packages::id::DatasetKey;

/// How long a run waits for its deliveries. The rest is delivered later.
const OUTBOX_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a lease is checked that another worker has.
const LEASE_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// After how long a message is delivered again whose first attempt failed; four times that after the second.
const REDELIVERY_DELAY: Duration = Duration::from_secs(30);

/// One delivery of a message.
#[derive(Debug, Clone, Copy)]
pub struct MessageDelivery<'a> {
    /// The message, a [`RestoreMessage`] in JSON.
    pub body: &'a str,
    /// How often the queue has delivered it, this time included.
    pub attempt: u32,
}

/// What the host does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageOutcome {
    /// The message is done: it is deleted.
    Done,
    /// The attempt failed: the message is delivered again after this time. After the last attempt the time is zero, so
    /// that the queue moves it to its dead-letter queue.
    Retry(Duration),
}

/// Processes one delivery of a message on a host that is stopped at `end`. The message names a package; the dataset of that
/// package is processed. What remains to be done later is in a new message, sent to `queue`.
pub async fn process_message(
    restorer: &Restorer,
    queue: &WorkerQueue,
    delivery: MessageDelivery<'_>,
    end: Instant,
) -> MessageOutcome {
    let processed = catch_panic(try_message(restorer, queue, delivery, end)).await;
    match processed {
        Ok(true) => MessageOutcome::Done,
        // Logged where it happened.
        Ok(false) | Err(_) => MessageOutcome::Retry(redelivery_delay(delivery.attempt)),
    }
}

/// False: the message is to be delivered again.
async fn try_message(
    restorer: &Restorer,
    queue: &WorkerQueue,
    MessageDelivery { body, attempt }: MessageDelivery<'_>,
    end: Instant,
) -> Result<bool, RestoreError> {
    let Ok(message) = serde_json::from_str::<RestoreMessage>(body) else {
        tracing::error!("malformed restore message");
        return Ok(false);
    };
    let key = DatasetKey { workspace: message.workspace, dataset: message.dataset };
    // The host's span may have these fields.
    Span::current()
        .record("workspace", key.workspace.0)
        .record("dataset", key.dataset.0)
        .record("package", message.package.id.0);
    ensure_message_order(restorer, &message, attempt).await?;
    let Some(window) = RunWindow::before_stop(Instant::now(), end) else {
        log_stopped(key, &RestoreError::NotStarted);
        return Err(RestoreError::NotStarted);
    };
    let outcome = process_dataset(restorer, key, window).await?;
    match outcome.status {
        // A new message has all of its attempts: there was progress.
        RunStatus::Continues(delay) => Ok(queue.wake_worker(&message, delay).await),
        // The run that postponed the dataset has sent a message, or was a schedule, which checks again. A message that is
        // delivered again after a failure is that message.
        RunStatus::Postponed(delay) if attempt > 1 => Ok(queue.wake_worker(&message, delay).await),
        RunStatus::Finished | RunStatus::LeasedElsewhere | RunStatus::Postponed(_) => Ok(true),
    }
}

/// [`ensure_order`]. If the last attempt fails, the package is in the trash again.
async fn ensure_message_order(
    restorer: &Restorer,
    message: &RestoreMessage,
    attempt: u32,
) -> Result<(), RestoreError> {
    let ensured = catch_panic(async { Ok(ensure_order(&restorer.db, message).await?) }).await;
    let Err(error) = ensured else { return Ok(()) };
    log_stopped(DatasetKey { workspace: message.workspace, dataset: message.dataset }, &error);
    if attempt >= MAX_ATTEMPTS && error.is_permanent() {
        let released = catch_panic(async { Ok(give_up_package(&restorer.db, message).await?) }).await;
        if let Err(error) = released {
            tracing::error!(%error, "a package stays RESTORING without an order until the next maintenance");
        }
    }
    Err(error)
}

/// Four times longer after each attempt; zero after the last one.
fn redelivery_delay(attempt: u32) -> Duration {
    if attempt >= MAX_ATTEMPTS {
        return Duration::ZERO;
    }
    REDELIVERY_DELAY * 4_u32.pow(attempt.saturating_sub(1))
}

/// Processes the dataset that has waited longest, for one turn. False: no dataset is due. An error means that the queue of
/// datasets cannot be read; a run that fails is recorded and logged.
pub async fn process_next(restorer: &Restorer) -> Result<bool, RestoreError> {
    let lease = catch_panic(async { Ok(lease_next_dataset(&restorer.db).await?) }).await?;
    let Some(lease) = lease else { return Ok(false) };
    let window = RunWindow::ending_at(Instant::now() + restorer.limits.turn);
    let _ = process_lease(restorer, lease, window).await;
    Ok(true)
}

/// Processes the orders of one dataset. If another worker has the lease, waits as long as it takes to tell whether that
/// worker is alive. A run that fails is recorded and logged.
pub async fn process_dataset(
    restorer: &Restorer,
    key: DatasetKey,
    window: RunWindow,
) -> Result<RunOutcome, RestoreError> {
    let idle = |status| Ok(RunOutcome { restored: 0, failed: 0, status });
    match catch_panic(wait_for_lease(&restorer.db, key)).await {
        Ok(LeaseResult::Acquired(lease)) => process_lease(restorer, lease, window).await,
        Ok(LeaseResult::Held(_)) => idle(RunStatus::LeasedElsewhere),
        Ok(LeaseResult::NotDue(due_in)) => idle(RunStatus::Postponed(due_in)),
        Ok(LeaseResult::Empty) => idle(RunStatus::Finished),
        Err(error) => {
            log_stopped(key, &error);
            Err(error)
        }
    }
}

/// A worker that is alive renews its lease. The lease of another one expires.
async fn wait_for_lease(db: &Db, key: DatasetKey) -> Result<LeaseResult, RestoreError> {
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

/// Runs, records the result, and delivers the outbox. A panic in one of these parts does not skip the next one.
async fn process_lease(
    restorer: &Restorer,
    lease: Lease,
    window: RunWindow,
) -> Result<RunOutcome, RestoreError> {
    let restored = AtomicUsize::new(0);
    let result = catch_panic(run_lease(restorer, lease, window, &restored)).await;
    let has_restored = restored.load(Relaxed) > 0;
    let recorded = catch_panic(async {
        match &result {
            Ok(outcome) => log_outcome(lease.key, outcome),
            Err(error) => record_failed_run(restorer, lease, error, has_restored).await,
        }
        Ok(())
    });
    if recorded.await.is_err() {
        tracing::error!("recording the result of a restore panicked");
    }
    // Also what an earlier run has left. A failure here is never a second restore.
    let delivered = catch_panic(deliver_within(restorer, lease.key, window));
    if let Err(error) = delivered.await {
        tracing::warn!(%error, "restored packages are announced later");
    }
    result
}

/// Delivers the workspace's outbox. A queue that does not answer must not keep the worker from the next dataset.
async fn deliver_within(restorer: &Restorer, key: DatasetKey, window: RunWindow) -> Result<(), RestoreError> {
    let latest = Instant::now() + OUTBOX_TIMEOUT;
    let end = window.cutoff.map_or(latest, |cutoff| cutoff.min(latest));
    let delivered = timeout_at(end, deliver_outbox(restorer, Some(key.workspace))).await;
    Ok(delivered.unwrap_or(Ok(0)).map(drop)?)
}

fn log_outcome(key: DatasetKey, outcome: &RunOutcome) {
    let RunOutcome { restored, failed, status } = *outcome;
    if status == RunStatus::Finished {
        metrics::counter!(metric_names::RESTORES_TOTAL.name, "outcome" => "finished").increment(1);
    }
    metrics::counter!(metric_names::RESTORE_FAILED_PACKAGES_TOTAL.name).increment(failed as u64);
    #[expect(clippy::cast_precision_loss, reason = "packages of one dataset")]
    metrics::histogram!(metric_names::RESTORED_PACKAGES.name).record(restored as f64);
    if restored + failed > 0 {
        let (workspace, dataset) = (key.workspace.0, key.dataset.0);
        tracing::info!(workspace, dataset, restored, failed, "packages restored");
    }
}

fn log_stopped(key: DatasetKey, error: &RestoreError) {
    let (workspace, dataset) = (key.workspace.0, key.dataset.0);
    tracing::warn!(workspace, dataset, %error, "restore stopped");
}

/// Turns a panic into [`RestoreError::Panicked`]. What the work had open is dropped: a transaction is rolled back. Boxed,
/// because the futures of statements are large.
fn catch_panic<'a, T: 'a>(
    work: impl Future<Output = Result<T, RestoreError>> + Send + 'a,
) -> BoxFuture<'a, Result<T, RestoreError>> {
    let caught = AssertUnwindSafe(work).catch_unwind();
    Box::pin(caught.map(|result| result.unwrap_or(Err(RestoreError::Panicked))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_delivered_again_ever_later_and_at_last_at_once() {
        let delays = [0, 1, 2, 3, u32::MAX].map(|attempt| redelivery_delay(attempt).as_secs());
        assert_eq!(delays, [30, 30, 120, 0, 0]);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let result: Result<(), RestoreError> = catch_panic(async { panic!("a test") }).await;
        assert!(matches!(result, Err(RestoreError::Panicked)), "{result:?}");
    }
}
