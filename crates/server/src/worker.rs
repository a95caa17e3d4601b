//! The restore workers of a server. Orders wait in Postgres, so several servers may work at once, and one that dies leaves
//! nothing behind but a lease that expires.

use std::{future::Future, io, sync::Arc, thread, time::Duration};

use restore::{
    self, Restorer,
    db::{
        outbox::count_entries,
        queue::{count_datasets, lease_next_dataset},
    },
    deliver_outbox, run_maintenance,
};
use tokio::{
    runtime,
    sync::{Notify, oneshot},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// Datasets that are worked on at once: a large folder must not keep a file elsewhere waiting.
const WORKERS: usize = 4;

/// How often a worker looks for orders of which nobody told it: those of other servers, and those that wait for their time.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long a worker rests when the database did not answer.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// How often it is tried again to deliver what could not be delivered, and the queue is measured.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(20);

/// How often all workspaces are looked through.
const MAINTENANCE_INTERVAL: Duration = Duration::from_hours(6);

/// Workers on a thread of their own. They stop when this is dropped.
#[derive(Debug)]
pub struct WorkerThread {
    /// Its end tells the thread to stop.
    _stop: oneshot::Sender<()>,
}

impl WorkerThread {
    /// Starts them. Apart from everything else, because what they compute for a batch of thousands takes milliseconds, and a
    /// request must not wait behind it. What they work with must not have been used elsewhere: a connection lives on the
    /// runtime that opened it.
    pub fn start(restorer: Restorer, wake: Arc<Notify>, stray_max_age: Duration) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let work = async move {
            tokio::select! {
                () = work(restorer, wake, stray_max_age) => {}
                _ = stopped => {}
            }
        };
        thread::Builder::new().name("restore".to_owned()).spawn(move || runtime.block_on(work))?;
        Ok(Self { _stop: stop })
    }
}

/// Works until it is dropped. `wake` tells of new orders; `stray_max_age` is how long a package may be RESTORING without an
/// order.
async fn work(restorer: Restorer, wake: Arc<Notify>, stray_max_age: Duration) {
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(serve_queue(restorer.clone(), Arc::clone(&wake)));
    }
    workers.spawn(repeat(DELIVERY_INTERVAL, restorer.clone(), deliver_and_measure));
    let maintenance = move |restorer| async move {
        run_maintenance(&restorer, stray_max_age).await.map(drop).map_err(|error| error.to_string())
    };
    workers.spawn(repeat(MAINTENANCE_INTERVAL, restorer.clone(), maintenance));
    // None of them ends by itself.
    while let Some(Err(error)) = workers.join_next().await {
        tracing::error!(%error, "a restore worker panicked; another takes its place");
        workers.spawn(serve_queue(restorer.clone(), Arc::clone(&wake)));
    }
}

/// One dataset's turn after the other.
async fn serve_queue(restorer: Restorer, wake: Arc<Notify>) {
    loop {
        match lease_next_dataset(&restorer.db).await {
            Ok(Some(lease)) => {
                let until = Instant::now() + restorer.limits.turn;
                let (workspace, dataset) = (lease.key.workspace.0, lease.key.dataset.0);
                // A failure is logged and on record where it happens.
                if let Ok(outcome) = restore::process_lease(&restorer, lease, until, None).await
                    && outcome.restored + outcome.failed > 0
                {
                    let (restored, failed) = (outcome.restored, outcome.failed);
                    tracing::info!(workspace, dataset, restored, failed, "packages restored");
                }
            }
            Ok(None) => drop(timeout(POLL_INTERVAL, wake.notified()).await),
            Err(error) => {
                tracing::warn!(%error, "the queue of restores cannot be read");
                sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

async fn deliver_and_measure(restorer: Restorer) -> Result<(), String> {
    deliver_outbox(&restorer, None).await.map_err(|error| error.to_string())?;
    let (datasets, running) = count_datasets(&restorer.db).await.map_err(|error| error.to_string())?;
    let entries = count_entries(&restorer.db).await.map_err(|error| error.to_string())?;
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    {
        metrics::gauge!(metric_names::RESTORE_QUEUE_DATASETS.name).set(datasets as f64);
        metrics::gauge!(metric_names::RESTORE_RUNNING_DATASETS.name).set(running as f64);
        metrics::gauge!(metric_names::RESTORE_OUTBOX_ENTRIES.name).set(entries as f64);
    }
    Ok(())
}

/// Does something now, and again after each interval. A failure is logged.
async fn repeat<F>(interval: Duration, restorer: Restorer, task: impl Fn(Restorer) -> F)
where
    F: Future<Output = Result<(), String>>,
{
    loop {
        if let Err(error) = task(restorer.clone()).await {
            tracing::warn!(error, "maintenance of restores failed");
        }
        sleep(interval).await;
    }
}
