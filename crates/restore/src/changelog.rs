//! The platform's changelog, which is told which packages came back.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{io::AsyncWriteExt, sync::Mutex};
use uuid::Uuid;

use aws::SqsQueue;
use packages::id::{DatasetId, DatasetKey, PackageId, PackageNodeId, WorkspaceId};

/// The largest message: below the 256 KiB that every SQS queue accepts (Amazon SQS, "message quotas").
const MAX_MESSAGE_BYTES: usize = 240 * 1024;

/// Where changelog messages go.
#[derive(Debug, Clone)]
pub enum Changelog {
    /// Appended to a file, one JSON message a line.
    File(Arc<Mutex<PathBuf>>),
    /// The platform's queue of jobs.
    Sqs(SqsQueue),
    /// Nowhere: this platform has no changelog.
    None,
}

/// The event of one restored package.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangelogEvent {
    /// Primary key.
    pub id: PackageId,
    /// The name that it has now.
    pub name: String,
    /// The name it had before it was deleted, if it could not get that back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_name: Option<String>,
    /// Public id.
    pub node_id: PackageNodeId,
}

/// A message with some events.
#[derive(Debug, Clone)]
pub struct ChangelogMessage {
    /// Its id, which stays the same however often it is sent.
    pub id: Uuid,
    /// The message, in JSON.
    pub body: String,
    /// The packages of its events.
    pub packages: Vec<PackageNodeId>,
}

impl Changelog {
    /// A changelog in a file. The first write creates the file.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self::File(Arc::new(Mutex::new(path)))
    }

    /// Sends messages, each a JSON text. Returns the indexes of those that were not accepted.
    pub async fn send(&self, messages: &[String]) -> Vec<usize> {
        match self {
            Self::File(path) => match append_lines(&path.lock().await, messages).await {
                Ok(()) => Vec::new(),
                Err(error) => {
                    tracing::error!(%error, "the changelog's file cannot be written");
                    (0..messages.len()).collect()
                }
            },
            Self::Sqs(queue) => queue.send(messages).await,
            Self::None => Vec::new(),
        }
    }
}

async fn append_lines(path: &Path, messages: &[String]) -> io::Result<()> {
    let mut file = tokio::fs::OpenOptions::new().append(true).create(true).open(path).await?;
    for message in messages {
        file.write_all(format!("{message}\n").as_bytes()).await?;
    }
    file.flush().await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageBody<'a> {
    organization_id: WorkspaceId,
    dataset_id: DatasetId,
    user_id: &'a str,
    trace_id: Uuid,
    id: Uuid,
    events: Vec<EventBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventBody<'a> {
    event_type: &'static str,
    timestamp: &'a str,
    event_detail: &'a ChangelogEvent,
}

/// Builds the messages for one person's restored packages, as few as fit their queue. Each message has ids of its own; all
/// events have one timestamp.
pub fn build_messages(
    key: DatasetKey,
    user: &str,
    events: &[ChangelogEvent],
    at: OffsetDateTime,
) -> Result<Vec<ChangelogMessage>, serde_json::Error> {
    // Formatting fails only for years after 9999.
    let timestamp = at.format(&Rfc3339).unwrap_or_default();
    let to_body =
        |event_detail| EventBody { event_type: "RESTORE_PACKAGE", timestamp: &timestamp, event_detail };
    let mut messages = Vec::new();
    let mut batch = Vec::new();
    let mut size = 0;
    for event in events {
        let event = to_body(event);
        let length = serde_json::to_string(&event)?.len() + 1;
        if size + length > MAX_MESSAGE_BYTES && !batch.is_empty() {
            messages.push(build_message(key, user, std::mem::take(&mut batch))?);
            size = 0;
        }
        size += length;
        batch.push(event);
    }
    if !batch.is_empty() {
        messages.push(build_message(key, user, batch)?);
    }
    Ok(messages)
}

fn build_message(
    key: DatasetKey,
    user: &str,
    events: Vec<EventBody<'_>>,
) -> Result<ChangelogMessage, serde_json::Error> {
    let id = Uuid::new_v4();
    let packages = events.iter().map(|event| event.event_detail.node_id.clone()).collect();
    let body = MessageBody {
        organization_id: key.workspace,
        dataset_id: key.dataset,
        user_id: user,
        trace_id: Uuid::new_v4(),
        id,
        events,
    };
    let body = serde_json::to_string(&serde_json::json!({ "DatasetChangelogEventJob": body }))?;
    Ok(ChangelogMessage { id, body, packages })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const KEY: DatasetKey = DatasetKey { workspace: WorkspaceId(2), dataset: DatasetId(41) };

    fn event(id: i32, original: Option<&str>) -> ChangelogEvent {
        ChangelogEvent {
            id: PackageId(id),
            name: "a.txt".into(),
            original_name: original.map(str::to_owned),
            node_id: PackageNodeId::parse(&format!("N:package:{id}")).unwrap(),
        }
    }

    #[test]
    fn a_message_has_the_platforms_shape() {
        let at = OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(1500);
        let sent = build_messages(KEY, "N:user:7", &[event(1, None), event(2, Some("b.txt"))], at).unwrap();
        let message: Value = serde_json::from_str(&sent[0].body).unwrap();
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
        let events: Vec<ChangelogEvent> = (0..5000).map(|id| event(id, None)).collect();
        let sent = build_messages(KEY, "N:user:7", &events, OffsetDateTime::UNIX_EPOCH).unwrap();
        assert!(sent.len() > 1);
        assert!(sent.iter().all(|message| message.body.len() < 256 * 1024));
        let count = |message: &ChangelogMessage| {
            let body: Value = serde_json::from_str(&message.body).unwrap();
            assert_eq!(body["DatasetChangelogEventJob"]["id"], message.id.to_string());
            body["DatasetChangelogEventJob"]["events"].as_array().unwrap().len()
        };
        assert_eq!(sent.iter().map(count).sum::<usize>(), 5000);
        assert_eq!(sent.iter().map(|message| message.packages.len()).sum::<usize>(), 5000);
        assert!(build_messages(KEY, "N:user:7", &[], OffsetDateTime::UNIX_EPOCH).unwrap().is_empty());
    }
}
