//! What an order would bring back, without ordering anything.

use tokio_postgres::{Row, types::Type};

use crate::db::packages::{COLUMNS, PackageRow, row};
use database::{Db, Error, Param};
use packages::{
    access::{CreateDeleteFiles, DatasetAccess},
    id::PackageNodeId,
    package::PackageState,
};

/// What would come back.
#[derive(Debug, Default)]
pub(crate) struct PreviewRows {
    /// The first packages by their ids, which is about the order in which they were made.
    pub(crate) packages: Vec<PackageRow>,
    /// Those of the asked packages that can be ordered.
    pub(crate) orderable: Vec<PackageNodeId>,
    /// How many packages would come back.
    pub(crate) total: i64,
    /// The bytes of their source files.
    pub(crate) bytes: i64,
}

/// Walks as an order would: the asked packages, what lies in the trash beneath them, and the deleted folders above. One
/// statement; nothing is locked.
pub(crate) async fn find_preview(
    db: &Db,
    access: &DatasetAccess<CreateDeleteFiles>,
    asked: &[PackageNodeId],
    limit: i64,
) -> Result<PreviewRows, Error> {
    let workspace = access.workspace();
    let sql = format!(
        r#"WITH RECURSIVE asked AS (
               SELECT p.id, p.node_id, p.parent_id, p.state, p.type FROM unnest($2::text[]) AS asked (node_id)
               CROSS JOIN LATERAL (
                   SELECT id, node_id::text, parent_id, state::text, type::text FROM "{workspace}".packages p
                   WHERE p.node_id = asked.node_id AND p.dataset_id = $1 OFFSET 0
               ) p
               WHERE p.state IN ('DELETED', 'RESTORING') OR (p.type = 'Collection' AND p.state <> ALL ($3))
           ), up AS (
               SELECT p.id, p.parent_id FROM asked CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.id = asked.parent_id AND p.dataset_id = $1 AND p.state IN ('DELETED', 'RESTORING') OFFSET 0
               ) p
               UNION
               SELECT p.id, p.parent_id FROM up CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.id = up.parent_id AND p.dataset_id = $1 AND p.state IN ('DELETED', 'RESTORING') OFFSET 0
               ) p
           ), down AS (
               SELECT id, state FROM asked
               UNION
               SELECT p.id, p.state FROM down CROSS JOIN LATERAL (
                   SELECT id, state::text FROM "{workspace}".packages p WHERE p.parent_id = down.id AND p.dataset_id = $1 OFFSET 0
               ) p
           ), returning_packages AS (
               SELECT id FROM down WHERE state IN ('DELETED', 'RESTORING') UNION SELECT id FROM up
           ), listed AS (
               SELECT {COLUMNS} FROM (SELECT id FROM returning_packages ORDER BY id LIMIT $4) first
               CROSS JOIN LATERAL (SELECT * FROM "{workspace}".packages p WHERE p.id = first.id OFFSET 0) p
           ), counted AS (
               SELECT count(*) AS packages, coalesce(sum(own.bytes), 0)::bigint AS bytes
               FROM returning_packages r CROSS JOIN LATERAL (
                   SELECT coalesce(sum(f.size), 0) AS bytes FROM "{workspace}".files f
                   WHERE f.package_id = r.id AND f.object_type = 'source' OFFSET 0
               ) own
           )
           SELECT listed.*, counted.packages, counted.bytes,
                  -- A live folder can be ordered only for what is in the trash beneath it.
                  ARRAY(SELECT node_id FROM asked WHERE state IN ('DELETED', 'RESTORING') OR counted.packages > 0)
           FROM counted LEFT JOIN listed ON true ORDER BY listed.id"#
    );
    let node_ids: Vec<&str> = asked.iter().map(PackageNodeId::as_str).collect();
    let params: [Param<'_>; 4] = [
        (&access.dataset().0, Type::INT4),
        (&node_ids, Type::TEXT_ARRAY),
        (&&PackageState::NOT_LIVE[..], Type::TEXT_ARRAY),
        (&limit, Type::INT8),
    ];
    read_preview(&db.query(&sql, &params).await?)
}

fn read_preview(rows: &[Row]) -> Result<PreviewRows, Error> {
    let mut preview = PreviewRows::default();
    for (place, r) in rows.iter().enumerate() {
        if place == 0 {
            (preview.total, preview.bytes) = (r.try_get(6)?, r.try_get(7)?);
            let orderable: Vec<String> = r.try_get(8)?;
            preview.orderable = orderable.iter().filter_map(|id| PackageNodeId::parse(id).ok()).collect();
        }
        preview.packages.extend(row(r)?);
    }
    Ok(preview)
}
