//! Where orders wait for the worker.

use std::collections::HashSet;

use tokio::sync::mpsc::UnboundedSender;

use crate::{id::PackageId, restore::Message};

/// The queue of restore orders.
#[derive(Debug, Clone)]
pub enum Queue {
    /// A channel to a worker in this process. It forgets with the process, so the host sends what is
    /// [unfinished](crate::restore::find_unfinished) again when it starts.
    InProcess(UnboundedSender<Message>),
}

impl Queue {
    /// Hands messages on; answers the packages whose message was not taken.
    #[expect(clippy::unused_async, reason = "a queue in another process is awaited")]
    pub async fn send(&self, messages: &[Message]) -> HashSet<PackageId> {
        match self {
            Self::InProcess(sender) => messages
                .iter()
                .filter(|message| sender.send((*message).clone()).is_err())
                .map(|message| message.package.id)
                .collect(),
        }
    }
}
