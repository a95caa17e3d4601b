//! The restore worker of a single machine: takes orders from the in-process queue, several at a time.

use std::{sync::Arc, time::Duration};

use packages::{
    db::{self, Db},
    queue::Queue,
    restore::{self, ATTEMPTS, Message, NO_ANSWER, Restorer},
};
use tokio::sync::{Semaphore, mpsc::UnboundedReceiver};

/// Restores at once: a large folder must not keep a single file waiting.
const AT_ONCE: usize = 4;

/// The pause before the second attempt; it doubles with each.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause while an order that is given up cannot be put back.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Sends what an earlier process left unfinished to the queue again, which has forgotten it.
pub async fn take_up(db: &Db, queue: &Queue) -> Result<(), db::Error> {
    let unfinished = restore::find_unfinished(db).await?;
    if !unfinished.is_empty() {
        tracing::info!(orders = unfinished.len(), "taking up what was being restored");
        queue.send(&unfinished).await;
    }
    Ok(())
}

/// Works until the queue is closed.
pub async fn work(restorer: Restorer, mut orders: UnboundedReceiver<Message>) {
    let restorer = Arc::new(restorer);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(message) = orders.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let restorer = Arc::clone(&restorer);
        tokio::spawn(async move {
            let done = carry_out(&restorer, &message).await;
            drop(place);
            if !done {
                give_up(&restorer, &message).await;
            }
        });
    }
}

/// Tries a message as often as a real queue would deliver it. False: it is to be given up.
async fn carry_out(restorer: &Restorer, message: &Message) -> bool {
    let (workspace, dataset, package) = (message.workspace.0, message.dataset.0, message.package.id.0);
    for attempt in 1..=ATTEMPTS {
        match restore::run(restorer, message).await {
            Ok(outcome) => {
                let (restored, failed) = (outcome.restored, outcome.failed);
                tracing::info!(workspace, dataset, package, attempt, restored, failed, "restore finished");
                return true;
            }
            Err(error) => tracing::warn!(workspace, dataset, package, attempt, %error, "restore stopped"),
        }
        if attempt < ATTEMPTS {
            tokio::time::sleep(PAUSE * (1 << (attempt - 1))).await;
        }
    }
    false
}

/// Puts back what was claimed, however long the database takes to come back: nothing may be left on its way.
async fn give_up(restorer: &Restorer, message: &Message) {
    let (workspace, dataset, package) = (message.workspace.0, message.dataset.0, message.package.id.0);
    let mut pause = PAUSE;
    while let Err(error) = restore::give_up(&restorer.db, message, NO_ANSWER).await {
        tracing::error!(workspace, dataset, package, %error, "restore given up, but the package is still RESTORING");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    tracing::error!(workspace, dataset, package, "restore given up: the package is in the trash again");
}
