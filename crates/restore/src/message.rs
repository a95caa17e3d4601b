//! The message in the queue of restore orders. It knows no other module of this crate.

use serde::{Deserialize, Serialize};

use packages::id::{DatasetId, PackageId, PackageNodeId, WorkspaceId};

/// One package to restore. The worker trusts the ids only where the database agrees with all of them. Name, parent and type
/// are for other readers of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreMessage {
    /// The workspace.
    #[serde(rename = "orgId")]
    pub workspace: WorkspaceId,
    /// The dataset.
    #[serde(rename = "datasetId")]
    pub dataset: DatasetId,
    /// Node id of the person who ordered the restore.
    #[serde(rename = "userId")]
    pub user: String,
    /// The package.
    pub package: MessagePackage,
}

/// The package as it was when it was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagePackage {
    /// Primary key.
    pub id: PackageId,
    /// Public id.
    pub node_id: PackageNodeId,
    /// Its name, with the deletion prefix.
    pub name: String,
    /// Its folder; `None` at the dataset's top.
    pub parent_id: Option<PackageId>,
    /// The number of its kind; 11 is a folder.
    #[serde(rename = "type")]
    pub kind: u8,
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
