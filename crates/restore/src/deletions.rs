//! The platform's records of deleted packages, which end when a package is back.
//!
//! One tells which stored object a deletion has hidden. This service does not need to be told (the bucket's version
//! listing says it, and says it of each file); others read the records, so what is back must not be left in them.

use std::{collections::BTreeSet, sync::Arc};

use aws::{self, JsonClient};
use packages::id::PackageNodeId;

use aws::dynamodb::DynamoDbTable;

/// Where the records are.
#[derive(Debug, Clone)]
pub enum DeleteRecords {
    /// Nowhere: this platform keeps none.
    None,
    /// In a table of Amazon DynamoDB.
    DynamoDb(Arc<DynamoDbTable>),
}

impl DeleteRecords {
    /// The records in this table, whose partition key is a package's node id. A sort key may tell apart several records
    /// of a package. The service is a [`JsonClient::dynamodb`].
    #[must_use]
    pub fn dynamodb(service: JsonClient, table: String) -> Self {
        Self::DynamoDb(Arc::new(DynamoDbTable::new(service, table)))
    }

    /// Removes all records of these packages and answers how many there were. A package without one is none's fault:
    /// not every deletion writes one. Safe to repeat.
    pub async fn remove(&self, packages: &[PackageNodeId]) -> Result<usize, aws::Error> {
        let packages: BTreeSet<&str> = packages.iter().map(PackageNodeId::as_str).collect();
        match self {
            Self::DynamoDb(table) if !packages.is_empty() => {
                let records = table.find_keys(&packages).await?;
                table.delete_items(&records).await?;
                Ok(records.len())
            }
            _ => Ok(0),
        }
    }
}
