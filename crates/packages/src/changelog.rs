//! Telling the platform's changelog which packages came back.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{io::AsyncWriteExt, sync::Mutex};
use uuid::Uuid;

use crate::{
    id::{DatasetId, PackageId, PackageNodeId, WorkspaceId},
    queue::Sqs,
    restore::{Message, Restored},
};

/// The largest message, in bytes: below the 256 KiB that every SQS queue takes (Amazon SQS, "message quotas").
const MAX_MESSAGE: usize = 240 * 1024;

/// Where changelog messages go.
#[derive(Debug, Clone)]
pub enum Changelog {
    /// Appended to a file, one JSON message a line.
    File(Arc<Mutex<PathBuf>>),
    /// The platform's queue of jobs.
    Sqs(Sqs),
    /// Nowhere: this platform keeps none.
    None,
}

/// One package's entry.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    id: PackageId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_name: Option<String>,
    node_id: PackageNodeId,
}

impl Event {
    /// The entry of a restored package: its name now, and the one before where it could not have that back.
    #[must_use]
    pub fn restored(restored: &Restored) -> Self {
        Self {
            id: restored.package.id,
            name: restored.name.clone(),
            original_name: restored.original_name().map(str::to_owned),
            node_id: restored.package.node_id.clone(),
        }
    }
}

impl Changelog {
    /// A changelog in a file, which is made when it is first written to.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self::File(Arc::new(Mutex::new(path)))
    }

    /// Announces restored packages, in as many messages as their number needs.
    pub async fn announce(&self, order: &Message, events: &[Event], at: OffsetDateTime) -> io::Result<()> {
        let messages = messages(order, events, at)?;
        match self {
            Self::File(path) => append(&path.lock().await, &messages).await,
            Self::Sqs(queue) => match queue.send(&messages).await.len() {
                0 => Ok(()),
                unsent => Err(io::Error::other(format!("{unsent} of {} messages not sent", messages.len()))),
            },
            Self::None => Ok(()),
        }
    }
}

async fn append(path: &Path, messages: &[String]) -> io::Result<()> {
    let mut file = tokio::fs::OpenOptions::new().append(true).create(true).open(path).await?;
    for message in messages {
        file.write_all(format!("{message}\n").as_bytes()).await?;
    }
    file.flush().await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    organization_id: WorkspaceId,
    dataset_id: DatasetId,
    user_id: &'a str,
    trace_id: Uuid,
    id: Uuid,
    events: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    event_type: &'static str,
    timestamp: &'a str,
    event_detail: &'a Event,
}

/// Splits events over messages that fit a queue. Each message has ids of its own; all events have one timestamp.
fn messages(order: &Message, events: &[Event], at: OffsetDateTime) -> io::Result<Vec<String>> {
    let timestamp = at.format(&Rfc3339).map_err(io::Error::other)?;
    let entry = |event_detail| Entry { event_type: "RESTORE_PACKAGE", timestamp: &timestamp, event_detail };
    let mut messages = Vec::new();
    let mut batch = Vec::new();
    let mut size = 0;
    for event in events {
        let entry = entry(event);
        let length = serde_json::to_string(&entry)?.len() + 1;
        if size + length > MAX_MESSAGE && !batch.is_empty() {
            messages.push(envelope(order, std::mem::take(&mut batch))?);
            size = 0;
        }
        size += length;
        batch.push(entry);
    }
    if !batch.is_empty() {
        messages.push(envelope(order, batch)?);
    }
    Ok(messages)
}

fn envelope(order: &Message, events: Vec<Entry<'_>>) -> io::Result<String> {
    let envelope = Envelope {
        organization_id: order.workspace,
        dataset_id: order.dataset,
        user_id: &order.user,
        trace_id: Uuid::new_v4(),
        id: Uuid::new_v4(),
        events,
    };
    Ok(serde_json::to_string(&serde_json::json!({ "DatasetChangelogEventJob": envelope }))?)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::restore::Package;

    fn order() -> Message {
        let package = Package {
            id: PackageId(1),
            node_id: PackageNodeId::parse("N:package:1").unwrap(),
            name: String::new(),
            parent_id: None,
            kind: 10,
        };
        Message { workspace: WorkspaceId(2), dataset: DatasetId(41), user: "N:user:7".into(), package }
    }

    fn event(id: i32, original: Option<&str>) -> Event {
        Event {
            id: PackageId(id),
            name: "a.txt".into(),
            original_name: original.map(str::to_owned),
            node_id: PackageNodeId::parse(&format!("N:package:{id}")).unwrap(),
        }
    }

    #[test]
    fn a_message_has_the_platforms_shape() {
        let at = OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(1500);
        let sent = messages(&order(), &[event(1, None), event(2, Some("b.txt"))], at).unwrap();
        let message: Value = serde_json::from_str(&sent[0]).unwrap();
        let job = &message["DatasetChangelogEventJob"];
        assert_eq!(job["organizationId"], 2);
        assert_eq!(job["datasetId"], 41);
        assert_eq!(job["userId"], "N:user:7");
        assert_ne!(job["traceId"], job["id"]);
        assert_eq!(job["events"][0]["eventType"], "RESTORE_PACKAGE");
        assert_eq!(job["events"][0]["timestamp"], "1970-01-01T00:00:01.5Z");
        let detail = serde_json::json!({"id": 1, "name": "a.txt", "nodeId": "N:package:1"});
        assert_eq!(job["events"][0]["eventDetail"], detail);
        assert_eq!(job["events"][1]["eventDetail"]["originalName"], "b.txt");
    }

    #[test]
    fn a_large_folder_takes_several_messages_and_loses_nothing() {
        let events: Vec<Event> = (0..5000).map(|id| event(id, None)).collect();
        let sent = messages(&order(), &events, OffsetDateTime::UNIX_EPOCH).unwrap();
        assert!(sent.len() > 1);
        assert!(sent.iter().all(|message| message.len() < 256 * 1024));
        let count = |text: &String| {
            let message: Value = serde_json::from_str(text).unwrap();
            message["DatasetChangelogEventJob"]["events"].as_array().unwrap().len()
        };
        assert_eq!(sent.iter().map(count).sum::<usize>(), 5000);
        assert!(messages(&order(), &[], OffsetDateTime::UNIX_EPOCH).unwrap().is_empty());
    }
}
