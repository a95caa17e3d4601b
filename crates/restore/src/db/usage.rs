//! The platform's cached counters of stored bytes, by package, dataset and workspace. What they gain is reckoned in
//! [`usage`](crate::usage).

use tokio_postgres::{Row, types::Type};

use crate::usage::{Gained, Node};
use database::{Error, Param, Transaction};
use packages::{
    id::{DatasetKey, PackageId, WorkspaceId},
    package::PackageState,
};

/// These folders and the folders above them, as far as they are live, locked against being deleted: a deletion that comes now
/// waits, and then sees what has come back beneath.
pub(crate) async fn lock_live_above(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    folders: &[i32],
) -> Result<Vec<Node>, Error> {
    let sql = format!(
        r#"WITH RECURSIVE up AS (
               SELECT p.* FROM unnest($1::int[]) AS folder (id) CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p WHERE p.id = folder.id AND p.state <> ALL ($2) OFFSET 0
               ) p
               UNION
               SELECT p.* FROM up CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p WHERE p.id = up.parent_id AND p.state <> ALL ($2) OFFSET 0
               ) p
           )
           SELECT p.id, p.parent_id, 0::bigint FROM (SELECT id FROM up ORDER BY id) live CROSS JOIN LATERAL (
               SELECT id, parent_id FROM "{workspace}".packages p
               WHERE p.id = live.id AND p.state <> ALL ($2) FOR SHARE
           ) p"#
    );
    query_nodes(tx, &sql, folders).await
}

/// What is live beneath these folders already, by way of nothing but live packages, with the bytes of its source files.
pub(crate) async fn list_live_beneath(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    folders: &[i32],
) -> Result<Vec<Node>, Error> {
    let sql = format!(
        r#"WITH RECURSIVE down AS (
               SELECT p.* FROM unnest($1::int[]) AS folder (id) CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.parent_id = folder.id AND p.state <> ALL ($2) OFFSET 0
               ) p
               UNION
               SELECT p.* FROM down CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.parent_id = down.id AND p.state <> ALL ($2) OFFSET 0
               ) p
           )
           SELECT down.id, down.parent_id, own.bytes FROM down CROSS JOIN LATERAL (
               SELECT coalesce(sum(f.size), 0)::bigint AS bytes FROM "{workspace}".files f
               WHERE f.package_id = down.id AND f.object_type = 'source' OFFSET 0
           ) own"#
    );
    query_nodes(tx, &sql, folders).await
}

async fn query_nodes(tx: &Transaction<'_>, sql: &str, folders: &[i32]) -> Result<Vec<Node>, Error> {
    let params: [Param<'_>; 2] =
        [(&folders, Type::INT4_ARRAY), (&&PackageState::NOT_LIVE[..], Type::TEXT_ARRAY)];
    let node = |row: &Row| {
        Ok(Node {
            id: PackageId(row.try_get(0)?),
            parent: row.try_get::<_, Option<i32>>(1)?.map(PackageId),
            bytes: row.try_get(2)?,
        })
    };
    tx.query(sql, &params).await?.iter().map(node).collect()
}

/// Sets the counters of what came back, and adds to those of the live folders above, of the dataset and of the workspace,
/// in this order, as the platform does: whoever else counts waits, and never in a circle. The counts that are never below
/// zero make the order.
pub(crate) async fn add_usage(tx: &Transaction<'_>, key: DatasetKey, gained: &Gained) -> Result<(), Error> {
    let workspace = key.workspace;
    let sql = format!(
        r#"WITH own AS (
               -- Not added: deleting a folder leaves the counters of what lies in it alone. Most are right already.
               INSERT INTO "{workspace}".package_storage (package_id, size)
               SELECT own.id, own.bytes FROM unnest($1::int[], $2::bigint[]) AS own (id, bytes)
               LEFT JOIN LATERAL (
                   SELECT size FROM "{workspace}".package_storage s WHERE s.package_id = own.id OFFSET 0
               ) known ON true
               WHERE known.size IS DISTINCT FROM own.bytes
               ON CONFLICT (package_id) DO UPDATE SET size = excluded.size
               RETURNING 1
           ), folders AS (
               INSERT INTO "{workspace}".package_storage AS s (package_id, size)
               SELECT above.id, above.bytes FROM unnest($3::int[], $4::bigint[]) AS above (id, bytes)
               WHERE (SELECT count(*) FROM own) >= 0
               ON CONFLICT (package_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size
               RETURNING 1
           ), in_dataset AS (
               INSERT INTO "{workspace}".dataset_storage AS s (dataset_id, size)
               SELECT $5, $6 WHERE $6 > 0 AND (SELECT count(*) FROM folders) >= 0
               ON CONFLICT (dataset_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size
               RETURNING 1
           )
           INSERT INTO pennsieve.organization_storage AS s (organization_id, size)
           SELECT $7, $6 WHERE $6 > 0 AND (SELECT count(*) FROM in_dataset) >= 0
           ON CONFLICT (organization_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size"#
    );
    let columns = |counters: &[(PackageId, i64)]| -> (Vec<i32>, Vec<i64>) {
        counters.iter().map(|(id, bytes)| (id.0, *bytes)).unzip()
    };
    let ((own, own_bytes), (above, above_bytes)) = (columns(&gained.own), columns(&gained.above));
    let params: [Param<'_>; 7] = [
        (&own, Type::INT4_ARRAY),
        (&own_bytes, Type::INT8_ARRAY),
        (&above, Type::INT4_ARRAY),
        (&above_bytes, Type::INT8_ARRAY),
        (&key.dataset.0, Type::INT4),
        (&gained.total, Type::INT8),
        (&workspace.0, Type::INT4),
    ];
    tx.query(&sql, &params).await.map(drop)
}
