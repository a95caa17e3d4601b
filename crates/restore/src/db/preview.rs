//! What an order would bring back. Nothing is ordered.

use tokio_postgres::{Row, types::Type};

use crate::db::packages::{PACKAGE_COLUMNS, PackageRow, read_package_row};
use crate::db::states::{COLLECTION, RESTORABLE};
use database::{Db, Error, Param};
use packages::{
    access::{CreateDeleteFiles, DatasetAccess},
    id::{PackageNodeId, WorkspaceId},
    package::PackageState,
};

/// What would come back.
#[derive(Debug, Default)]
pub(crate) struct PreviewRows {
    /// The first packages by id, which is about the order in which they were created.
    pub(crate) packages: Vec<PackageRow>,
    /// The requested packages that can be ordered.
    pub(crate) orderable: Vec<PackageNodeId>,
    /// How many packages would come back.
    pub(crate) total: i64,
    /// The bytes of their source files.
    pub(crate) bytes: i64,
}

/// Finds what an order would find: the requested packages, what is in the trash beneath them, and the deleted folders
/// above. One statement; nothing is locked.
pub(crate) async fn load_preview(
    db: &Db,
    access: &DatasetAccess<CreateDeleteFiles>,
    requested: &[PackageNodeId],
    limit: i64,
) -> Result<PreviewRows, Error> {
    let node_ids: Vec<&str> = requested.iter().map(PackageNodeId::as_str).collect();
    let params: [Param<'_>; 4] = [
        (&access.dataset().0, Type::INT4),
        (&node_ids, Type::TEXT_ARRAY),
        (&&PackageState::NOT_LIVE[..], Type::TEXT_ARRAY),
        (&limit, Type::INT8),
    ];
    read_preview(&db.query(&load_preview_sql(access.workspace()), &params).await?)
}

fn load_preview_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH RECURSIVE
           -- The requested packages that an order could be for.
           requested AS (
               SELECT p.id, p.node_id, p.parent_id, p.state, p.type FROM unnest($2::text[]) AS requested (node_id)
               CROSS JOIN LATERAL (
                   SELECT id, node_id::text, parent_id, state::text, type::text FROM "{workspace}".packages p
                   WHERE p.node_id = requested.node_id AND p.dataset_id = $1 OFFSET 0
               ) p
               WHERE p.state IN {RESTORABLE} OR (p.type = {COLLECTION} AND p.state <> ALL ($3))
           ),
           -- The deleted folders above, which come back with them. UNION ends a cycle of parents.
           ancestors AS (
               SELECT p.id, p.parent_id FROM requested CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.id = requested.parent_id AND p.dataset_id = $1 AND p.state IN {RESTORABLE} OFFSET 0
               ) p
               UNION
               SELECT p.id, p.parent_id FROM ancestors CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.id = ancestors.parent_id AND p.dataset_id = $1 AND p.state IN {RESTORABLE} OFFSET 0
               ) p
           ),
           -- All packages beneath, live ones too: something deleted may be beneath a live folder.
           descendants AS (
               SELECT id, state FROM requested
               UNION
               SELECT p.id, p.state FROM descendants CROSS JOIN LATERAL (
                   SELECT id, state::text FROM "{workspace}".packages p
                   WHERE p.parent_id = descendants.id AND p.dataset_id = $1 OFFSET 0
               ) p
           ),
           -- Everything that would come back.
           returning_packages AS (
               SELECT id FROM descendants WHERE state IN {RESTORABLE} UNION SELECT id FROM ancestors
           ),
           -- The first of them, with all columns.
           listed AS (
               SELECT {PACKAGE_COLUMNS} FROM (SELECT id FROM returning_packages ORDER BY id LIMIT $4) first
               CROSS JOIN LATERAL (SELECT * FROM "{workspace}".packages p WHERE p.id = first.id OFFSET 0) p
           ),
           -- The numbers of all of them.
           totals AS (
               SELECT count(*) AS packages, coalesce(sum(own.bytes), 0)::bigint AS bytes
               FROM returning_packages r CROSS JOIN LATERAL (
                   SELECT coalesce(sum(f.size), 0) AS bytes FROM "{workspace}".files f
                   WHERE f.package_id = r.id AND f.object_type = 'source' OFFSET 0
               ) own
           )
           SELECT listed.*, totals.packages, totals.bytes,
                  -- A live folder can be ordered only if something is in the trash beneath it.
                  ARRAY(SELECT node_id FROM requested WHERE state IN {RESTORABLE} OR totals.packages > 0) AS orderable
           FROM totals LEFT JOIN listed ON true ORDER BY listed.id"#
    )
}

fn read_preview(rows: &[Row]) -> Result<PreviewRows, Error> {
    let mut preview = PreviewRows::default();
    if let Some(first) = rows.first() {
        // Each row has the totals.
        (preview.total, preview.bytes) = (first.try_get("packages")?, first.try_get("bytes")?);
        let orderable: Vec<String> = first.try_get("orderable")?;
        preview.orderable = orderable.iter().filter_map(|id| PackageNodeId::parse(id).ok()).collect();
    }
    for row in rows {
        preview.packages.extend(read_package_row(row)?);
    }
    Ok(preview)
}
