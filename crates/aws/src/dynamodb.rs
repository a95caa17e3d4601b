//! A table of Amazon DynamoDB: finding and deleting items by partition key, as many at a call as it takes.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::{Error, JsonClient, backoff};

/// Keys in one `BatchGetItem` (Amazon DynamoDB API Reference).
const READ: usize = 100;

/// Requests in one `BatchWriteItem` (Amazon DynamoDB API Reference).
const WRITE: usize = 25;

/// Calls in flight at once.
const AT_ONCE: usize = 4;

/// How often what DynamoDB put off is asked for again in vain before it is given up.
const IDLE_ROUNDS: u32 = 6;

/// A key: each of its attributes with its typed value, as in `{"NodeId": {"S": "N:package:…"}}`.
pub type Key = Value;

/// A table, as one who may read and delete in it.
#[derive(Debug)]
pub struct DynamoDbTable {
    service: JsonClient,
    name: String,
    schema: OnceCell<Schema>,
}

/// The names of the key's attributes.
#[derive(Debug)]
struct Schema {
    partition: String,
    sort: Option<String>,
}

impl DynamoDbTable {
    /// The table of this name. Its key schema is read when it is first needed.
    #[must_use]
    pub fn new(service: JsonClient, name: String) -> Self {
        Self { service, name, schema: OnceCell::new() }
    }

    /// The keys of all items with one of these partition keys.
    pub async fn find(&self, partitions: &BTreeSet<&str>) -> Result<Vec<Key>, Error> {
        let schema = self.schema.get_or_try_init(|| self.describe()).await?;
        // Lists and not closures over the calls: the compiler cannot tell that such a closure may change threads.
        if let Some(sort) = &schema.sort {
            let mut calls = Vec::new();
            for id in partitions {
                calls.push(self.query((&schema.partition, sort), id));
            }
            return concat(calls).await;
        }
        let keys: Vec<Key> = partitions.iter().map(|id| json!({&schema.partition: {"S": id}})).collect();
        let mut calls = Vec::new();
        for keys in keys.chunks(READ) {
            calls.push(self.get(&schema.partition, keys));
        }
        concat(calls).await
    }

    /// Deletes items by their keys.
    pub async fn delete(&self, keys: &[Key]) -> Result<(), Error> {
        let mut calls = Vec::new();
        for keys in keys.chunks(WRITE) {
            let requests = keys.iter().map(|key| json!({"DeleteRequest": {"Key": key}})).collect();
            calls.push(self.drain("BatchWriteItem", "UnprocessedItems", Value::Array(requests)));
        }
        stream::iter(calls).buffer_unordered(AT_ONCE).try_for_each(async |_| Ok(())).await
    }

    /// The key's attributes, whatever they are called.
    async fn describe(&self) -> Result<Schema, Error> {
        let answer = self.service.call("DescribeTable", &json!({"TableName": self.name})).await?;
        let elements = answer.pointer("/Table/KeySchema").and_then(Value::as_array);
        let named = |kind: &str| {
            let element = elements?.iter().find(|element| element["KeyType"] == kind)?;
            Some(element["AttributeName"].as_str()?.to_owned())
        };
        let partition = named("HASH");
        let partition =
            partition.ok_or_else(|| Error::Unavailable("DescribeTable: a table without a key".to_owned()))?;
        Ok(Schema { partition, sort: named("RANGE") })
    }

    async fn get(&self, partition: &str, keys: &[Key]) -> Result<Vec<Key>, Error> {
        let request = json!({
            "Keys": keys,
            "ProjectionExpression": "#partition",
            "ExpressionAttributeNames": {"#partition": partition},
        });
        let answers = self.drain("BatchGetItem", "UnprocessedKeys", request).await?;
        let items = answers.iter().filter_map(|answer| answer.get("Responses")?.get(&self.name)?.as_array());
        Ok(items.flatten().cloned().collect())
    }

    async fn query(&self, (partition, sort): (&str, &str), id: &str) -> Result<Vec<Key>, Error> {
        let mut request = json!({
            "TableName": self.name,
            "KeyConditionExpression": "#partition = :id",
            "ProjectionExpression": "#partition, #sort",
            "ExpressionAttributeNames": {"#partition": partition, "#sort": sort},
            "ExpressionAttributeValues": {":id": {"S": id}},
        });
        let mut keys = Vec::new();
        loop {
            let mut answer = self.service.call("Query", &request).await?;
            if let Some(Value::Array(items)) = answer.get_mut("Items").map(Value::take) {
                keys.extend(items);
            }
            match answer.get_mut("LastEvaluatedKey").map(Value::take) {
                Some(last @ Value::Object(_)) => start_at(&mut request, last),
                _ => return Ok(keys),
            }
        }
    }

    /// Calls a batch operation until nothing of the request is left; answers all answers. A batch is done in part where
    /// it is too large or comes too fast, and what is left is named under `rest`, in the request's own form.
    async fn drain(&self, operation: &str, rest: &str, request: Value) -> Result<Vec<Value>, Error> {
        let mut open = request;
        let mut answers = Vec::new();
        let mut idle = 0;
        loop {
            let items = Map::from_iter([(self.name.clone(), open.clone())]);
            let mut answer = self.service.call(operation, &json!({"RequestItems": items})).await?;
            let left = answer.get_mut(rest).and_then(|rest| rest.get_mut(&self.name)).map(Value::take);
            answers.push(answer);
            let left = left.unwrap_or_default();
            if count(&left) == 0 {
                return Ok(answers);
            }
            idle = if count(&left) < count(&open) { 0 } else { idle + 1 };
            if idle == IDLE_ROUNDS {
                let items = count(&left);
                return Err(Error::Unavailable(format!(
                    "{operation}: {items} items put off again and again"
                )));
            }
            open = left;
            tokio::time::sleep(backoff(idle)).await;
        }
    }
}

async fn concat(calls: Vec<impl Future<Output = Result<Vec<Key>, Error>>>) -> Result<Vec<Key>, Error> {
    stream::iter(calls).buffer_unordered(AT_ONCE).try_concat().await
}

fn start_at(query: &mut Value, key: Key) {
    if let Some(query) = query.as_object_mut() {
        query.insert("ExclusiveStartKey".to_owned(), key);
    }
}

/// How many items a request for one table is about: keys to read, or a list of deletions.
fn count(request: &Value) -> usize {
    request.get("Keys").unwrap_or(request).as_array().map_or(0, Vec::len)
}
