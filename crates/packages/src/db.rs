//! Statements on the platform's tables.
//!
//! A file's bucket and key come from its row; no key is derived from ids. A workspace's schema gets into a statement
//! only as [`WorkspaceId`](crate::id::WorkspaceId), an integer.

use tokio_postgres::{Row, types::Type};

use crate::{
    access::{DatasetAccess, ViewFiles},
    id::{PackageId, PackageNodeId},
    package::PackageState,
};
use database::{Db, Error};

/// A package with its newest source file, and what decides whether the file may be read.
#[derive(Debug, Clone)]
pub struct PackageSource {
    /// The package's primary key.
    pub package: PackageId,
    /// The package's state.
    pub state: PackageState,
    /// The newest source file; `None` if the package has no stored file.
    pub file: Option<SourceFile>,
    /// The status of the malware scan; `None` if there was no scan, or the schema has no such column.
    pub scan_status: Option<String>,
}

/// Where a source file is stored, as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The published version; `None` for the newest.
    pub version: Option<String>,
}

/// Finds a package of the caller's dataset and its newest source file. One statement.
pub async fn find_package_source(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    package: &PackageNodeId,
) -> Result<Option<PackageSource>, Error> {
    let workspace = access.workspace();
    // `published_s3_version_id` and `scan_status` are newer than some schemas. They are read through the row's JSON: a
    // missing column reads as null.
    let sql = format!(
        r#"SELECT p.id, p.state, f.s3_bucket, f.s3_key,
                  f.file_row ->> 'published_s3_version_id' AS version, f.file_row ->> 'scan_status' AS scan_status
           FROM "{workspace}".datasets d
           JOIN "{workspace}".packages p ON p.dataset_id = d.id
           LEFT JOIN LATERAL (
               SELECT s3_bucket, s3_key, to_jsonb(f) AS file_row
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
    row.map(|row| read_package_source(&row)).transpose()
}

fn read_package_source(row: &Row) -> Result<PackageSource, Error> {
    let bucket: Option<String> = row.try_get("s3_bucket")?;
    let key: Option<String> = row.try_get("s3_key")?;
    let version: Option<String> = row.try_get("version")?;
    let version = version.filter(|version| !version.is_empty());
    Ok(PackageSource {
        package: PackageId(row.try_get("id")?),
        state: PackageState::from_column(row.try_get("state")?),
        file: bucket.zip(key).map(|(bucket, key)| SourceFile { bucket, key, version }),
        scan_status: row.try_get("scan_status")?,
    })
}
