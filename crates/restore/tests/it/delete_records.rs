//! Delete records in DynamoDB.

use aws::{Error, HttpClient, JsonClient};
use local::aws::{
    Account, FunctionResources,
    scripted::{ScriptedReply, ScriptedServer},
    unique_name,
};
use packages::id::PackageNodeId;
use restore::delete_records::DeleteRecords;
use serde_json::{Value, json};

fn node_id(number: usize) -> PackageNodeId {
    PackageNodeId::parse(&format!("N:package:{number:04}")).unwrap()
}

fn node_ids(numbers: std::ops::Range<usize>) -> Vec<PackageNodeId> {
    numbers.map(node_id).collect()
}

/// A record in the format of the platform.
fn record(package: &PackageNodeId) -> Value {
    json!({
        "NodeId": {"S": package},
        "S3Bucket": {"S": "storage"},
        "S3Key": {"S": "O1/D1/x"},
        "S3ObjectVersion": {"S": "v"},
        "ObjectSize": {"S": "12"},
    })
}

/// A table, and a client for it with the permissions of the restore function.
async fn create_table(root: &Account, sort: Option<&str>) -> (String, DeleteRecords) {
    let name = unique_name("records");
    root.create_table(&name, sort).await.unwrap();
    let resources = FunctionResources { delete_record_table: &name, ..FunctionResources::default() };
    let worker = root.create_function_user("restore", resources).await.unwrap();
    let records = DeleteRecords::dynamodb(worker.dynamodb().unwrap(), name.clone());
    (name, records)
}

#[tokio::test]
async fn removes_the_records_of_restored_packages_and_no_others() {
    let root = Account::root().unwrap();
    let (name, records) = create_table(&root, None).await;
    for package in node_ids(0..130) {
        root.put_item(&name, record(&package)).await.unwrap();
    }
    // 120 of them have a record, 40 have none, and one is listed twice.
    let mut restored = node_ids(10..170);
    restored.push(node_id(20));
    assert_eq!(records.remove(&restored).await, Ok(120));
    let items = root.scan_items(&name).await.unwrap();
    let mut left: Vec<&str> = items.iter().map(|item| item["NodeId"]["S"].as_str().unwrap()).collect();
    left.sort_unstable();
    assert_eq!(left, node_ids(0..10).iter().map(PackageNodeId::as_str).collect::<Vec<_>>());
    assert_eq!(records.remove(&restored).await, Ok(0), "safe to repeat");
    assert_eq!(records.remove(&[]).await, Ok(0));
}

#[tokio::test]
async fn a_package_may_have_several_records() {
    let root = Account::root().unwrap();
    let (name, records) = create_table(&root, Some("S3Key")).await;
    for package in node_ids(0..3) {
        for file in 0..40 {
            let mut item = record(&package);
            item["S3Key"] = json!({"S": format!("O1/D1/{file}")});
            root.put_item(&name, item).await.unwrap();
        }
    }
    assert_eq!(records.remove(&node_ids(0..2)).await, Ok(80));
    let left = root.scan_items(&name).await.unwrap();
    assert_eq!(left.len(), 40);
    assert!(left.iter().all(|item| item["NodeId"]["S"] == "N:package:0002"));
}

/// DynamoDB returns at most 16 MB per response. ministack has no limit.
#[tokio::test]
async fn removes_records_that_exceed_one_response() {
    let root = Account::root().unwrap();
    let (name, records) = create_table(&root, None).await;
    for package in node_ids(0..60) {
        let mut item = record(&package);
        item["More"] = json!({"S": "x".repeat(390_000)});
        root.put_item(&name, item).await.unwrap();
    }
    assert_eq!(records.remove(&node_ids(0..60)).await, Ok(60));
    assert!(root.scan_items(&name).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_missing_table_is_an_error() {
    let root = Account::root().unwrap();
    let records = DeleteRecords::dynamodb(root.dynamodb().unwrap(), unique_name("none"));
    let error = records.remove(&node_ids(0..1)).await.unwrap_err();
    assert!(error.has_code("ResourceNotFoundException"), "{error}");
    assert_eq!(DeleteRecords::None.remove(&node_ids(0..1)).await, Ok(0));
}

/// Delete records on a server that sends these statuses and bodies. The first response is the table's key schema.
async fn scripted_table(responses: Vec<(u16, Value)>) -> (ScriptedServer, DeleteRecords) {
    let schema = json!({"Table": {"KeySchema": [{"AttributeName": "NodeId", "KeyType": "HASH"}]}});
    let responses = [(200, schema)].into_iter().chain(responses);
    let replies = responses.map(|(status, body)| ScriptedReply::Response(status, body.to_string()));
    let server = ScriptedServer::start(replies).await.unwrap();
    let service = JsonClient::dynamodb(&server.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    (server, DeleteRecords::dynamodb(service, "T".into()))
}

fn key(number: usize) -> Value {
    json!({"NodeId": {"S": node_id(number)}})
}

fn batch_get_response(keys: &[usize], rest: &[usize]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|number| key(*number)).collect();
    let rest: Vec<Value> = rest.iter().map(|number| key(*number)).collect();
    let rest = if rest.is_empty() {
        json!({})
    } else {
        json!({"T": {"Keys": rest, "ProjectionExpression": "#kept"}})
    };
    json!({"Responses": {"T": keys}, "UnprocessedKeys": rest})
}

fn batch_write_response(rest: &[usize]) -> Value {
    let rest: Vec<Value> =
        rest.iter().map(|number| json!({"DeleteRequest": {"Key": key(*number)}})).collect();
    json!({"UnprocessedItems": if rest.is_empty() { json!({}) } else { json!({"T": rest}) }})
}

#[tokio::test]
async fn repeats_what_dynamodb_did_not_process() {
    let throttled =
        json!({"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"});
    // `UnprocessedKeys` and `UnprocessedItems` list what DynamoDB did not do. Errors in between are retried.
    let (server, records) = scripted_table(vec![
        (200, batch_get_response(&[0], &[1, 2])),
        (400, throttled.clone()),
        (200, batch_get_response(&[1], &[2])),
        (200, batch_get_response(&[2], &[])),
        (200, batch_write_response(&[0, 2])),
        (500, json!({})),
        (200, batch_write_response(&[2])),
        (200, batch_write_response(&[])),
    ])
    .await;
    assert_eq!(records.remove(&node_ids(0..3)).await, Ok(3));
    let requests = server.requests();
    assert_eq!(requests.len(), 9);
    assert_eq!(
        requests[2].body["RequestItems"]["T"],
        json!({"Keys": [key(1), key(2)], "ProjectionExpression": "#kept"})
    );
    assert_eq!(requests[7].body["RequestItems"]["T"].as_array().unwrap().len(), 2);
    assert_eq!(requests[8].body["RequestItems"]["T"], json!([{"DeleteRequest": {"Key": key(2)}}]));
}

#[tokio::test]
async fn gives_up_if_dynamodb_processes_nothing() {
    let (server, records) = scripted_table(vec![(200, batch_get_response(&[], &[0])); 20]).await;
    let result = records.remove(&node_ids(0..1)).await;
    assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
    assert_eq!(server.requests().len(), 1 + 6, "the key schema is loaded once");
    let (server, records) = scripted_table(vec![(200, batch_get_response(&[], &[])); 4]).await;
    for _ in 0..3 {
        assert_eq!(records.remove(&node_ids(0..1)).await, Ok(0));
    }
    assert_eq!(server.requests().len(), 1 + 3);
}
