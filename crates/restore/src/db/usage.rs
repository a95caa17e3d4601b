//! The platform's cached counters of stored bytes, by package, dataset and workspace. [`usage`](crate::usage) computes how
//! they change.

use tokio_postgres::{Row, types::Type};

use crate::usage::{UsageChange, UsageNode};
use database::{Error, Param, Transaction};
use packages::{
    id::{DatasetKey, PackageId, WorkspaceId},
    package::PackageState,
};

/// Locks these folders and the folders above them, up to the first that is not live, against being deleted. A deletion
/// waits for the lock, and then sees what has come back in the folder.
///
/// Locks: packages by id.
pub(crate) async fn lock_live_ancestors(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    folders: &[i32],
) -> Result<Vec<UsageNode>, Error> {
    let sql = format!(
        r#"WITH RECURSIVE
           -- The folders first, then each parent. UNION ends a cycle of parents.
           ancestors AS (
               SELECT p.* FROM unnest($1::int[]) AS folder (id) CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p WHERE p.id = folder.id AND p.state <> ALL ($2) OFFSET 0
               ) p
               UNION
               SELECT p.* FROM ancestors CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.id = ancestors.parent_id AND p.state <> ALL ($2) OFFSET 0
               ) p
           )
           SELECT p.id, p.parent_id, 0::bigint AS bytes
           FROM (SELECT id FROM ancestors ORDER BY id) live CROSS JOIN LATERAL (
               SELECT id, parent_id FROM "{workspace}".packages p
               WHERE p.id = live.id AND p.state <> ALL ($2) FOR SHARE
           ) p"#
    );
    query_nodes(tx, &sql, folders).await
}

/// The live packages beneath these folders that only live packages lead to, with the bytes of their source files.
pub(crate) async fn list_live_descendants(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    folders: &[i32],
) -> Result<Vec<UsageNode>, Error> {
    let sql = format!(
        r#"WITH RECURSIVE
           -- The live children first, then theirs. UNION ends a cycle of parents.
           descendants AS (
               SELECT p.* FROM unnest($1::int[]) AS folder (id) CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.parent_id = folder.id AND p.state <> ALL ($2) OFFSET 0
               ) p
               UNION
               SELECT p.* FROM descendants CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.parent_id = descendants.id AND p.state <> ALL ($2) OFFSET 0
               ) p
           )
           SELECT descendants.id, descendants.parent_id, own.bytes FROM descendants CROSS JOIN LATERAL (
               SELECT coalesce(sum(f.size), 0)::bigint AS bytes FROM "{workspace}".files f
               WHERE f.package_id = descendants.id AND f.object_type = 'source' OFFSET 0
           ) own"#
    );
    query_nodes(tx, &sql, folders).await
}

async fn query_nodes(tx: &Transaction<'_>, sql: &str, folders: &[i32]) -> Result<Vec<UsageNode>, Error> {
    let params: [Param<'_>; 2] =
        [(&folders, Type::INT4_ARRAY), (&&PackageState::NOT_LIVE[..], Type::TEXT_ARRAY)];
    tx.query(sql, &params).await?.iter().map(read_node).collect()
}

fn read_node(row: &Row) -> Result<UsageNode, Error> {
    Ok(UsageNode {
        id: PackageId(row.try_get("id")?),
        parent: row.try_get::<_, Option<i32>>("parent_id")?.map(PackageId),
        bytes: row.try_get("bytes")?,
    })
}

/// Sets the counters of restored packages, and adds to those of the live folders above, of the dataset and of the workspace.
///
/// Locks: counters of packages, then of the dataset, then of the workspace, in the platform's order, so that no two
/// writers wait for each other. A count that is never below zero makes each part wait for the part before it.
pub(crate) async fn add_usage(
    tx: &Transaction<'_>,
    key: DatasetKey,
    change: &UsageChange,
) -> Result<(), Error> {
    let workspace = key.workspace;
    let sql = add_usage_sql(workspace);
    let to_columns = |counters: &[(PackageId, i64)]| -> (Vec<i32>, Vec<i64>) {
        counters.iter().map(|(id, bytes)| (id.0, *bytes)).unzip()
    };
    let (restored, restored_bytes) = to_columns(&change.restored);
    let (ancestors, ancestor_bytes) = to_columns(&change.ancestors);
    let params: [Param<'_>; 7] = [
        (&restored, Type::INT4_ARRAY),
        (&restored_bytes, Type::INT8_ARRAY),
        (&ancestors, Type::INT4_ARRAY),
        (&ancestor_bytes, Type::INT8_ARRAY),
        (&key.dataset.0, Type::INT4),
        (&change.total, Type::INT8),
        (&workspace.0, Type::INT4),
    ];
    tx.query(&sql, &params).await.map(drop)
}

fn add_usage_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH
           -- Set, not added: deleting a folder does not change the counters of what is in it. Most are right already and
           -- are not written.
           restored AS (
               INSERT INTO "{workspace}".package_storage (package_id, size)
               SELECT restored.id, restored.bytes FROM unnest($1::int[], $2::bigint[]) AS restored (id, bytes)
               LEFT JOIN LATERAL (
                   SELECT size FROM "{workspace}".package_storage s WHERE s.package_id = restored.id OFFSET 0
               ) known ON true
               WHERE known.size IS DISTINCT FROM restored.bytes
               ON CONFLICT (package_id) DO UPDATE SET size = excluded.size
               RETURNING 1
           ),
           -- The live folders above gain what came back beneath them.
           ancestors AS (
               INSERT INTO "{workspace}".package_storage AS s (package_id, size)
               SELECT ancestor.id, ancestor.bytes FROM unnest($3::int[], $4::bigint[]) AS ancestor (id, bytes)
               WHERE (SELECT count(*) FROM restored) >= 0
               ON CONFLICT (package_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size
               RETURNING 1
           ),
           -- The dataset gains what became live; nothing is written where that is nothing.
           in_dataset AS (
               INSERT INTO "{workspace}".dataset_storage AS s (dataset_id, size)
               SELECT $5, $6 WHERE $6 > 0 AND (SELECT count(*) FROM ancestors) >= 0
               ON CONFLICT (dataset_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size
               RETURNING 1
           )
           INSERT INTO pennsieve.organization_storage AS s (organization_id, size)
           SELECT $7, $6 WHERE $6 > 0 AND (SELECT count(*) FROM in_dataset) >= 0
           ON CONFLICT (organization_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size"#
    )
}
