//! `"{workspace}".files`: where a package's bytes lie. The row's bucket and key, never a derived key.

use std::collections::HashMap;

use tokio_postgres::{Row, types::Type};

use super::{Db, Error};
use crate::{
    access::{DatasetAccess, ViewFiles},
    id::{PackageId, PackageNodeId, WorkspaceId},
    package::State,
};

/// A package's newest source file, with what decides whether it may be read.
#[derive(Debug, Clone)]
pub struct NewestSource {
    /// The package's primary key.
    pub package: PackageId,
    /// The package's state.
    pub state: State,
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
        state: State::parse(row.try_get(0)?),
        file: bucket.zip(key).map(|(bucket, key)| (bucket, key, version.filter(|v| !v.is_empty()))),
        scan_status: row.try_get(4)?,
    })
}

/// A file of a package that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoredFile {
    /// Whose it is.
    pub package: PackageId,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Whether the package is nothing without it (a source file, not a derived one).
    pub is_source: bool,
}

/// The files of packages, and how many bytes they count for.
#[derive(Debug, Clone, Default)]
pub(crate) struct PackageFiles {
    /// The stored files, except published ones: deleting a package leaves those alone.
    pub(crate) stored: Vec<StoredFile>,
    /// The bytes of each package's source files, published ones included. A file without a size counts as nothing.
    pub(crate) bytes: HashMap<PackageId, i64>,
}

/// Reads the files of packages.
///
/// `published_s3_version_id` is younger than some schemas. Where the table lacks it, the name means the column of
/// `absent`: an inner name that does not resolve is looked up in the query around it.
pub(crate) async fn list_files(
    db: &Db,
    workspace: WorkspaceId,
    packages: &[i32],
) -> Result<PackageFiles, Error> {
    let sql = format!(
        r#"SELECT f.package_id, f.s3_bucket, f.s3_key, f.is_source, f.size, f.is_published
           FROM (SELECT NULL::text AS published_s3_version_id) absent
           CROSS JOIN unnest($1::int[]) AS package (id)
           CROSS JOIN LATERAL (
               SELECT package_id, s3_bucket, s3_key, object_type = 'source' AS is_source, coalesce(size, 0) AS size,
                      coalesce(published_s3_version_id, '') <> '' AS is_published
               FROM "{workspace}".files WHERE package_id = package.id OFFSET 0
           ) f"#
    );
    let rows = db.query(&sql, &[(&packages, Type::INT4_ARRAY)]).await?;
    let mut files = PackageFiles::default();
    for row in &rows {
        let package = PackageId(row.try_get(0)?);
        let (bucket, key): (Option<&str>, Option<&str>) = (row.try_get(1)?, row.try_get(2)?);
        let (is_source, size, is_published): (bool, i64, bool) =
            (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
        if is_source {
            *files.bytes.entry(package).or_default() += size;
        }
        if let (Some(bucket), Some(key), false) = (bucket, key, is_published)
            && !bucket.is_empty()
            && !key.is_empty()
        {
            let (bucket, key) = (bucket.to_owned(), key.to_owned());
            files.stored.push(StoredFile { package, bucket, key, is_source });
        }
    }
    Ok(files)
}
