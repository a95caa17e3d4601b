//! Where orders wait for the worker.

mod sqs;

use std::collections::HashSet;

use tokio::sync::mpsc::UnboundedSender;

pub use sqs::Sqs;

use crate::{id::PackageId, restore::Message};

/// The queue of restore orders.
#[derive(Debug, Clone)]
pub enum Queue {
    /// A channel to a worker in this process. It forgets with the process, so the host sends what is
    /// [unfinished](crate::restore::find_unfinished) again when it starts.
    InProcess(UnboundedSender<Message>),
    /// A queue of Amazon SQS.
    Sqs(Sqs),
}

impl Queue {
    /// Hands messages on; answers the packages whose message was not taken.
    pub async fn send(&self, messages: &[Message]) -> HashSet<PackageId> {
        match self {
            Self::InProcess(sender) => messages
                .iter()
                .filter(|message| sender.send((*message).clone()).is_err())
                .map(|message| message.package.id)
                .collect(),
            Self::Sqs(sqs) => {
                let bodies: Vec<String> = messages.iter().map(body).collect();
                let unsent = sqs.send(&bodies).await;
                unsent.into_iter().filter_map(|place| Some(messages.get(place)?.package.id)).collect()
            }
        }
    }
}

/// Texts and numbers can always be written; were it not so, SQS takes no empty message.
fn body(message: &Message) -> String {
    serde_json::to_string(message).unwrap_or_default()
}
