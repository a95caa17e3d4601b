//! The tables: the platform's, which in production are there already, and the service's own.

use packages::id::WorkspaceId;
use tokio_postgres::{Client, Error};

const SHARED: &str = include_str!("schema/pennsieve.sql");
const WORKSPACE: &str = include_str!("schema/workspace.sql");

/// Makes what all tenants share, and the service's own tables, where they are missing.
pub async fn create_shared(client: &Client) -> Result<(), Error> {
    client.batch_execute(SHARED).await?;
    client.batch_execute(restore::SCHEMA).await
}

/// Makes one tenant's tables, in the schema that its number names.
pub async fn create_workspace(client: &Client, workspace: WorkspaceId) -> Result<(), Error> {
    client.batch_execute(&WORKSPACE.replace("WORKSPACE", &workspace.to_string())).await
}
