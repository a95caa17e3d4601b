//! Records of deleted packages in DynamoDB.

use aws::{Error, HttpClient, JsonClient};
use local::aws::{
    Account, Resources,
    scripted::{Scene, Scripted},
};
use packages::id::PackageNodeId;
use restore::deletions::DeleteRecords;
use serde_json::{Value, json};

use super::unique;

fn id(number: usize) -> PackageNodeId {
    PackageNodeId::parse(&format!("N:package:{number:04}")).unwrap()
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<PackageNodeId> {
    numbers.map(id).collect()
}

/// A record with the attributes that the platform writes.
fn record(package: &PackageNodeId) -> Value {
    json!({
        "NodeId": {"S": package},
        "S3Bucket": {"S": "storage"},
        "S3Key": {"S": "O1/D1/x"},
        "S3ObjectVersion": {"S": "v"},
        "ObjectSize": {"S": "12"},
    })
}

/// A table, and its records as the restore function sees them.
async fn table(root: &Account, sort: Option<&str>) -> (String, DeleteRecords) {
    let name = unique("records");
    root.create_table(&name, sort).await.unwrap();
    let worker = root.function("restore", Resources { table: &name, ..Resources::default() }).await.unwrap();
    let records = DeleteRecords::dynamodb(worker.dynamodb().unwrap(), name.clone());
    (name, records)
}

#[tokio::test]
async fn the_records_of_packages_that_are_back_are_removed_and_no_others() {
    let root = Account::root().unwrap();
    let (name, records) = table(&root, None).await;
    for package in ids(0..130) {
        root.put_item(&name, record(&package)).await.unwrap();
    }
    // 120 of them have a record, 40 never had one; one is asked for twice.
    let mut asked = ids(10..170);
    asked.push(id(20));
    assert_eq!(records.remove(&asked).await, Ok(120));
    let left = root.items(&name).await.unwrap();
    let mut left: Vec<&str> = left.iter().map(|item| item["NodeId"]["S"].as_str().unwrap()).collect();
    left.sort_unstable();
    assert_eq!(left, ids(0..10).iter().map(PackageNodeId::as_str).collect::<Vec<_>>());
    assert_eq!(records.remove(&asked).await, Ok(0), "safe to repeat");
    assert_eq!(records.remove(&[]).await, Ok(0));
}

#[tokio::test]
async fn a_package_may_have_several_records() {
    let root = Account::root().unwrap();
    let (name, records) = table(&root, Some("S3Key")).await;
    for package in ids(0..3) {
        for file in 0..40 {
            let mut item = record(&package);
            item["S3Key"] = json!({"S": format!("O1/D1/{file}")});
            root.put_item(&name, item).await.unwrap();
        }
    }
    assert_eq!(records.remove(&ids(0..2)).await, Ok(80));
    let left = root.items(&name).await.unwrap();
    assert_eq!(left.len(), 40);
    assert!(left.iter().all(|item| item["NodeId"]["S"] == "N:package:0002"));
}

/// With ministack all fits into one answer; DynamoDB itself, and a stand-in that counts as it does, stop at 16 MB.
#[tokio::test]
async fn more_than_one_answer_can_hold_is_asked_for_again() {
    let root = Account::root().unwrap();
    let (name, records) = table(&root, None).await;
    for package in ids(0..60) {
        let mut item = record(&package);
        item["More"] = json!({"S": "x".repeat(390_000)});
        root.put_item(&name, item).await.unwrap();
    }
    assert_eq!(records.remove(&ids(0..60)).await, Ok(60));
    assert!(root.items(&name).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_table_that_is_not_there_or_not_ours_is_an_error() {
    let root = Account::root().unwrap();
    let records = DeleteRecords::dynamodb(root.dynamodb().unwrap(), unique("none"));
    let error = records.remove(&ids(0..1)).await.unwrap_err();
    assert!(error.has_code("ResourceNotFoundException"), "{error}");
    assert_eq!(DeleteRecords::None.remove(&ids(0..1)).await, Ok(0));
}

async fn scripted(scenes: Vec<(u16, Value)>) -> (Scripted, DeleteRecords) {
    let schema = json!({"Table": {"KeySchema": [{"AttributeName": "NodeId", "KeyType": "HASH"}]}});
    let scenes = [(200, schema)].into_iter().chain(scenes);
    let scenes = scenes.map(|(status, body)| Scene::Says(status, body.to_string()));
    let server = Scripted::start(scenes).await.unwrap();
    let service = JsonClient::dynamodb(&server.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    (server, DeleteRecords::dynamodb(service, "T".into()))
}

fn key(number: usize) -> Value {
    json!({"NodeId": {"S": id(number)}})
}

fn found(keys: &[usize], rest: &[usize]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|number| key(*number)).collect();
    let rest: Vec<Value> = rest.iter().map(|number| key(*number)).collect();
    let rest = if rest.is_empty() {
        json!({})
    } else {
        json!({"T": {"Keys": rest, "ProjectionExpression": "#kept"}})
    };
    json!({"Responses": {"T": keys}, "UnprocessedKeys": rest})
}

fn deleted(rest: &[usize]) -> Value {
    let rest: Vec<Value> =
        rest.iter().map(|number| json!({"DeleteRequest": {"Key": key(*number)}})).collect();
    json!({"UnprocessedItems": if rest.is_empty() { json!({}) } else { json!({"T": rest}) }})
}

#[tokio::test]
async fn what_dynamodb_puts_off_is_asked_for_again_as_it_says() {
    let throttled =
        json!({"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"});
    let (server, records) = scripted(vec![
        (200, found(&[0], &[1, 2])),
        (400, throttled.clone()),
        (200, found(&[1], &[2])),
        (200, found(&[2], &[])),
        (200, deleted(&[0, 2])),
        (500, json!({})),
        (200, deleted(&[2])),
        (200, deleted(&[])),
    ])
    .await;
    assert_eq!(records.remove(&ids(0..3)).await, Ok(3));
    let asked = server.asked();
    assert_eq!(asked.len(), 9);
    assert_eq!(
        asked[2].1["RequestItems"]["T"],
        json!({"Keys": [key(1), key(2)], "ProjectionExpression": "#kept"})
    );
    assert_eq!(asked[7].1["RequestItems"]["T"].as_array().unwrap().len(), 2);
    assert_eq!(asked[8].1["RequestItems"]["T"], json!([{"DeleteRequest": {"Key": key(2)}}]));
}

#[tokio::test]
async fn what_dynamodb_puts_off_for_ever_is_given_up() {
    let (server, records) = scripted(vec![(200, found(&[], &[0])); 20]).await;
    let answer = records.remove(&ids(0..1)).await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    assert_eq!(server.asked().len(), 1 + 6, "the table's key is asked for once");
    let (server, records) = scripted(vec![(200, found(&[], &[])); 4]).await;
    for _ in 0..3 {
        assert_eq!(records.remove(&ids(0..1)).await, Ok(0));
    }
    assert_eq!(server.asked().len(), 1 + 3);
}
