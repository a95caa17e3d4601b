//! `"{workspace}".packages`: what is in the trash.

mod sql;

use tokio_postgres::{Row, types::Type};

pub use sql::{MAX_CHILDREN, MAX_PATH, find_trash_in_folder_sql, find_trash_sql};

use database::{Db, Error, Param};
use packages::{
    access::{DatasetAccess, ViewFiles},
    id::{PackageId, PackageNodeId},
};

/// How many source files of one package are looked up in S3.
pub const MAX_SOURCES: usize = 100;

/// A package in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashRow {
    /// Primary key.
    pub id: PackageId,
    /// Public id.
    pub node_id: PackageNodeId,
    /// The name as the column holds it.
    pub name: String,
    /// Its kind, as the column holds it.
    pub kind: String,
    /// Its state, as the column holds it.
    pub state: String,
    /// When its row was last changed: RFC 3339 in UTC.
    pub updated_at: Option<String>,
    /// How many source files it has.
    pub sources: i64,
    /// How many of them have a bucket and a key.
    pub stored: i64,
    /// The bytes of its source files.
    pub size: i64,
    /// How many of its first [`MAX_CHILDREN`] children are in the trash.
    pub children: i64,
    /// Whether it has more children than were counted.
    pub has_more_children: bool,
    /// Whether an order holds it.
    pub is_claimed: bool,
    /// Why the last restore left it in the trash.
    pub reason: Option<String>,
    /// The folders above it, outermost first.
    pub ancestors: Vec<TrashAncestor>,
}

/// A folder above a package in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashAncestor {
    /// Public id.
    pub node_id: Option<String>,
    /// The name as the column holds it.
    pub name: String,
}

/// A page of the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashRows {
    /// In the order of their names.
    pub rows: Vec<TrashRow>,
    /// The name after which the next page begins; `None`: this is the last one.
    pub next: Option<String>,
}

/// Which page.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    /// The name after which it begins; empty for the first page.
    pub after: &'a str,
    /// How many packages it has at most.
    pub limit: i64,
}

/// Finds what is in the trash and not beneath a folder that is in the trash too. `None`: no such dataset. One statement.
pub async fn find_trash(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    page: PageRequest<'_>,
) -> Result<Option<TrashRows>, Error> {
    let (workspace, node_id) = (access.workspace(), access.dataset_node_id().as_str());
    let params: [Param<'_>; 5] = [
        (&access.dataset().0, Type::INT4),
        (&node_id, Type::TEXT),
        (&page.after, Type::TEXT),
        (&page.limit, Type::INT8),
        (&workspace.0, Type::INT4),
    ];
    read_trash_rows(&db.query(&find_trash_sql(workspace), &params).await?)
}

/// Finds what is in the trash directly in a folder, which may be in the trash itself. `None`: no such folder. One
/// statement.
pub async fn find_trash_in_folder(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    folder: &PackageNodeId,
    page: PageRequest<'_>,
) -> Result<Option<TrashRows>, Error> {
    let (workspace, node_id) = (access.workspace(), access.dataset_node_id().as_str());
    let params: [Param<'_>; 6] = [
        (&access.dataset().0, Type::INT4),
        (&node_id, Type::TEXT),
        (&page.after, Type::TEXT),
        (&page.limit, Type::INT8),
        (&workspace.0, Type::INT4),
        (&folder.as_str(), Type::TEXT),
    ];
    read_trash_rows(&db.query(&find_trash_in_folder_sql(workspace), &params).await?)
}

fn read_trash_rows(rows: &[Row]) -> Result<Option<TrashRows>, Error> {
    let Some(first) = rows.first() else { return Ok(None) };
    let next = first.try_get("next")?;
    let rows: Result<Vec<Option<TrashRow>>, Error> = rows.iter().map(read_trash_row).collect();
    Ok(Some(TrashRows { rows: rows?.into_iter().flatten().collect(), next }))
}

/// `None`: the page is empty, or the package's node id is not valid. A package without a valid node id cannot be ordered.
fn read_trash_row(row: &Row) -> Result<Option<TrashRow>, Error> {
    let node_id: Option<&str> = row.try_get("node_id")?;
    let Some(node_id) = node_id.and_then(|id| PackageNodeId::parse(id).ok()) else { return Ok(None) };
    let children: i64 = row.try_get("children")?;
    let ancestor_ids: Option<Vec<Option<String>>> = row.try_get("ancestor_node_ids")?;
    let ancestor_names: Option<Vec<String>> = row.try_get("ancestor_names")?;
    let ancestors = ancestor_ids.unwrap_or_default().into_iter().zip(ancestor_names.unwrap_or_default());
    Ok(Some(TrashRow {
        id: PackageId(row.try_get("id")?),
        node_id,
        name: row.try_get("name")?,
        kind: row.try_get("type")?,
        state: row.try_get("state")?,
        updated_at: row.try_get("updated_at")?,
        sources: row.try_get("sources")?,
        stored: row.try_get("stored")?,
        size: row.try_get("size")?,
        children: children.min(MAX_CHILDREN),
        has_more_children: row.try_get("has_more_children")?,
        is_claimed: row.try_get("is_claimed")?,
        reason: row.try_get("reason")?,
        ancestors: ancestors.map(|(node_id, name)| TrashAncestor { node_id, name }).collect(),
    }))
}

/// A stored source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSource {
    /// Its package.
    pub package: PackageId,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}

/// Lists the stored source files of packages. Published ones are left out: deleting a package does not touch them. At most
/// [`MAX_SOURCES`] + 1 files of each package.
pub async fn list_sources(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    packages: &[PackageId],
) -> Result<Vec<StoredSource>, Error> {
    let sql = format!(
        r#"SELECT p.id AS package_id, f.s3_bucket, f.s3_key
           FROM unnest($1::int[]) AS p (id)
           CROSS JOIN LATERAL (
               SELECT f.s3_bucket, f.s3_key FROM "{}".files f
               -- ANY and the order together keep the planner at the index, whatever it expects.
               WHERE f.package_id = ANY (ARRAY[p.id]) AND f.object_type = 'source' AND f.s3_bucket <> '' AND f.s3_key <> ''
                 AND coalesce(to_jsonb(f) ->> 'published_s3_version_id', '') = ''
               ORDER BY f.package_id LIMIT {MAX_SOURCES} + 1
           ) f"#,
        access.workspace()
    );
    let ids: Vec<i32> = packages.iter().map(|package| package.0).collect();
    let rows = db.query(&sql, &[(&ids, Type::INT4_ARRAY)]).await?;
    rows.iter().map(read_source).collect()
}

fn read_source(row: &Row) -> Result<StoredSource, Error> {
    Ok(StoredSource {
        package: PackageId(row.try_get("package_id")?),
        bucket: row.try_get("s3_bucket")?,
        key: row.try_get("s3_key")?,
    })
}
