//! Tables of DynamoDB, for the records of deleted packages.

use std::io;

use serde_json::{Value, json};

use super::{ACCOUNT, Account, REGION};

impl Account {
    /// Makes a table whose partition key is `NodeId` and whose sort key, if it has one, is this attribute; both texts.
    pub async fn create_table(&self, name: &str, sort: Option<&str>) -> io::Result<()> {
        let keys = [("NodeId", "HASH")].into_iter().chain(sort.map(|sort| (sort, "RANGE")));
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
        self.call(self.dynamodb()?, "CreateTable", request).await.map(drop)
    }

    /// A table's ARN.
    #[must_use]
    pub fn table_arn(name: &str) -> String {
        format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
    }

    /// Writes an item: attributes with their types, as in `{"NodeId": {"S": "N:package:1"}}`.
    pub async fn put_item(&self, table: &str, item: Value) -> io::Result<()> {
        let request = json!({"TableName": table, "Item": item});
        self.call(self.dynamodb()?, "PutItem", request).await.map(drop)
    }

    /// All items of a table that fit into one answer.
    pub async fn items(&self, table: &str) -> io::Result<Vec<Value>> {
        let mut answer = self.call(self.dynamodb()?, "Scan", json!({"TableName": table})).await?;
        match answer.get_mut("Items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(io::Error::other("DynamoDB gave no items")),
        }
    }
}
