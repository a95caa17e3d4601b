//! The restore workers of a server. Orders are in Postgres, so several servers may work at once. A server that dies leaves
//! only a lease, which expires.

use std::{collections::HashMap, future::Future, io, sync::Arc, thread, time::Duration};

use restore::{
    Restorer,
    db::{
        outbox::count_entries,
        queue::{QueueSize, count_datasets},
    },
    deliver_outbox, process_next, run_maintenance,
};
use tokio::{
    runtime,
    sync::{Notify, oneshot},
    task::{self, JoinSet},
    time::{sleep, timeout},
};

/// Datasets that are processed at once: a large folder must not delay a file elsewhere.
const WORKERS: usize = 4;

/// How often a worker polls for orders that no message announced: those of other servers, and those that are due now.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long a worker waits when the database did not answer.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// How often failed deliveries are tried again, and the queue is measured.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(20);

/// How often maintenance runs.
const MAINTENANCE_INTERVAL: Duration = Duration::from_hours(6);

/// Workers on a thread of their own. They stop when this is dropped.
#[derive(Debug)]
pub struct WorkerThread {
    /// Dropping it tells the thread to stop.
    _stop: oneshot::Sender<()>,
}

impl WorkerThread {
    /// Starts the workers. They have a thread of their own because a batch of thousands takes milliseconds of CPU, and no
    /// request may wait for it. The restorer's connections must not have been used elsewhere: a connection lives on the
    /// runtime that opened it.
    pub fn start(restorer: Restorer, wake: Arc<Notify>, stray_max_age: Duration) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let workers = Workers { restorer, wake, stray_max_age };
        let work = async move {
            tokio::select! {
                () = workers.run_tasks() => {}
                _ = stopped => {}
            }
        };
        thread::Builder::new().name("restore".to_owned()).spawn(move || runtime.block_on(work))?;
        Ok(Self { _stop: stop })
    }
}

/// What the tasks of a server work with.
#[derive(Debug, Clone)]
struct Workers {
    restorer: Restorer,
    /// Announces new orders.
    wake: Arc<Notify>,
    /// How long a package may be RESTORING without an order.
    stray_max_age: Duration,
}

#[derive(Debug, Clone, Copy)]
enum WorkerTask {
    Process,
    Deliver,
    Maintain,
}

impl Workers {
    /// Runs all tasks until it is dropped. A task that panics is started again: the processor catches the panics of runs,
    /// and this those of all else.
    async fn run_tasks(&self) {
        let mut running = JoinSet::new();
        let mut tasks: HashMap<task::Id, WorkerTask> = HashMap::new();
        let start = |running: &mut JoinSet<()>, tasks: &mut HashMap<_, _>, task| {
            tasks.insert(running.spawn(self.clone().run_task(task)).id(), task);
        };
        for _ in 0..WORKERS {
            start(&mut running, &mut tasks, WorkerTask::Process);
        }
        start(&mut running, &mut tasks, WorkerTask::Deliver);
        start(&mut running, &mut tasks, WorkerTask::Maintain);
        // No task ends by itself.
        while let Some(Err(error)) = running.join_next().await {
            tracing::error!(%error, "a restore worker panicked; it is started again");
            sleep(RETRY_INTERVAL).await;
            if let Some(task) = tasks.remove(&error.id()) {
                start(&mut running, &mut tasks, task);
            }
        }
    }

    async fn run_task(self, task: WorkerTask) {
        match task {
            WorkerTask::Process => self.process_queue().await,
            WorkerTask::Deliver => {
                repeat_every("delivery", DELIVERY_INTERVAL, || self.deliver_and_measure()).await;
            }
            WorkerTask::Maintain => {
                repeat_every("maintenance", MAINTENANCE_INTERVAL, || self.maintain()).await;
            }
        }
    }

    /// One dataset's turn after the other.
    async fn process_queue(&self) {
        loop {
            match process_next(&self.restorer).await {
                Ok(true) => {}
                Ok(false) => drop(timeout(POLL_INTERVAL, self.wake.notified()).await),
                Err(error) => {
                    tracing::warn!(%error, "the queue of restores cannot be read");
                    sleep(RETRY_INTERVAL).await;
                }
            }
        }
    }

    async fn deliver_and_measure(&self) -> Result<(), String> {
        let db = &self.restorer.db;
        deliver_outbox(&self.restorer, None).await.map_err(|error| error.to_string())?;
        let QueueSize { datasets, leased } = count_datasets(db).await.map_err(|error| error.to_string())?;
        let entries = count_entries(db).await.map_err(|error| error.to_string())?;
        #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
        {
            metrics::gauge!(metric_names::RESTORE_QUEUE_DATASETS.name).set(datasets as f64);
            metrics::gauge!(metric_names::RESTORE_RUNNING_DATASETS.name).set(leased as f64);
            metrics::gauge!(metric_names::RESTORE_OUTBOX_ENTRIES.name).set(entries as f64);
        }
        Ok(())
    }

    async fn maintain(&self) -> Result<(), String> {
        let report = run_maintenance(&self.restorer, self.stray_max_age).await;
        report.map(drop).map_err(|error| error.to_string())
    }
}

/// Does something now, and again after each interval. A failure is logged.
async fn repeat_every<F>(task: &'static str, interval: Duration, work: impl Fn() -> F)
where
    F: Future<Output = Result<(), String>>,
{
    loop {
        if let Err(error) = work().await {
            tracing::warn!(task, error, "a periodic task of restores failed");
        }
        sleep(interval).await;
    }
}
