//! The tables: those of the platform, which exist in production already, and the service's own.

use packages::id::WorkspaceId;
use tokio_postgres::{Client, Error};

const SHARED_SQL: &str = include_str!("schema/pennsieve.sql");
const WORKSPACE_SQL: &str = include_str!("schema/workspace.sql");

/// Creates the tables that all workspaces share and the service's own, unless they exist.
pub async fn create_shared_tables(client: &Client) -> Result<(), Error> {
    client.batch_execute(SHARED_SQL).await?;
    client.batch_execute(restore::SCHEMA).await
}

/// Lists the datasets of all workspaces in `pennsieve.dataset_organization`, where an earlier version did not.
pub async fn track_datasets(client: &Client) -> Result<(), Error> {
    client.batch_execute("SELECT pennsieve.track_datasets(id) FROM pennsieve.organizations").await
}

/// Creates the tables of one workspace, in the schema that is named by its number.
pub async fn create_workspace_tables(client: &Client, workspace: WorkspaceId) -> Result<(), Error> {
    client.batch_execute(&WORKSPACE_SQL.replace("WORKSPACE", &workspace.to_string())).await
}
