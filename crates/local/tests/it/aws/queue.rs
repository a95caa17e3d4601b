//! Orders and changelog messages through SQS.

use std::{collections::BTreeSet, time::Duration};

use aws::{HttpClient, JsonClient, SqsQueue, trace};
use local::aws::{
    Account, Resources,
    scripted::{Scene, Scripted},
};
use packages::id::{DatasetId, DatasetKey, PackageId, PackageNodeId, WorkspaceId};
use restore::{
    MessagePackage, RestoreMessage,
    changelog::{Changelog, Event, build_messages},
    queue::WorkerQueue,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::unique;

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

fn bodies(messages: &[RestoreMessage]) -> Vec<String> {
    messages.iter().map(|message| serde_json::to_string(message).unwrap()).collect()
}

fn body(received: &Value) -> Value {
    serde_json::from_str(received["Body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn messages_arrive_once_each() {
    let root = Account::root().unwrap();
    let name = unique("orders");
    let queue = root.create_queue(&name, json!({})).await.unwrap();
    let service =
        root.function("service", Resources { orders: &name, ..Resources::default() }).await.unwrap();
    let sender = SqsQueue { service: service.sqs().unwrap(), url: queue.url.clone() };

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
async fn what_a_queue_does_not_take_is_said() {
    let root = Account::root().unwrap();
    let queue = root.create_queue(&unique("small"), json!({"MaximumMessageSize": "1024"})).await.unwrap();
    let messages: Vec<RestoreMessage> =
        (1..=12).map(|id| message(id, &"x".repeat(if id == 5 { 2000 } else { 10 }))).collect();
    assert_eq!(queue.send(&bodies(&messages)).await, [4]);
    assert_eq!(root.drain_queue(&queue).await.unwrap().len(), 11);

    let nowhere = SqsQueue { url: format!("{}-not", queue.url), ..queue };
    assert_eq!(nowhere.send(&bodies(&messages)).await.len(), 12);
    assert!(!WorkerQueue::Sqs(nowhere).wake_worker(&messages[0], Duration::ZERO).await);
}

async fn scripted(scenes: impl IntoIterator<Item = Value>) -> (Scripted, SqsQueue) {
    let scenes = scenes.into_iter().map(|body| Scene::Says(200, body.to_string()));
    let server = Scripted::start(scenes).await.unwrap();
    let service = JsonClient::sqs(&server.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    (server, SqsQueue { service, url: "https://queue".into() })
}

/// The ids that a batch was about.
fn ids(asked: &Value) -> Vec<&str> {
    asked["Entries"].as_array().unwrap().iter().map(|entry| entry["Id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_failed_by_the_queues_fault_is_sent_once_more() {
    let (server, queue) = scripted([
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
    assert_eq!(unsent, [2, 3], "refused; not taken twice");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(ids(&asked[0].1), ["0", "1", "2", "3"]);
    assert_eq!(ids(&asked[1].1), ["1", "3"]);
    assert_eq!(asked[1].1["Entries"][0]["MessageBody"], "b");
}

/// Asked of the request: ministack forgets the attribute where messages come in batches.
#[tokio::test]
async fn orders_carry_their_trace() {
    let taken = json!({"Successful": [{"Id": "0"}, {"Id": "1"}]});
    let (server, queue) = scripted([taken.clone(), taken]).await;
    let header = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
    let bodies = ["a", "b"].map(str::to_owned);
    assert!(trace::scope(Some(header.to_owned()), queue.send(&bodies)).await.is_empty());
    assert!(queue.send(&bodies).await.is_empty());

    let asked = server.asked();
    for entry in asked[0].1["Entries"].as_array().unwrap() {
        let attributes = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": header}});
        assert_eq!(entry["MessageSystemAttributes"], attributes);
    }
    assert!(asked[1].1["Entries"][0].get("MessageSystemAttributes").is_none(), "no trace, no header");
}

const KEY: DatasetKey = DatasetKey { workspace: WorkspaceId(2), dataset: DatasetId(41) };

fn event(id: i32) -> Event {
    Event {
        id: PackageId(id),
        name: "n".repeat(150),
        original_name: None,
        node_id: PackageNodeId::parse(&format!("N:package:{id}")).unwrap(),
    }
}

#[tokio::test]
async fn a_large_folder_is_told_in_several_messages() {
    let root = Account::root().unwrap();
    let name = unique("jobs");
    let queue = root.create_queue(&name, json!({"MaximumMessageSize": "262144"})).await.unwrap();
    let worker = root.function("restore", Resources { jobs: &name, ..Resources::default() }).await.unwrap();
    let changelog = Changelog::Sqs(SqsQueue { service: worker.sqs().unwrap(), url: queue.url.clone() });
    let events: Vec<Event> = (0..3000).map(event).collect();
    let messages = build_messages(KEY, "N:user:7", &events, OffsetDateTime::UNIX_EPOCH).unwrap();
    let messages: Vec<String> = messages.into_iter().map(|message| message.body).collect();
    assert!(changelog.send(&messages).await.is_empty());

    let jobs: Vec<Value> = root.drain_queue(&queue).await.unwrap().iter().map(body).collect();
    assert!(jobs.len() > 2, "{} messages", jobs.len());
    let jobs: Vec<&Value> = jobs.iter().map(|job| &job["DatasetChangelogEventJob"]).collect();
    let told: BTreeSet<i64> = jobs
        .iter()
        .flat_map(|job| job["events"].as_array().unwrap())
        .map(|event| event["eventDetail"]["id"].as_i64().unwrap())
        .collect();
    assert_eq!(told, (0..3000).collect());
    let own: BTreeSet<&str> = jobs.iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(own.len(), jobs.len());
}

#[tokio::test]
async fn a_delayed_message_says_so() {
    let (server, queue) =
        scripted([json!({"Successful": [{"Id": "0"}]}), json!({"Successful": [{"Id": "0"}]})]).await;
    let sender = WorkerQueue::Sqs(queue);
    assert!(sender.wake_worker(&message(1, "x"), Duration::ZERO).await);
    assert!(sender.wake_worker(&message(1, "x"), Duration::from_hours(1)).await);
    let asked = server.asked();
    assert!(asked[0].1["Entries"][0].get("DelaySeconds").is_none());
    assert_eq!(asked[1].1["Entries"][0]["DelaySeconds"], 900, "what SQS takes at most");
}

#[tokio::test]
async fn the_service_may_not_read_its_own_orders() {
    let root = Account::root().unwrap();
    let name = unique("orders");
    let queue = root.create_queue(&name, json!({})).await.unwrap();
    let service =
        root.function("service", Resources { orders: &name, ..Resources::default() }).await.unwrap();
    assert!(service.drain_queue(&queue).await.is_err());
    let worker = root.function("restore", Resources { orders: &name, ..Resources::default() }).await.unwrap();
    assert!(queue.send(&bodies(&[message(1, "x")])).await.is_empty());
    assert_eq!(worker.drain_queue(&queue).await.unwrap().len(), 1, "its event source receives and deletes");
}
