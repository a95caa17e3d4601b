//! How workers learn of new orders.
//!
//! The orders themselves are in Postgres ([`db::queue`](crate::db::queue)). A message only wakes a worker. One that is lost,
//! or comes twice, changes only when the work begins.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use aws::SqsQueue;

use crate::message::RestoreMessage;

/// Wakes workers.
#[derive(Debug, Clone)]
pub enum WorkerQueue {
    /// Workers in this process. Workers of other processes poll for orders.
    Local(Arc<Notify>),
    /// A function behind a queue of Amazon SQS.
    Sqs(SqsQueue),
}

impl WorkerQueue {
    /// Wakes a worker for the message's dataset, after a delay of at most 15 minutes. False: the queue did not accept the
    /// message.
    pub async fn wake_worker(&self, message: &RestoreMessage, delay: Duration) -> bool {
        match self {
            Self::Local(notify) => {
                notify.notify_one();
                true
            }
            Self::Sqs(sqs) => match serde_json::to_string(message) {
                Ok(body) => sqs.send_delayed(&[body], delay).await.is_empty(),
                Err(_) => false,
            },
        }
    }
}
