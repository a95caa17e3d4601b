//! Statements on the platform's tables. The row's bucket and key count, never a derived key.
//!
//! A workspace's schema gets into a statement only as [`WorkspaceId`](crate::id::WorkspaceId), an integer.

use tokio_postgres::{Row, types::Type};

use crate::{
    access::{DatasetAccess, ViewFiles},
    id::{PackageId, PackageNodeId},
    package::PackageState,
};
use database::{Db, Error};

/// A package's newest source file, with what decides whether it may be read.
#[derive(Debug, Clone)]
pub struct NewestSource {
    /// The package's primary key.
    pub package: PackageId,
    /// The package's state.
    pub state: PackageState,
    /// Bucket, key and published version; `None`: the package has no stored file.
    pub file: Option<(String, String, Option<String>)>,
    /// What the malware scan says; `None`: not scanned, or a schema older than scans.
    pub scan_status: Option<String>,
}

/// The newest source file of a package in the caller's dataset. One statement.
///
/// `published_s3_version_id` and `scan_status` are younger than some schemas, so they are read through the row's JSON:
/// a missing column reads as null.
pub async fn find_newest_source(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    package: &PackageNodeId,
) -> Result<Option<NewestSource>, Error> {
    let workspace = access.workspace();
    let sql = format!(
        r#"SELECT p.state, f.s3_bucket, f.s3_key, f.late ->> 'published_s3_version_id', f.late ->> 'scan_status', p.id
           FROM "{workspace}".datasets d
           JOIN "{workspace}".packages p ON p.dataset_id = d.id
           LEFT JOIN LATERAL (
               SELECT s3_bucket, s3_key, to_jsonb(f) AS late
               FROM "{workspace}".files f
               WHERE package_id = p.id AND object_type = 'source' AND s3_bucket <> '' AND s3_key <> ''
               ORDER BY created_at DESC, id DESC LIMIT 1
           ) f ON true
           WHERE d.id = $1 AND d.node_id = $2 AND p.node_id = $3"#
    );
    let row = db
        .query_opt(
            &sql,
            &[
                (&access.dataset().0, Type::INT4),
                (&access.dataset_node_id().as_str(), Type::TEXT),
                (&package.as_str(), Type::TEXT),
            ],
        )
        .await?;
    row.map(|row| newest_source(&row)).transpose()
}

fn newest_source(row: &Row) -> Result<NewestSource, Error> {
    let bucket: Option<String> = row.try_get(1)?;
    let key: Option<String> = row.try_get(2)?;
    let version: Option<String> = row.try_get(3)?;
    Ok(NewestSource {
        package: PackageId(row.try_get(5)?),
        state: PackageState::from_column(row.try_get(0)?),
        file: bucket.zip(key).map(|(bucket, key)| (bucket, key, version.filter(|v| !v.is_empty()))),
        scan_status: row.try_get(4)?,
    })
}
