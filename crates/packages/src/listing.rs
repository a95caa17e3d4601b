//! The live packages of a dataset, a folder at a time: what a person sees in a file browser.
//!
//! What is in the trash, on its way there or on its way back is not listed, nor a package whose upload is not complete.

mod sql;

use tokio_postgres::{Row, types::Type};

pub use sql::{
    MAX_CHILDREN, MAX_FOLDERS, MAX_PATH, NameRange, find_package_sql, list_folder_sql, list_top_sql,
};

use crate::{
    access::{DatasetAccess, ViewFiles},
    id::PackageNodeId,
    links::LinkError,
    name::original_name,
    package::{PackageKind, PackageState},
};
use database::{Db, Error, Param};

/// A package as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPackage {
    /// Public id.
    pub id: PackageNodeId,
    /// Its name.
    pub name: String,
    /// Its kind, as the platform names it.
    pub kind: String,
    /// Its state, as the platform names it.
    pub state: String,
    /// Bytes of its source files; `None` for a folder, and if no file's size is known.
    pub size: Option<i64>,
    /// How many source files it has; `None` for a folder.
    pub files: Option<i64>,
    /// How many live packages are directly in it, among the first [`MAX_CHILDREN`]; `None` for a file.
    pub children: Option<i64>,
    /// Whether it has more children than were counted.
    pub has_more_children: bool,
    /// When its row was created: RFC 3339 in UTC.
    pub created_at: Option<String>,
    /// When its row was last changed: RFC 3339 in UTC.
    pub updated_at: Option<String>,
}

/// A folder on the way to a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFolder {
    /// Public id.
    pub id: PackageNodeId,
    /// Its name.
    pub name: String,
}

/// A page of packages in the order of their names, as the database compares them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagePage {
    /// The packages. A package without a valid node id is left out: nothing can be asked about it.
    pub items: Vec<ListedPackage>,
    /// The folders from the outermost one down to the listed one, at most the nearest [`MAX_PATH`].
    pub path: Vec<PathFolder>,
    /// The name after which the next page begins; `None`: this is the last one.
    pub next: Option<String>,
}

/// What to list.
#[derive(Debug, Clone, Copy)]
pub struct ListRequest<'a> {
    /// The folder; `None` for the top of the dataset.
    pub folder: Option<&'a PackageNodeId>,
    /// Whether the last names come first.
    pub is_descending: bool,
    /// The name after which the page begins; `None` for the first page.
    pub after: Option<&'a str>,
    /// How many packages the page has at most.
    pub limit: i64,
}

/// A package, and the folders above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedPackage {
    /// The package.
    pub package: ListedPackage,
    /// The folders above it, outermost first, at most the nearest [`MAX_PATH`].
    pub path: Vec<PathFolder>,
}

/// Lists a page of the live packages directly in a folder, or at the top of the dataset. `None`: there is no such live folder or
/// dataset. One statement.
pub async fn list_packages(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    request: ListRequest<'_>,
) -> Result<Option<PackagePage>, Error> {
    let (workspace, dataset, node_id) =
        (access.workspace(), access.dataset().0, access.dataset_node_id().as_str());
    let range = NameRange { is_descending: request.is_descending, has_start: request.after.is_some() };
    let (after, folder) = (request.after.unwrap_or_default(), request.folder.map(PackageNodeId::as_str));
    let mut params: Vec<Param<'_>> = vec![
        (&dataset, Type::INT4),
        (&node_id, Type::TEXT),
        (&after, Type::TEXT),
        (&request.limit, Type::INT8),
    ];
    let sql = match &folder {
        None => list_top_sql(workspace, range),
        Some(folder) => {
            params.push((folder, Type::TEXT));
            list_folder_sql(workspace, range)
        }
    };
    read_page(&db.query(&sql, &params).await?)
}

/// Finds one live package. One statement.
pub async fn find_package(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    package: &PackageNodeId,
) -> Result<LocatedPackage, LinkError> {
    let node_id = access.dataset_node_id().as_str();
    let params: [Param<'_>; 3] =
        [(&access.dataset().0, Type::INT4), (&node_id, Type::TEXT), (&package.as_str(), Type::TEXT)];
    let row = db.query_opt(&find_package_sql(access.workspace()), &params).await?;
    let row = row.ok_or(LinkError::PackageNotFound)?;
    let package = read_package(&row)?.ok_or(LinkError::PackageNotFound)?;
    if !PackageState::from_column(&package.state).is_live() {
        return Err(LinkError::NotLive);
    }
    Ok(LocatedPackage { package, path: read_path(&row)? })
}

fn read_page(rows: &[Row]) -> Result<Option<PackagePage>, Error> {
    let Some(first) = rows.first() else { return Ok(None) };
    let (next, path) = (first.try_get("next")?, read_path(first)?);
    let items: Result<Vec<Option<ListedPackage>>, Error> = rows.iter().map(read_package).collect();
    Ok(Some(PackagePage { items: items?.into_iter().flatten().collect(), path, next }))
}

/// `None`: the page is empty, or the package's node id is not valid.
fn read_package(row: &Row) -> Result<Option<ListedPackage>, Error> {
    let node_id: Option<&str> = row.try_get("node_id")?;
    let Some(id) = node_id.and_then(|id| PackageNodeId::parse(id).ok()) else { return Ok(None) };
    let kind: String = row.try_get("type")?;
    let is_folder = PackageKind::from_column(&kind).is_collection();
    let children: i64 = row.try_get("children")?;
    Ok(Some(ListedPackage {
        id,
        name: row.try_get("name")?,
        state: row.try_get("state")?,
        size: row.try_get::<_, Option<i64>>("size")?.filter(|_| !is_folder),
        files: Some(row.try_get("files")?).filter(|_| !is_folder),
        children: is_folder.then_some(children.min(MAX_CHILDREN)),
        has_more_children: row.try_get("has_more_children")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        kind,
    }))
}

/// A folder without a valid node id is left out.
fn read_path(row: &Row) -> Result<Vec<PathFolder>, Error> {
    let ids: Option<Vec<Option<String>>> = row.try_get("path_ids")?;
    let names: Option<Vec<String>> = row.try_get("path_names")?;
    let folders = ids.unwrap_or_default().into_iter().zip(names.unwrap_or_default());
    let read_folder = |(id, name): (Option<String>, String)| {
        let id = PackageNodeId::parse(&id?).ok()?;
        // A folder above a live package may be in the trash.
        let name = original_name(&name, &id).to_owned();
        Some(PathFolder { id, name })
    };
    Ok(folders.filter_map(read_folder).collect())
}
