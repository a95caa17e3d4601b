//! Statements on the platform's tables.
//!
//! A file's bucket and key come from its row; no key is derived from ids. A workspace's schema gets into a statement
//! only as [`WorkspaceId`], an integer.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::{Row, types::Type};

use crate::{
    access::{DatasetAccess, ViewFiles},
    file_name::FileName,
    id::{DatasetId, PackageId, PackageNodeId, WorkspaceId},
    package::PackageState,
};
use database::{Db, Error, Param};

/// Which rows of `files` are stored source files. The names mean the columns of the innermost `files`.
pub(crate) const IS_STORED_SOURCE: &str = "object_type = 'source' AND s3_bucket <> '' AND s3_key <> ''";

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
    /// The name under which it is downloaded: the package's name, or the file's own if the package has several files.
    pub name: FileName,
    /// The size in bytes; `None` if the row has none.
    pub size: Option<u64>,
}

/// Finds packages of the caller's dataset and the newest source file of each, by node id. One statement. A package that
/// the dataset does not have is not in the result.
pub async fn find_package_sources(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    packages: &[&PackageNodeId],
) -> Result<HashMap<String, PackageSource>, Error> {
    let node_ids: BTreeSet<&str> = packages.iter().map(|package| package.as_str()).collect();
    let node_ids: Vec<&str> = node_ids.into_iter().collect();
    let (dataset, dataset_node_id) = (access.dataset().0, access.dataset_node_id().as_str());
    let params: [Param<'_>; 3] =
        [(&dataset, Type::INT4), (&dataset_node_id, Type::TEXT), (&node_ids, Type::TEXT_ARRAY)];
    let rows = db.query(&dataset_sources_sql(access.workspace(), "unnest($3::text[])"), &params).await?;
    rows.iter().map(|row| Ok((row.try_get("node_id")?, read_package_source(row)?))).collect()
}

/// Finds one package of the caller's dataset and its newest source file. One statement. `None`: the dataset does not have it.
///
/// It is prepared, and one plan serves all packages: with one id Postgres knows that there is one. With a list it would guess
/// ten, and plan each time anew.
pub(crate) async fn find_package_source(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    package: &PackageNodeId,
) -> Result<Option<PackageSource>, Error> {
    let (dataset, dataset_node_id) = (access.dataset().0, access.dataset_node_id().as_str());
    let params: [Param<'_>; 3] =
        [(&dataset, Type::INT4), (&dataset_node_id, Type::TEXT), (&package.as_str(), Type::TEXT)];
    let sql = dataset_sources_sql(access.workspace(), "(SELECT $3::text)");
    let row = db.query_opt_prepared(&sql, &params).await?;
    row.as_ref().map(read_package_source).transpose()
}

/// The packages of a dataset ($1, $2) with these node ids.
fn dataset_sources_sql(workspace: WorkspaceId, node_ids: &str) -> String {
    let mut sql = package_sources_sql(workspace, "$1", node_ids);
    // Both ids of the claims must be those of one dataset.
    let condition =
        format!(r#" WHERE EXISTS (SELECT FROM "{workspace}".datasets WHERE id = $1 AND node_id = $2)"#);
    sql.push_str(&condition);
    sql
}

/// The packages of a dataset with these node ids. `dataset` is SQL for its primary key.
fn package_sources_sql(workspace: WorkspaceId, dataset: &str, node_ids: &str) -> String {
    // OFFSET 0 keeps the lookups by index: with many ids the planner would rather read the whole table.
    format!(
        r#"SELECT p.id, p.node_id, p.state, p.name, f.s3_bucket, f.s3_key, f.file_name, f.size, f.file_count, f.version, f.scan_status
           FROM {node_ids} AS wanted (node_id)
           CROSS JOIN LATERAL (
               SELECT id, node_id, state, name FROM "{workspace}".packages
               WHERE node_id = wanted.node_id AND dataset_id = {dataset} OFFSET 0
           ) p
           -- These columns are newer than some schemas. Where `files` has no such column, the name means this one.
           CROSS JOIN (SELECT NULL::text AS published_s3_version_id, NULL::text AS scan_status) absent
           LEFT JOIN LATERAL (
               SELECT f.s3_bucket, f.s3_key, f.name AS file_name, f.size, count(*) OVER () AS file_count,
                      published_s3_version_id::text AS version, scan_status::text AS scan_status
               FROM "{workspace}".files f
               WHERE f.package_id = p.id AND {IS_STORED_SOURCE}
               ORDER BY f.created_at DESC, f.id DESC LIMIT 1
           ) f ON true"#
    )
}

/// A package that was looked up by the statement that decides on a caller's access to its dataset. Only somebody who may view the
/// files of that dataset can read it.
#[derive(Debug, Clone)]
pub struct PrefetchedPackage {
    workspace: WorkspaceId,
    dataset: DatasetId,
    node_id: PackageNodeId,
    source: Option<PackageSource>,
}

impl PrefetchedPackage {
    /// A query of one row at most, since packages have unique node ids, with columns for [`PrefetchedPackage::read`]. `dataset` is
    /// SQL for the primary key of the dataset, `node_id` for the package's node id.
    #[must_use]
    pub fn to_sql(workspace: WorkspaceId, dataset: &str, node_id: &str) -> String {
        package_sources_sql(workspace, dataset, &format!("(SELECT {node_id}::text)"))
    }

    /// Reads the columns of the query from a row. They are null if the dataset has no such package.
    pub fn read(
        row: &Row,
        workspace: WorkspaceId,
        dataset: DatasetId,
        node_id: &PackageNodeId,
    ) -> Result<Self, Error> {
        let is_found = row.try_get::<_, Option<i32>>("id")?.is_some();
        let source = is_found.then(|| read_package_source(row)).transpose()?;
        Ok(Self { workspace, dataset, node_id: node_id.clone(), source })
    }

    /// The package; `None` if the dataset does not have it.
    pub(crate) fn into_source(
        self,
        access: &DatasetAccess<ViewFiles>,
        package: &PackageNodeId,
    ) -> Result<Option<PackageSource>, OtherPackage> {
        let is_same = self.node_id == *package
            && (self.workspace, self.dataset) == (access.workspace(), access.dataset());
        if is_same { Ok(self.source) } else { Err(OtherPackage) }
    }
}

/// Another package was looked up, or one of another dataset.
pub(crate) struct OtherPackage;

fn read_package_source(row: &Row) -> Result<PackageSource, Error> {
    Ok(PackageSource {
        package: PackageId(row.try_get("id")?),
        state: PackageState::from_column(row.try_get("state")?),
        file: read_source_file(row)?,
        scan_status: row.try_get("scan_status")?,
    })
}

pub(crate) fn read_source_file(row: &Row) -> Result<Option<SourceFile>, Error> {
    let (bucket, key): (Option<String>, Option<String>) = (row.try_get("s3_bucket")?, row.try_get("s3_key")?);
    let Some((bucket, key)) = bucket.zip(key) else { return Ok(None) };
    let version: Option<String> = row.try_get("version")?;
    let stored_name: Option<&str> = row.try_get("file_name")?;
    let key_name = key.rsplit('/').next().unwrap_or_default();
    let stored_name = stored_name.filter(|name| !name.is_empty()).unwrap_or(key_name);
    let file_count: i64 = row.try_get("file_count")?;
    let name = if file_count > 1 {
        FileName::from_file(stored_name)
    } else {
        FileName::from_package(row.try_get("name")?, stored_name)
    };
    let size: Option<i64> = row.try_get("size")?;
    Ok(Some(SourceFile {
        name,
        size: size.and_then(|size| u64::try_from(size).ok()),
        version: version.filter(|version| !version.is_empty()),
        bucket,
        key,
    }))
}
