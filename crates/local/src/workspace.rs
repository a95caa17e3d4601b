//! Making a tenant and what is in it: for the demo, and for tests, each of which owns one.
//!
//! The rows are as the platform makes them, its deletion included (`packages`); what lies in S3 is the caller's
//! business. `people` says who may do what, `usage` counts bytes, `shapes` makes many packages fast.

mod packages;
mod people;
mod shapes;
mod usage;

use std::sync::Arc;

use ::packages::id::{DatasetId, DatasetNodeId, InvalidNodeId, WorkspaceId};
use tokio_postgres::{Client, Error};
use uuid::Uuid;

pub use self::{
    packages::{NewPackage, Package},
    people::{Team, User},
    shapes::{Filling, Shape, Tree},
    usage::Counters,
};
use crate::schema;

/// A tenant.
#[derive(Clone)]
pub struct Workspace {
    /// The connection that makes things in it.
    pub client: Arc<Client>,
    /// Its number.
    pub id: WorkspaceId,
}

/// A dataset.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Primary key.
    pub id: DatasetId,
    /// Public id.
    pub node_id: DatasetNodeId,
}

impl Workspace {
    /// A new tenant, without people or datasets.
    pub async fn create(client: Arc<Client>, name: &str) -> Result<Self, Error> {
        let sql = "INSERT INTO pennsieve.organizations (name, slug, encryption_key_id, node_id)
                   VALUES ($1, $1, 'none', $2) RETURNING id";
        let node_id = format!("N:organization:{}", Uuid::new_v4());
        let id = WorkspaceId(client.query_one(sql, &[&name, &node_id]).await?.get(0));
        schema::create_workspace(&client, id).await?;
        Ok(Self { client, id })
    }

    /// An empty dataset.
    pub async fn dataset(&self, name: &str) -> Result<Dataset, Error> {
        let node_id = format!("N:dataset:{}", Uuid::new_v4());
        let sql = format!(
            r#"INSERT INTO "{}".datasets (name, state, node_id, status_id) VALUES ($1, 'READY', $2, 1) RETURNING id"#,
            self.id
        );
        let row = self.client.query_one(&sql, &[&name, &node_id]).await?;
        Ok(Dataset { id: DatasetId(row.get(0)), node_id: known(DatasetNodeId::parse(&node_id)) })
    }

    /// A key for a file of this dataset, as an upload makes them: `O{workspace}/D{dataset}/{upload}/{file}`.
    #[must_use]
    pub fn storage_key(&self, dataset: &Dataset) -> String {
        format!("O{}/D{}/{}/{}", self.id, dataset.id, Uuid::new_v4(), Uuid::new_v4())
    }
}

/// A node id that was just made from a UUID.
fn known<T>(made: Result<T, InvalidNodeId>) -> T {
    #[expect(clippy::panic, reason = "a kind, a colon and a UUID are always a node id")]
    made.unwrap_or_else(|error| panic!("{error}"))
}
