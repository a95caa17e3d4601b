//! `"{workspace}".packages`: where a package is and in which state.

use tokio_postgres::Row;

use database::{Db, Error};
use packages::{
    id::{PackageId, PackageNodeId, WorkspaceId},
    package::{PackageKind, PackageState},
};

/// A package as the restore knows it.
#[derive(Debug, Clone)]
pub struct PackageRow {
    /// Primary key.
    pub id: PackageId,
    /// Public id.
    pub node_id: PackageNodeId,
    /// The name as it stands, in the trash with the deletion prefix.
    pub name: String,
    /// The folder it lies in; `None` at the dataset's top.
    pub parent_id: Option<PackageId>,
    /// Folder or what else.
    pub kind: PackageKind,
    /// Its state when it was read.
    pub state: PackageState,
}

/// The columns that [`row`] reads, of the table called `p`.
pub(super) const COLUMNS: &str = "p.id, p.node_id, p.name, p.parent_id, p.type, p.state";

/// Reads [`COLUMNS`]. A row whose node id is not one of ours gives `None`: nobody can have asked for it.
pub(super) fn row(row: &Row) -> Result<Option<PackageRow>, Error> {
    let Some(node_id) = row.try_get::<_, Option<&str>>(1)?.and_then(|id| PackageNodeId::parse(id).ok())
    else {
        return Ok(None);
    };
    Ok(Some(PackageRow {
        id: PackageId(row.try_get(0)?),
        node_id,
        name: row.try_get(2)?,
        parent_id: row.try_get::<_, Option<i32>>(3)?.map(PackageId),
        kind: PackageKind::from_column(row.try_get(4)?),
        state: PackageState::from_column(row.try_get(5)?),
    }))
}

/// The workspaces there are, for what must look into each. One that is still being made has no tables yet.
pub async fn list_workspaces(db: &Db) -> Result<Vec<WorkspaceId>, Error> {
    let sql = "SELECT id FROM pennsieve.organizations
               WHERE to_regclass(format('%I.packages', id)) IS NOT NULL ORDER BY id";
    let rows = db.query(sql, &[]).await?;
    rows.iter().map(|row| Ok(WorkspaceId(row.try_get(0)?))).collect()
}
