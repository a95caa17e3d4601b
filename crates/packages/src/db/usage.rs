//! How many bytes lie in a package, a dataset, a workspace: the platform's cached counters, kept equal to a recount.
//!
//! A recount sums the source files of live packages; a folder has the sum of what is live beneath it.

use tokio_postgres::types::Type;

use super::{Error, Tx};
use crate::{
    id::{DatasetId, WorkspaceId},
    package::State,
};

/// Counts packages that have just become READY: each gets the bytes live beneath it, and the live folders above, the
/// dataset and the workspace gain the bytes that became live. In the transaction that changed the states.
pub(crate) async fn count_restored(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    dataset: DatasetId,
    restored: &[i32],
) -> Result<(), Error> {
    set_own(tx, workspace, restored).await?;
    add_above(tx, workspace, dataset, restored).await
}

/// Sets the counters of the restored packages themselves. Deleting a folder leaves its descendants' counters alone,
/// so adding to them would count twice.
///
/// A restored package may lie beneath a live one that lies beneath a restored one: `longest` counts it once, with all
/// above it. `OFFSET 0` keeps both look-ups by index, at a cost that grows with the restore and not with the tenant.
async fn set_own(tx: &Tx<'_>, workspace: WorkspaceId, restored: &[i32]) -> Result<(), Error> {
    let sql = format!(
        r#"WITH RECURSIVE restored AS (
               SELECT unnest($1::int[]) AS id
           ), top AS (
               SELECT p.id FROM restored JOIN "{workspace}".packages p USING (id)
               WHERE NOT EXISTS (SELECT 1 FROM restored r WHERE r.id = p.parent_id)
           ), tree AS (
               SELECT id, ARRAY[id] AS path FROM top
               UNION ALL
               SELECT p.id, tree.path || p.id
               FROM tree CROSS JOIN LATERAL (
                   SELECT p.id FROM "{workspace}".packages p
                   WHERE p.parent_id = tree.id AND p.state <> ALL ($2) OFFSET 0
               ) p
               WHERE cardinality(tree.path) < 256
           ), longest AS (
               SELECT DISTINCT ON (id) id, path FROM tree ORDER BY id, cardinality(path) DESC
           ), beneath AS (
               SELECT above.id, sum(own.bytes) AS bytes
               FROM longest
               CROSS JOIN LATERAL (
                   SELECT sum(f.size) AS bytes FROM "{workspace}".files f
                   WHERE f.package_id = longest.id AND f.object_type = 'source' OFFSET 0
               ) own
               CROSS JOIN unnest(longest.path) AS above (id)
               WHERE own.bytes IS NOT NULL
               GROUP BY above.id
           )
           INSERT INTO "{workspace}".package_storage (package_id, size)
           SELECT restored.id, coalesce(beneath.bytes, 0)::bigint FROM restored LEFT JOIN beneath USING (id)
           ON CONFLICT (package_id) DO UPDATE SET size = excluded.size"#
    );
    tx.query(&sql, &[(&restored, Type::INT4_ARRAY), (&&State::NOT_LIVE[..], Type::TEXT_ARRAY)])
        .await
        .map(drop)
}

/// Adds to every folder above that was live already, to the dataset and to the workspace, in this order, as the platform
/// does: whoever else counts waits, and never in a circle. The counts that are never below zero make the order.
async fn add_above(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    dataset: DatasetId,
    restored: &[i32],
) -> Result<(), Error> {
    let sql = format!(
        r#"WITH RECURSIVE restored AS (
               SELECT unnest($1::int[]) AS id
           ), gained AS (
               SELECT p.parent_id, sum(f.size) AS bytes
               FROM restored JOIN "{workspace}".packages p USING (id)
               JOIN "{workspace}".files f ON f.package_id = p.id AND f.object_type = 'source'
               GROUP BY p.parent_id
           ), up AS (
               SELECT parent_id AS id, bytes, 0 AS depth FROM gained WHERE parent_id IS NOT NULL
               UNION ALL
               SELECT p.parent_id, up.bytes, up.depth + 1 FROM up JOIN "{workspace}".packages p ON p.id = up.id
               WHERE p.parent_id IS NOT NULL AND up.depth < 256
           ), folders AS (
               INSERT INTO "{workspace}".package_storage AS s (package_id, size)
               SELECT id, sum(bytes)::bigint FROM up
               WHERE NOT EXISTS (SELECT 1 FROM restored r WHERE r.id = up.id)
               GROUP BY id ORDER BY id
               ON CONFLICT (package_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size
               RETURNING 1
           ), total AS (
               SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM gained
           ), in_dataset AS (
               INSERT INTO "{workspace}".dataset_storage AS s (dataset_id, size)
               SELECT $2, bytes FROM total WHERE bytes > 0 AND (SELECT count(*) FROM folders) >= 0
               ON CONFLICT (dataset_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size
               RETURNING 1
           )
           INSERT INTO pennsieve.organization_storage AS s (organization_id, size)
           SELECT $3, bytes FROM total WHERE bytes > 0 AND (SELECT count(*) FROM in_dataset) >= 0
           ON CONFLICT (organization_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size"#
    );
    let params = [
        (&restored as &(dyn tokio_postgres::types::ToSql + Sync), Type::INT4_ARRAY),
        (&dataset.0, Type::INT4),
        (&workspace.0, Type::INT4),
    ];
    tx.query(&sql, &params).await.map(drop)
}
