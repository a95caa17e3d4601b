//! How workers learn of new orders.
//!
//! The orders themselves are in Postgres ([`db::queue`](crate::db::queue)). A message only wakes a worker: one that is lost,
//! or comes twice, changes nothing but when the work begins.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use aws::SqsQueue;

use crate::RestoreMessage;

/// Wakes workers.
#[derive(Debug, Clone)]
pub enum WorkerQueue {
    /// Workers in this process. Those of other processes look for orders now and then.
    Local(Arc<Notify>),
    /// A function behind a queue of Amazon SQS.
    Sqs(SqsQueue),
}

impl WorkerQueue {
    /// Wakes a worker for the dataset that the message names, after a delay of 15 minutes at most. False: the queue did
    /// not take the message.
    pub async fn wake(&self, message: &RestoreMessage, delay: Duration) -> bool {
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
