//! Restore orders and changelog messages through SQS.

use std::{collections::BTreeSet, time::Duration};

use aws::{HttpClient, JsonClient, SqsQueue, trace};
use local::aws::{
    Account, FunctionResources,
    scripted::{ScriptedReply, ScriptedServer},
};
use packages::id::{DatasetId, DatasetKey, PackageId, PackageNodeId, WorkspaceId};
use restore::{
    MessagePackage, RestoreMessage,
    changelog::{Changelog, ChangelogEvent, build_messages},
    queue::WorkerQueue,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::unique_name;

fn message(id: i32, name: &str) -> RestoreMessage {
    let package = MessagePackage {
        id: PackageId(id),
        node_id: PackageNodeId::parse(&format!("N:package:{id}")).unwrap(),
        name: name.to_owned(),
        parent_id: None,
        kind: 10,
    };
    RestoreMessage { workspace: WorkspaceId(2), dataset: DatasetId(41), user: "N:user:7".into(), package }
}

/// A user with the permissions of a function for this queue of orders.
async fn create_user(root: &Account, function: &str, queue: &str) -> Account {
    let resources = FunctionResources { restore_queue: queue, ..FunctionResources::default() };
    root.create_function_user(function, resources).await.unwrap()
}

fn bodies(messages: &[RestoreMessage]) -> Vec<String> {
    messages.iter().map(|message| serde_json::to_string(message).unwrap()).collect()
}

fn body(received: &Value) -> Value {
    serde_json::from_str(received["Body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn each_message_arrives_once() {
    let root = Account::root().unwrap();
    let name = unique_name("orders");
    let queue = root.create_queue(&name, json!({})).await.unwrap();
    let service = create_user(&root, "service", &name).await;
    let sender = SqsQueue { client: service.sqs().unwrap(), url: queue.url.clone() };

    // More than two batches of ten, with characters that need escaping in JSON and XML.
    let messages: Vec<RestoreMessage> = (1..=25).map(|id| message(id, "東 \u{ffff}\u{1}<&>")).collect();
    assert!(sender.send(&bodies(&messages)).await.is_empty());

    let received = root.drain_queue(&queue).await.unwrap();
    assert_eq!(received.len(), 25);
    let bodies: Vec<RestoreMessage> =
        received.iter().map(|m| serde_json::from_value(body(m)).unwrap()).collect();
    let ids: BTreeSet<PackageId> = bodies.iter().map(|message| message.package.id).collect();
    assert_eq!(ids.len(), 25);
    assert!(bodies.iter().all(|body| messages.contains(body)));
}

#[tokio::test]
async fn refused_messages_are_reported() {
    let root = Account::root().unwrap();
    let queue =
        root.create_queue(&unique_name("small"), json!({"MaximumMessageSize": "1024"})).await.unwrap();
    let messages: Vec<RestoreMessage> =
        (1..=12).map(|id| message(id, &"x".repeat(if id == 5 { 2000 } else { 10 }))).collect();
    assert_eq!(queue.send(&bodies(&messages)).await, [4]);
    assert_eq!(root.drain_queue(&queue).await.unwrap().len(), 11);

    let missing = SqsQueue { url: format!("{}-not", queue.url), ..queue };
    assert_eq!(missing.send(&bodies(&messages)).await.len(), 12);
    assert!(!WorkerQueue::Sqs(missing).wake_worker(&messages[0], Duration::ZERO).await);
}

/// A queue on a server that sends these responses.
async fn scripted_queue(responses: impl IntoIterator<Item = Value>) -> (ScriptedServer, SqsQueue) {
    let replies = responses.into_iter().map(|body| ScriptedReply::Response(200, body.to_string()));
    let server = ScriptedServer::start(replies).await.unwrap();
    let service = JsonClient::sqs(&server.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    (server, SqsQueue { client: service, url: "https://queue".into() })
}

/// The ids of the messages in a batch.
fn batch_ids(body: &Value) -> Vec<&str> {
    body["Entries"].as_array().unwrap().iter().map(|entry| entry["Id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn messages_that_fail_in_the_queue_are_sent_once_more() {
    let (server, queue) = scripted_queue([
        json!({
            "Successful": [{"Id": "0"}],
            "Failed": [
                {"Id": "1", "SenderFault": false, "Code": "InternalError"},
                {"Id": "2", "SenderFault": true, "Code": "InvalidMessageContents"},
            ],
        }),
        json!({"Successful": [{"Id": "1"}], "Failed": [{"Id": "3", "SenderFault": false, "Code": "InternalError"}]}),
    ])
    .await;
    let bodies = ["a", "b", "c", "d"].map(str::to_owned);
    let mut unsent = queue.send(&bodies).await;
    unsent.sort_unstable();
    assert_eq!(unsent, [2, 3], "one was refused, one failed twice");
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(batch_ids(&requests[0].body), ["0", "1", "2", "3"]);
    assert_eq!(batch_ids(&requests[1].body), ["1", "3"]);
    assert_eq!(requests[1].body["Entries"][0]["MessageBody"], "b");
}

/// The test checks the request, because ministack drops the attribute of messages in batches.
#[tokio::test]
async fn orders_have_a_trace_header() {
    let accepted = json!({"Successful": [{"Id": "0"}, {"Id": "1"}]});
    let (server, queue) = scripted_queue([accepted.clone(), accepted]).await;
    let header = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
    let bodies = ["a", "b"].map(str::to_owned);
    assert!(trace::scope(Some(header.to_owned()), queue.send(&bodies)).await.is_empty());
    assert!(queue.send(&bodies).await.is_empty());

    let requests = server.requests();
    for entry in requests[0].body["Entries"].as_array().unwrap() {
        let attributes = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": header}});
        assert_eq!(entry["MessageSystemAttributes"], attributes);
    }
    assert!(requests[1].body["Entries"][0].get("MessageSystemAttributes").is_none(), "no trace, no header");
}

const KEY: DatasetKey = DatasetKey { workspace: WorkspaceId(2), dataset: DatasetId(41) };

fn event(id: i32) -> ChangelogEvent {
    ChangelogEvent {
        id: PackageId(id),
        name: "n".repeat(150),
        original_name: None,
        node_id: PackageNodeId::parse(&format!("N:package:{id}")).unwrap(),
    }
}

#[tokio::test]
async fn a_large_folder_becomes_several_messages() {
    let root = Account::root().unwrap();
    let name = unique_name("jobs");
    let queue = root.create_queue(&name, json!({"MaximumMessageSize": "262144"})).await.unwrap();
    let resources = FunctionResources { changelog_queue: &name, ..FunctionResources::default() };
    let worker = root.create_function_user("restore", resources).await.unwrap();
    let changelog = Changelog::Sqs(SqsQueue { client: worker.sqs().unwrap(), url: queue.url.clone() });
    let events: Vec<ChangelogEvent> = (0..3000).map(event).collect();
    let messages = build_messages(KEY, "N:user:7", &events, OffsetDateTime::UNIX_EPOCH).unwrap();
    let messages: Vec<String> = messages.into_iter().map(|message| message.body).collect();
    assert!(changelog.send(&messages).await.is_empty());

    let jobs: Vec<Value> = root.drain_queue(&queue).await.unwrap().iter().map(body).collect();
    assert!(jobs.len() > 2, "{} messages", jobs.len());
    let jobs: Vec<&Value> = jobs.iter().map(|job| &job["DatasetChangelogEventJob"]).collect();
    let event_ids: BTreeSet<i64> = jobs
        .iter()
        .flat_map(|job| job["events"].as_array().unwrap())
        .map(|event| event["eventDetail"]["id"].as_i64().unwrap())
        .collect();
    assert_eq!(event_ids, (0..3000).collect());
    let job_ids: BTreeSet<&str> = jobs.iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(job_ids.len(), jobs.len());
}

#[tokio::test]
async fn a_delayed_message_has_its_delay() {
    let (server, queue) =
        scripted_queue([json!({"Successful": [{"Id": "0"}]}), json!({"Successful": [{"Id": "0"}]})]).await;
    let sender = WorkerQueue::Sqs(queue);
    assert!(sender.wake_worker(&message(1, "x"), Duration::ZERO).await);
    assert!(sender.wake_worker(&message(1, "x"), Duration::from_hours(1)).await);
    let requests = server.requests();
    assert!(requests[0].body["Entries"][0].get("DelaySeconds").is_none());
    assert_eq!(requests[1].body["Entries"][0]["DelaySeconds"], 900, "the maximum of SQS");
}

#[tokio::test]
async fn the_service_may_not_receive_its_orders() {
    let root = Account::root().unwrap();
    let name = unique_name("orders");
    let queue = root.create_queue(&name, json!({})).await.unwrap();
    let service = create_user(&root, "service", &name).await;
    assert!(service.drain_queue(&queue).await.is_err());
    let worker = create_user(&root, "restore", &name).await;
    assert!(queue.send(&bodies(&[message(1, "x")])).await.is_empty());
    assert_eq!(
        worker.drain_queue(&queue).await.unwrap().len(),
        1,
        "the event source of the function receives and deletes"
    );
}
