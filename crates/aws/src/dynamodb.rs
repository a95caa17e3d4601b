//! A table of Amazon DynamoDB: finding and deleting items by partition key, in batches.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::{Error, JsonClient, backoff_delay};

/// Keys in one `BatchGetItem` (Amazon DynamoDB API Reference).
const MAX_GET_KEYS: usize = 100;

/// Requests in one `BatchWriteItem` (Amazon DynamoDB API Reference).
const MAX_WRITE_REQUESTS: usize = 25;

/// Calls in flight at once.
const MAX_CONCURRENT_CALLS: usize = 4;

/// Calls in a row that process nothing of a batch before it fails.
const MAX_IDLE_CALLS: u32 = 6;

/// The key of an item: each of its attributes with its typed value, as in `{"NodeId": {"S": "N:package:…"}}`.
pub type ItemKey = Value;

/// A table.
#[derive(Debug)]
pub struct DynamoDbTable {
    client: JsonClient,
    name: String,
    schema: OnceCell<KeySchema>,
}

/// The names of the key's attributes.
#[derive(Debug)]
struct KeySchema {
    partition: String,
    sort: Option<String>,
}

impl DynamoDbTable {
    /// The table with this name. `client` is a [`JsonClient::dynamodb`]. The key schema is read when it is first needed.
    #[must_use]
    pub fn new(client: JsonClient, name: String) -> Self {
        Self { client, name, schema: OnceCell::new() }
    }

    /// Finds the keys of all items with one of these partition keys.
    pub async fn list_keys(&self, partitions: &BTreeSet<&str>) -> Result<Vec<ItemKey>, Error> {
        let schema = self.schema.get_or_try_init(|| self.load_key_schema()).await?;
        // The calls are collected, not mapped: the compiler cannot prove that such a closure's future is `Send`.
        if let Some(sort) = &schema.sort {
            let mut calls = Vec::new();
            for value in partitions {
                calls.push(self.query_partition(&schema.partition, sort, value));
            }
            return concat_keys(calls).await;
        }
        let keys: Vec<ItemKey> =
            partitions.iter().map(|value| json!({&schema.partition: {"S": value}})).collect();
        let mut calls = Vec::new();
        for keys in keys.chunks(MAX_GET_KEYS) {
            calls.push(self.get_keys(&schema.partition, keys));
        }
        concat_keys(calls).await
    }

    /// Deletes items by their keys.
    pub async fn delete_items(&self, keys: &[ItemKey]) -> Result<(), Error> {
        let mut calls = Vec::new();
        for keys in keys.chunks(MAX_WRITE_REQUESTS) {
            let requests = keys.iter().map(|key| json!({"DeleteRequest": {"Key": key}})).collect();
            calls.push(self.call_batch("BatchWriteItem", "UnprocessedItems", Value::Array(requests)));
        }
        stream::iter(calls).buffer_unordered(MAX_CONCURRENT_CALLS).try_for_each(async |_| Ok(())).await
    }

    /// The names of the key's attributes. Another team owns the table, so they are not assumed.
    async fn load_key_schema(&self) -> Result<KeySchema, Error> {
        let output = self.client.call("DescribeTable", &json!({"TableName": self.name})).await?;
        read_key_schema(&output)
            .ok_or_else(|| Error::Unavailable("DescribeTable: a table without a partition key".to_owned()))
    }

    /// Which of these keys, of a table without a sort key, have an item.
    async fn get_keys(&self, partition: &str, keys: &[ItemKey]) -> Result<Vec<ItemKey>, Error> {
        let request = json!({
            "Keys": keys,
            // A placeholder: the name may be one of DynamoDB's reserved words.
            "ProjectionExpression": "#partition",
            "ExpressionAttributeNames": {"#partition": partition},
        });
        let outputs = self.call_batch("BatchGetItem", "UnprocessedKeys", request).await?;
        let items = outputs.iter().filter_map(|output| output.get("Responses")?.get(&self.name)?.as_array());
        Ok(items.flatten().cloned().collect())
    }

