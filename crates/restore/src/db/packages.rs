//! `"{workspace}".packages`: where a package is and in which state.

use tokio_postgres::Row;

use database::{Db, Error};
use packages::{
    id::{PackageId, PackageNodeId, WorkspaceId},
    package::{PackageKind, PackageState},
};

/// A package as the restore knows it.
#[derive(Debug, Clone)]
pub(crate) struct PackageRow {
    /// Primary key.
    pub(crate) id: PackageId,
    /// Public id.
    pub(crate) node_id: PackageNodeId,
    /// The name as the column holds it; in the trash it has the deletion prefix.
    pub(crate) name: String,
    /// The folder it is in; `None` at the dataset's top.
    pub(crate) parent_id: Option<PackageId>,
    /// Its kind; folders are collections.
    pub(crate) kind: PackageKind,
    /// Its state when it was read.
    pub(crate) state: PackageState,
}

/// The columns that [`read_package_row`] reads, of the table with the alias `p`.
pub(super) const PACKAGE_COLUMNS: &str = "p.id, p.node_id, p.name, p.parent_id, p.type, p.state";

/// Reads [`PACKAGE_COLUMNS`]. `None`: the row is empty, or its node id is not valid. A package without a valid node id
/// cannot be ordered.
pub(super) fn read_package_row(row: &Row) -> Result<Option<PackageRow>, Error> {
    let node_id: Option<&str> = row.try_get("node_id")?;
    let Some(node_id) = node_id.and_then(|id| PackageNodeId::parse(id).ok()) else { return Ok(None) };
    Ok(Some(PackageRow {
        id: PackageId(row.try_get("id")?),
        node_id,
        name: row.try_get("name")?,
        parent_id: row.try_get::<_, Option<i32>>("parent_id")?.map(PackageId),
        kind: PackageKind::from_column(row.try_get("type")?),
        state: PackageState::from_column(row.try_get("state")?),
    }))
}

/// All workspaces, for maintenance. A workspace that is still being created has no tables yet and is left out.
pub(crate) async fn list_workspaces(db: &Db) -> Result<Vec<WorkspaceId>, Error> {
    // The catalogue is readable for every role. `to_regclass` fails for all where the role may not use one schema.
    let sql = "SELECT o.id FROM pennsieve.organizations o
               WHERE EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                             WHERE n.nspname = o.id::text AND c.relname = 'packages')
               ORDER BY o.id";
    let rows = db.query(sql, &[]).await?;
    rows.iter().map(|row| Ok(WorkspaceId(row.try_get("id")?))).collect()
}
