//! DynamoDB tables for delete records.

use std::io;

use serde_json::{Value, json};

use super::{ACCOUNT_ID, Account, REGION, call};

impl Account {
    /// Creates a table with the partition key `NodeId` and an optional sort key. Both are strings.
    pub async fn create_table(&self, name: &str, sort_key: Option<&str>) -> io::Result<()> {
        let keys = [("NodeId", "HASH")].into_iter().chain(sort_key.map(|key| (key, "RANGE")));
        let (schema, attributes): (Vec<Value>, Vec<Value>) = keys
            .map(|(name, kind)| {
                let schema = json!({"AttributeName": name, "KeyType": kind});
                (schema, json!({"AttributeName": name, "AttributeType": "S"}))
            })
            .unzip();
        let request = json!({
            "TableName": name,
            "KeySchema": schema,
            "AttributeDefinitions": attributes,
            "BillingMode": "PAY_PER_REQUEST",
        });
        call(self.dynamodb()?, "CreateTable", request).await.map(drop)
    }

    /// The ARN of a table.
    #[must_use]
    pub(super) fn table_arn(name: &str) -> String {
        format!("arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{name}")
    }

    /// Writes an item: attributes with their types, such as `{"NodeId": {"S": "N:package:1"}}`.
    pub async fn put_item(&self, table: &str, item: Value) -> io::Result<()> {
        let request = json!({"TableName": table, "Item": item});
        call(self.dynamodb()?, "PutItem", request).await.map(drop)
    }

    /// The items of a table, as far as they fit into one response.
    pub async fn scan_items(&self, table: &str) -> io::Result<Vec<Value>> {
        let mut response = call(self.dynamodb()?, "Scan", json!({"TableName": table})).await?;
        match response.get_mut("Items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(io::Error::other("DynamoDB returned no items")),
        }
    }
}