    /// The keys of all items with one partition key, page by page.
    async fn query_partition(&self, partition: &str, sort: &str, value: &str) -> Result<Vec<ItemKey>, Error> {
        let mut request = json!({
            "TableName": self.name,
            "KeyConditionExpression": "#partition = :value",
            "ProjectionExpression": "#partition, #sort",
            "ExpressionAttributeNames": {"#partition": partition, "#sort": sort},
            "ExpressionAttributeValues": {":value": {"S": value}},
        });
        let mut keys = Vec::new();
        loop {
            let mut output = self.client.call("Query", &request).await?;
            if let Some(Value::Array(items)) = output.get_mut("Items").map(Value::take) {
                keys.extend(items);
            }
            match output.get_mut("LastEvaluatedKey").map(Value::take) {
                Some(last @ Value::Object(_)) => set_start_key(&mut request, last),
                _ => return Ok(keys),
            }
        }
    }

    /// Calls a batch operation until all of the request is processed, and returns all outputs. DynamoDB processes only
    /// a part of a batch that is too large or exceeds the table's throughput. It returns the rest in `unprocessed_field`,
    /// in the form of the request (Amazon DynamoDB Developer Guide, "Error retries and exponential backoff").
    async fn call_batch(
        &self,
        operation: &str,
        unprocessed_field: &str,
        request: Value,
    ) -> Result<Vec<Value>, Error> {
        let mut open = request;
        let mut outputs = Vec::new();
        let mut idle_calls = 0;
        loop {
            let items = Map::from_iter([(self.name.clone(), open.clone())]);
            let mut output = self.client.call(operation, &json!({"RequestItems": items})).await?;
            let unprocessed = output
                .get_mut(unprocessed_field)
                .and_then(|tables| tables.get_mut(&self.name))
                .map(Value::take);
            let unprocessed = unprocessed.unwrap_or_default();
            outputs.push(output);
            let items = count_items(&unprocessed);
            if items == 0 {
                return Ok(outputs);
            }
            idle_calls = if items < count_items(&open) { 0 } else { idle_calls + 1 };
            if idle_calls == MAX_IDLE_CALLS {
                return Err(Error::Unavailable(format!("{operation}: {items} items are still unprocessed")));
            }
            open = unprocessed;
            tokio::time::sleep(backoff_delay(idle_calls)).await;
        }
    }
}

async fn concat_keys(
    calls: Vec<impl Future<Output = Result<Vec<ItemKey>, Error>>>,
) -> Result<Vec<ItemKey>, Error> {
    stream::iter(calls).buffer_unordered(MAX_CONCURRENT_CALLS).try_concat().await
}

fn read_key_schema(output: &Value) -> Option<KeySchema> {
    let elements = output.pointer("/Table/KeySchema")?.as_array()?;
    let find_name = |key_type: &str| {
        let element = elements.iter().find(|element| element["KeyType"] == key_type)?;
        Some(element["AttributeName"].as_str()?.to_owned())
    };
    Some(KeySchema { partition: find_name("HASH")?, sort: find_name("RANGE") })
}

fn set_start_key(query: &mut Value, key: ItemKey) {
    if let Some(query) = query.as_object_mut() {
        query.insert("ExclusiveStartKey".to_owned(), key);
    }
}

/// The number of items in a request for one table: keys to read, or a list of deletions.
fn count_items(request: &Value) -> usize {
    request.get("Keys").unwrap_or(request).as_array().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_schema_has_a_partition_key_and_may_have_a_sort_key() {
        let read = |schema: Value| {
            let output = json!({"Table": {"TableName": "records", "KeySchema": schema}});
            read_key_schema(&output).map(|schema| (schema.partition, schema.sort))
        };
        let hash = json!({"AttributeName": "NodeId", "KeyType": "HASH"});
        let range = json!({"AttributeName": "Version", "KeyType": "RANGE"});
        assert_eq!(read(json!([hash])), Some(("NodeId".to_owned(), None)));
        assert_eq!(read(json!([range, hash])), Some(("NodeId".to_owned(), Some("Version".to_owned()))));
        assert_eq!(read(json!([range])), None);
        assert!(read_key_schema(&json!({})).is_none());
    }

    #[test]
    fn items_are_counted_in_both_forms_of_a_request() {
        assert_eq!(count_items(&json!({"Keys": [1, 2]})), 2);
        assert_eq!(count_items(&json!([1, 2, 3])), 3);
        assert_eq!(count_items(&Value::Null), 0);
    }
}
