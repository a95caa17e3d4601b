//! What people want back: this service's own two tables, `packages_service.restore_orders` (a restore that is not
//! finished) and `restore_failures` (why a package is still in the trash).

use std::time::SystemTime;

use tokio_postgres::{Row, types::Type};

use super::{
    Db, Error, Param, Tx,
    packages::{COLUMNS, PackageRow, row},
};
use crate::{
    access::{CreateDeleteFiles, DatasetAccess},
    id::{PackageNodeId, WorkspaceId},
};

/// A package that an order has moved.
#[derive(Debug, Clone)]
pub struct Ordered {
    /// The package, now RESTORING.
    pub package: PackageRow,
    /// Whether it was in the trash until now; else an earlier order had moved it.
    pub moved: bool,
}

/// Moves the asked packages from the trash to RESTORING and notes who ordered it: one statement, its own transaction.
/// `None`: the dataset is gone. A package that is neither in the trash nor on its way is not among the answer.
///
/// An order that finds its package on its way already joins what is under way, and leaves the time as it is.
pub async fn order(
    db: &Db,
    access: &DatasetAccess<CreateDeleteFiles>,
    packages: &[PackageNodeId],
) -> Result<Option<Vec<Ordered>>, Error> {
    let workspace = access.workspace();
    let sql = format!(
        r#"WITH dataset AS (
               SELECT id FROM "{workspace}".datasets WHERE id = $1 AND node_id = $2
           ), asked AS (
               SELECT p.id, p.state = 'DELETED' AS moved
               FROM dataset JOIN "{workspace}".packages p ON p.dataset_id = dataset.id
               WHERE p.node_id = ANY ($3) AND p.state IN ('DELETED', 'RESTORING')
               ORDER BY p.id FOR NO KEY UPDATE OF p
           ), ordered AS (
               UPDATE "{workspace}".packages p SET state = 'RESTORING'
               FROM asked WHERE p.id = asked.id
               RETURNING {COLUMNS}, asked.moved
           ), noted AS (
               INSERT INTO packages_service.restore_orders AS known
                   (workspace_id, package_id, dataset_id, user_node_id, ordered_at)
               SELECT $4, id, $1, $5, CASE WHEN moved THEN clock_timestamp() ELSE '-infinity' END FROM ordered
               ON CONFLICT (workspace_id, package_id)
               DO UPDATE SET user_node_id = excluded.user_node_id,
                             ordered_at = greatest(known.ordered_at, excluded.ordered_at)
           ), forgotten AS (
               DELETE FROM packages_service.restore_failures
               WHERE workspace_id = $4 AND package_id IN (SELECT id FROM ordered)
           )
           SELECT ordered.* FROM dataset LEFT JOIN ordered ON true"#
    );
    let node_ids: Vec<&str> = packages.iter().map(PackageNodeId::as_str).collect();
    let rows = db
        .query(
            &sql,
            &[
                (&access.dataset().0, Type::INT4),
                (&access.dataset_node_id().as_str(), Type::TEXT),
                (&node_ids, Type::TEXT_ARRAY),
                (&workspace.0, Type::INT4),
                (&access.user().as_str(), Type::TEXT),
            ],
        )
        .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    rows.iter().filter_map(|row| ordered(row).transpose()).collect::<Result<_, _>>().map(Some)
}

fn ordered(r: &Row) -> Result<Option<Ordered>, Error> {
    let moved = r.try_get::<_, Option<bool>>(6)?;
    let package = row(r)?;
    Ok(package.zip(moved).map(|(package, moved)| Ordered { package, moved }))
}

/// Puts packages whose order could not be handed on back into the trash.
pub async fn put_back(db: &Db, workspace: WorkspaceId, packages: &[i32]) -> Result<(), Error> {
    let sql = format!(
        r#"WITH back AS (
               UPDATE "{workspace}".packages SET state = 'DELETED' WHERE id = ANY ($1) AND state = 'RESTORING'
           )
           DELETE FROM packages_service.restore_orders WHERE workspace_id = $2 AND package_id = ANY ($1)"#
    );
    db.query(&sql, &[(&packages, Type::INT4_ARRAY), (&workspace.0, Type::INT4)]).await.map(drop)
}

/// Whether one of these packages was taken out of the trash by an order after that time, as the database's clock has it.
pub(crate) async fn was_ordered_since(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    packages: &[i32],
    since: SystemTime,
) -> Result<bool, Error> {
    let params: [Param<'_>; 3] =
        [(&workspace.0, Type::INT4), (&packages, Type::INT4_ARRAY), (&since, Type::TIMESTAMPTZ)];
    let sql = "SELECT 1 FROM packages_service.restore_orders
               WHERE workspace_id = $1 AND package_id = ANY ($2) AND ordered_at > $3 LIMIT 1";
    Ok(tx.query_opt(sql, &params).await?.is_some())
}

/// Forgets the orders and the failures of packages that no longer exist: nobody can restore those, or ask about them.
pub(crate) async fn forget_purged(db: &Db, workspace: WorkspaceId) -> Result<(), Error> {
    let gone = format!(
        r#"workspace_id = $1 AND NOT EXISTS (SELECT 1 FROM "{workspace}".packages p WHERE p.id = package_id)"#
    );
    let sql = format!(
        "WITH orders AS (DELETE FROM packages_service.restore_orders WHERE {gone})
         DELETE FROM packages_service.restore_failures WHERE {gone}"
    );
    db.query(&sql, &[(&workspace.0, Type::INT4)]).await.map(drop)
}
