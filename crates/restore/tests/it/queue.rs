//! Restore orders and changelog messages through SQS.

use std::{collections::BTreeSet, time::Duration};

use aws::{HttpClient, JsonClient, SqsQueue};
use local::aws::{
    Account, FunctionResources,
    scripted::{ScriptedReply, ScriptedServer},
    unique_name,
};
use packages::id::{DatasetId, DatasetKey, PackageId, PackageNodeId, WorkspaceId};
use restore::{
    MessagePackage, RestoreMessage,
    changelog::{Changelog, ChangelogEvent, build_messages},
    queue::WorkerQueue,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

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

fn body(received: &Value) -> Value {
    serde_json::from_str(received["Body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn an_order_arrives_as_it_was_sent() {
    let root = Account::root().unwrap();
    let name = unique_name("orders");
    let queue = root.create_queue(&name, json!({})).await.unwrap();
    let service = create_user(&root, "service", &name).await;
    let sender = WorkerQueue::Sqs(SqsQueue { client: service.sqs().unwrap(), url: queue.url.clone() });
    let order = message(7, "東 \u{ffff}\u{1}<&>");
    assert!(sender.wake_worker(&order, Duration::ZERO).await);
    let received = root.drain_queue(&queue).await.unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(serde_json::from_value::<RestoreMessage>(body(&received[0])).unwrap(), order);

    let missing = WorkerQueue::Sqs(SqsQueue { url: format!("{}-not", queue.url), ..queue });
    assert!(!missing.wake_worker(&order, Duration::ZERO).await);
}

/// A queue on a server that sends these responses.
async fn scripted_queue(responses: impl IntoIterator<Item = Value>) -> (ScriptedServer, SqsQueue) {
    let replies = responses.into_iter().map(|body| ScriptedReply::Response(200, body.to_string()));
    let server = ScriptedServer::start(replies).await.unwrap();
    let service = JsonClient::sqs(&server.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    (server, SqsQueue { client: service, url: "https://queue".into() })
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
    assert!(queue.send(&["{}".to_owned()]).await.is_empty());
    assert_eq!(
        worker.drain_queue(&queue).await.unwrap().len(),
        1,
        "the event source of the function receives and deletes"
    );
}
