//! The platform's delete records, which are removed when a package is back.
//!
//! A delete record tells which stored object a deletion has hidden. This service does not need it: the bucket's version
//! listing tells it for each file. Other services read the records, so those of restored packages are removed.

use std::{collections::BTreeSet, sync::Arc};

use aws::{self, JsonClient, dynamodb::DynamoDbTable};
use packages::id::PackageNodeId;

/// Where the delete records are.
#[derive(Debug, Clone)]
pub enum DeleteRecords {
    /// Nowhere: this platform has none.
    None,
    /// In a table of Amazon DynamoDB.
    DynamoDb(Arc<DynamoDbTable>),
}

impl DeleteRecords {
    /// The records in this table. Its partition key is a package's node id; it may have a sort key for several records of
    /// a package. The service is a [`JsonClient::dynamodb`].
    #[must_use]
    pub fn dynamodb(service: JsonClient, table: String) -> Self {
        Self::DynamoDb(Arc::new(DynamoDbTable::new(service, table)))
    }

    /// Removes all records of these packages. Returns how many there were. A package may have none: not every deletion
    /// writes one. Safe to repeat.
    pub async fn remove(&self, packages: &[PackageNodeId]) -> Result<usize, aws::Error> {
        let packages: BTreeSet<&str> = packages.iter().map(PackageNodeId::as_str).collect();
        match self {
            Self::DynamoDb(table) if !packages.is_empty() => {
                let records = table.list_keys(&packages).await?;
                table.delete_items(&records).await?;
                Ok(records.len())
            }
            _ => Ok(0),
        }
    }
}
