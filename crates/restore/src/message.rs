//! The order as it stands in the queue.

use serde::{Deserialize, Serialize};

use crate::db::packages::PackageRow;
use packages::id::{DatasetId, PackageId, PackageNodeId, WorkspaceId};

/// One package to bring back. The worker believes the ids only where the database agrees with all of them; name,
/// parent and type are for those who read the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreMessage {
    /// The tenant.
    #[serde(rename = "orgId")]
    pub workspace: WorkspaceId,
    /// The dataset.
    #[serde(rename = "datasetId")]
    pub dataset: DatasetId,
    /// Node id of the person who ordered.
    #[serde(rename = "userId")]
    pub user: String,
    /// What to bring back.
    pub package: MessagePackage,
}

/// The package as it was when the order was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagePackage {
    /// Primary key.
    pub id: PackageId,
    /// Public id.
    pub node_id: PackageNodeId,
    /// Its name, with the deletion prefix.
    pub name: String,
    /// Its folder, or null.
    pub parent_id: Option<PackageId>,
    /// The number of its kind; 11 is a folder.
    #[serde(rename = "type")]
    pub kind: u8,
}

impl From<&PackageRow> for MessagePackage {
    fn from(row: &PackageRow) -> Self {
        Self {
            id: row.id,
            node_id: row.node_id.clone(),
            name: row.name.clone(),
            parent_id: row.parent_id,
            kind: row.kind.number(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_the_platforms_shape() {
        let text = r#"{"orgId":2,"datasetId":41,"userId":"N:user:7","package":{"id":900,"nodeId":"N:package:900","name":"__DELETED__N:package:900_scan.nii.gz","parentId":null,"type":10}}"#;
        let message: RestoreMessage = serde_json::from_str(text).unwrap();
        assert_eq!(message.package.kind, 10);
        assert_eq!(serde_json::to_string(&message).unwrap(), text);
    }
}
