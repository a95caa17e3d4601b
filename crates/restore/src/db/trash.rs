//! `"{workspace}".packages`: what lies in the trash.

mod sql;

use tokio_postgres::{Row, types::Type};

pub use crate::db::trash::sql::{find_trash_in_sql, find_trash_sql};
use database::{Db, Error, Param};
use packages::{
    access::{DatasetAccess, ViewFiles},
    id::{PackageId, PackageNodeId},
};

/// How many children of a folder are counted.
pub const MAX_CHILDREN: i64 = 100;

/// How many of the folders above a package are told, the nearest ones.
pub const MAX_PATH: i64 = 32;

/// Source files of one package that are looked for in S3.
pub const MAX_SOURCES: usize = 100;

/// A package in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashRow {
    /// Primary key.
    pub id: PackageId,
    /// Public id.
    pub node_id: PackageNodeId,
    /// The name as it stands.
    pub name: String,
    /// Folder or what else, as the column says it.
    pub kind: String,
    /// Its state, as the column says it.
    pub state: String,
    /// When its row was last changed: RFC 3339 in UTC.
    pub updated_at: Option<String>,
    /// How many source files it has.
    pub sources: i64,
    /// How many of them have a bucket and a key.
    pub stored: i64,
    /// The bytes of its source files.
    pub size: i64,
    /// Children that are in the trash, among the first [`MAX_CHILDREN`] and one.
    pub children: i64,
    /// Whether the look at the children ended before their end.
    pub more_children: bool,
    /// Whether a restore holds it.
    pub is_claimed: bool,
    /// Why the last restore left it.
    pub reason: Option<String>,
    /// The folders above it, outermost first: node id, and name as it stands.
    pub above: Vec<(Option<String>, String)>,
}

/// A piece of the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashRows {
    /// In the order of their names.
    pub rows: Vec<TrashRow>,
    /// The name after which the next piece begins; `None`: this was the last one.
    pub next: Option<String>,
}

/// Which piece.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    /// The name after which it begins; an empty one for the first.
    pub after: &'a str,
    /// How many packages it has at most.
    pub limit: i64,
}

/// What is in the trash and not beneath a folder that is there, too; `None`: no such dataset. One statement.
pub async fn find_trash(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    piece: PageRequest<'_>,
) -> Result<Option<TrashRows>, Error> {
    let (workspace, node_id) = (access.workspace(), access.dataset_node_id().as_str());
    let params: [Param<'_>; 5] = [
        (&access.dataset().0, Type::INT4),
        (&node_id, Type::TEXT),
        (&piece.after, Type::TEXT),
        (&piece.limit, Type::INT8),
        (&workspace.0, Type::INT4),
    ];
    trash_rows(&db.query(&find_trash_sql(workspace), &params).await?)
}

/// What is in the trash directly in a folder, which may be there itself; `None`: no such folder. One statement.
pub async fn find_trash_in(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    folder: &PackageNodeId,
    piece: PageRequest<'_>,
) -> Result<Option<TrashRows>, Error> {
    let (workspace, node_id) = (access.workspace(), access.dataset_node_id().as_str());
    let params: [Param<'_>; 6] = [
        (&access.dataset().0, Type::INT4),
        (&node_id, Type::TEXT),
        (&piece.after, Type::TEXT),
        (&piece.limit, Type::INT8),
        (&workspace.0, Type::INT4),
        (&folder.as_str(), Type::TEXT),
    ];
    trash_rows(&db.query(&find_trash_in_sql(workspace), &params).await?)
}

fn trash_rows(rows: &[Row]) -> Result<Option<TrashRows>, Error> {
    let Some(first) = rows.first() else { return Ok(None) };
    let next = first.try_get(0)?;
    let rows: Result<Vec<Option<TrashRow>>, Error> = rows.iter().map(trash_row).collect();
    Ok(Some(TrashRows { rows: rows?.into_iter().flatten().collect(), next }))
}

/// A package; `None` where the piece is empty, and for one whose node id is not one of ours: nobody can ask for it.
fn trash_row(row: &Row) -> Result<Option<TrashRow>, Error> {
    let Some(node_id) = row.try_get::<_, Option<&str>>(2)?.and_then(|id| PackageNodeId::parse(id).ok())
    else {
        return Ok(None);
    };
    let children: i64 = row.try_get(10)?;
    let node_ids: Option<Vec<Option<String>>> = row.try_get(14)?;
    let names: Option<Vec<String>> = row.try_get(15)?;
    Ok(Some(TrashRow {
        id: PackageId(row.try_get(1)?),
        node_id,
        name: row.try_get(3)?,
        kind: row.try_get(4)?,
        state: row.try_get(5)?,
        updated_at: row.try_get(6)?,
        sources: row.try_get(7)?,
        stored: row.try_get(8)?,
        size: row.try_get(9)?,
        children: children.min(MAX_CHILDREN),
        more_children: row.try_get(11)?,
        is_claimed: row.try_get(12)?,
        reason: row.try_get(13)?,
        above: node_ids.unwrap_or_default().into_iter().zip(names.unwrap_or_default()).collect(),
    }))
}

/// Where a source file lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Whose it is.
    pub package: PackageId,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}

/// The stored source files of packages, published ones left out: deleting a package leaves those alone. Of each package
/// at most [`MAX_SOURCES`] and one.
pub async fn list_sources(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    packages: &[PackageId],
) -> Result<Vec<SourceFile>, Error> {
    let sql = format!(
        r#"SELECT p.id, f.s3_bucket, f.s3_key
           FROM unnest($1::int[]) AS p (id)
           CROSS JOIN LATERAL (
               SELECT f.s3_bucket, f.s3_key FROM "{}".files f
               WHERE f.package_id = ANY (ARRAY[p.id]) AND f.object_type = 'source' AND f.s3_bucket <> '' AND f.s3_key <> ''
                 AND coalesce(to_jsonb(f) ->> 'published_s3_version_id', '') = ''
               ORDER BY f.package_id LIMIT {MAX_SOURCES} + 1
           ) f"#,
        access.workspace()
    );
    let ids: Vec<i32> = packages.iter().map(|package| package.0).collect();
    let rows = db.query(&sql, &[(&ids, Type::INT4_ARRAY)]).await?;
    let source = |row: &Row| {
        let (package, bucket, key) = (PackageId(row.try_get(0)?), row.try_get(1)?, row.try_get(2)?);
        Ok(SourceFile { package, bucket, key })
    };
    rows.iter().map(source).collect()
}
