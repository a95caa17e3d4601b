//! Creates a workspace and its content: for the demo and for tests, which own one workspace each.
//!
//! The rows are as the platform writes them, its deletion included (`packages`). Objects in S3 are up to the caller.
//! `people` creates users and roles, `usage` counts bytes, `trees` creates many packages fast.

mod packages;
mod people;
mod states;
mod trees;
mod usage;

use std::sync::Arc;

use ::packages::id::{DatasetId, DatasetNodeId, InvalidNodeId, WorkspaceId};
use tokio_postgres::{Client, Error};
use uuid::Uuid;

pub use self::{
    packages::{NewPackage, Package, SourceFile},
    people::{Team, User},
    trees::{PackageTree, TreeShape, TreeSpec},
    usage::UsageCounters,
};
use crate::schema;

/// A workspace (tenant).
#[derive(Clone)]
pub struct Workspace {
    /// The connection for all statements.
    pub client: Arc<Client>,
    /// Its number.
    pub id: WorkspaceId,
}

/// A dataset.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The primary key.
    pub id: DatasetId,
    /// The public id.
    pub node_id: DatasetNodeId,
}

impl Workspace {
    /// Creates a workspace without users and datasets.
    pub async fn create(client: Arc<Client>, name: &str) -> Result<Self, Error> {
        let sql = "INSERT INTO pennsieve.organizations (name, slug, encryption_key_id, node_id)
                   VALUES ($1, $1, 'none', $2) RETURNING id";
        let node_id = format!("N:organization:{}", Uuid::new_v4());
        let id = WorkspaceId(client.query_one(sql, &[&name, &node_id]).await?.get("id"));
        schema::create_workspace_tables(&client, id).await?;
        Ok(Self { client, id })
    }

    /// Creates an empty dataset.
    pub async fn create_dataset(&self, name: &str) -> Result<Dataset, Error> {
        let node_id = format!("N:dataset:{}", Uuid::new_v4());
        // Status 1 is NO_STATUS.
        let sql = format!(
            r#"INSERT INTO "{}".datasets (name, state, node_id, status_id) VALUES ($1, 'READY', $2, 1) RETURNING id"#,
            self.id
        );
        let row = self.client.query_one(&sql, &[&name, &node_id]).await?;
        Ok(Dataset { id: DatasetId(row.get("id")), node_id: expect_node_id(DatasetNodeId::parse(&node_id)) })
    }

    /// A new key for a source file of this dataset, in the format of uploads: `O{workspace}/D{dataset}/{upload}/{file}`.
    #[must_use]
    pub fn storage_key(&self, dataset: &Dataset) -> String {
        format!("O{}/D{}/{}/{}", self.id, dataset.id, Uuid::new_v4(), Uuid::new_v4())
    }
}

/// Unwraps a node id that was built from a UUID.
fn expect_node_id<T>(parsed: Result<T, InvalidNodeId>) -> T {
    #[expect(clippy::panic, reason = "a kind, a colon and a UUID are always a valid node id")]
    parsed.unwrap_or_else(|error| panic!("{error}"))
}
