//! Messages through SQS.

use std::collections::BTreeSet;

use aws::{HttpClient, JsonClient, SqsQueue, trace};
use local::aws::{
    Account, FunctionResources,
    scripted::{ScriptedReply, ScriptedServer},
    unique_name,
};
use serde_json::{Value, json};

#[tokio::test]
async fn each_message_arrives_once() {
    let root = Account::root().unwrap();
    let name = unique_name("orders");
    let queue = root.create_queue(&name, json!({})).await.unwrap();
    let resources = FunctionResources { restore_queue: &name, ..FunctionResources::default() };
    let service = root.create_function_user("service", resources).await.unwrap();
    let sender = SqsQueue { client: service.sqs().unwrap(), url: queue.url.clone() };

    // More than two batches of ten, with characters that need escaping in JSON and XML.
    let bodies: Vec<String> =
        (1..=25).map(|id| json!({"id": id, "name": "東 \u{ffff}\u{1}<&>"}).to_string()).collect();
    assert!(sender.send(&bodies).await.is_empty());

    let received = root.drain_queue(&queue).await.unwrap();
    assert_eq!(received.len(), 25);
    // Compared as values: characters that SQS refuses arrive as JSON escapes.
    let parse = |body: &str| serde_json::from_str::<Value>(body).unwrap();
    let arrived: Vec<Value> =
        received.iter().map(|message| parse(message["Body"].as_str().unwrap())).collect();
    let ids: BTreeSet<u64> = arrived.iter().map(|body| body["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), 25);
    assert!(bodies.iter().all(|body| arrived.contains(&parse(body))));
}

#[tokio::test]
async fn refused_messages_are_reported() {
    let root = Account::root().unwrap();
    let queue =
        root.create_queue(&unique_name("small"), json!({"MaximumMessageSize": "1024"})).await.unwrap();
    let bodies: Vec<String> = (1..=12).map(|id| "x".repeat(if id == 5 { 2000 } else { 10 })).collect();
    assert_eq!(queue.send(&bodies).await, [4]);
    assert_eq!(root.drain_queue(&queue).await.unwrap().len(), 11);

    let missing = SqsQueue { url: format!("{}-not", queue.url), ..queue };
    assert_eq!(missing.send(&bodies).await.len(), 12);
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
    assert!(trace::with_header(Some(header.to_owned()), queue.send(&bodies)).await.is_empty());
    assert!(queue.send(&bodies).await.is_empty());

    let requests = server.requests();
    for entry in requests[0].body["Entries"].as_array().unwrap() {
        let attributes = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": header}});
        assert_eq!(entry["MessageSystemAttributes"], attributes);
    }
    assert!(requests[1].body["Entries"][0].get("MessageSystemAttributes").is_none(), "no trace, no header");
}
