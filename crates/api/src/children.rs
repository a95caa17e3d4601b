//! `GET /packages/children`: lists the packages in a folder, a page at a time.

use std::sync::Arc;

use axum::{Json, extract::State};
use packages::{
    access::ViewFiles,
    id::PackageNodeId,
    listing::{ListRequest, ListedPackage, PackagePage, PathFolder, list_packages},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    App, Problem,
    caller::Caller,
    cursor::{decode_name_cursor, encode_cursor},
    openapi,
    query::Query,
};

/// The page size without a `limit`.
const DEFAULT_LIMIT: u16 = 100;

/// The largest page size.
const MAX_LIMIT: u16 = 1000;

/// A page of a folder.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChildrenResponse {
    /// The packages, by name.
    #[schema(max_items = 1000)]
    items: Vec<PackageItem>,
    /// The folders from the outermost one down to the listed one. At most the nearest 32. Empty at the top of the dataset.
    #[schema(max_items = 32)]
    path: Vec<FolderItem>,
    /// The `cursor` of the next page. Null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// A live package.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PackageItem {
    /// The package's node id.
    #[schema(value_type = String, example = "N:package:032be5f6-8fb6-4b81-b783-615180ba7849")]
    id: PackageNodeId,
    /// Its name.
    #[schema(example = "recording.edf")]
    name: String,
    /// The platform's package type; `Collection` for a folder.
    #[schema(example = "TimeSeries")]
    kind: String,
    /// The platform's state, as in `READY`, `UPLOADED` or `INFECTED`.
    #[schema(example = "READY")]
    state: String,
    /// The bytes of its source files. A file of unknown size counts as 0. Null for a folder, and if no size is known.
    #[schema(required, example = 75_161_927)]
    size: Option<i64>,
    /// How many source files it has. At most 10,000 are counted. Null for a folder.
    #[schema(required, minimum = 0, maximum = 10_000, example = 1)]
    files: Option<i64>,
    /// How many packages are directly in this folder. Counted up to 100. Null for a file.
    #[schema(required, minimum = 0, maximum = 100)]
    children: Option<i64>,
    /// Whether there are, or may be, more children than `children` counts.
    more_children: bool,
    /// When the package's row was created, in UTC.
    #[schema(required, format = DateTime, example = "2026-11-24T11:18:50Z")]
    created_at: Option<String>,
    /// When the package's row was last changed, in UTC.
    #[schema(required, format = DateTime, example = "2026-11-24T11:18:50Z")]
    updated_at: Option<String>,
}

/// A folder of a path.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FolderItem {
    /// The folder's node id.
    #[schema(value_type = String, example = "N:collection:5f3c1b0e-7a51-4b8e-9a59-1d8d7c1f0a11")]
    id: PackageNodeId,
    /// Its name.
    #[schema(example = "recordings")]
    name: String,
}

/// Lists the packages in a folder
///
/// Without `parent`: the packages at the top of the dataset. With `parent`: the packages directly in that folder. Packages in
/// the trash, on their way there or on their way back are not listed, `/trash` has them. Nor are packages whose upload is not
/// complete.
///
/// Pages are in the order of names, as the database compares them. `sort=-name` reverses it. Other orders are not offered: the
/// platform's tables have no index for them. A page has at most 100 folders, so it may have fewer items than `limit` while
/// `next` is not null. Continue until `next` is null. A package that is renamed or moved during the listing may be missed, or
/// be listed twice.
#[utoipa::path(
    get, path = "/children", tag = "listings", operation_id = "listChildren", security(("bearer" = [])),
    params(
        openapi::DatasetIdParam, openapi::FolderParam, openapi::SortParam, openapi::CursorParam, openapi::PageLimitParam,
    ),
    responses(
        (status = OK, description = "A page of the folder", body = ChildrenResponse),
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
    ),
)]
pub(crate) async fn get_children(
    State(app): State<Arc<App>>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Json<ChildrenResponse>, Problem> {
    let request = ChildrenRequest::from_query(&query)?;
    let list = ListRequest {
        folder: request.parent.as_ref(),
        is_descending: request.sort.is_descending(),
        after: request.after.as_deref(),
        limit: request.limit.into(),
    };
    let page = list_packages(&app.db, &access, list).await?;
    let page = page.ok_or_else(|| Problem::no_folder(request.parent.as_ref(), &access))?;
    Ok(Json(ChildrenResponse::new(page, request.sort)))
}

/// The parameters of a request.
#[derive(Debug, PartialEq, Eq)]
struct ChildrenRequest {
    parent: Option<PackageNodeId>,
    sort: Sort,
    /// The name after which the page begins.
    after: Option<String>,
    limit: u16,
}

/// The values of the parameter `sort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Name,
    NameDescending,
}

impl Sort {
    fn from_query(query: &Query) -> Result<Self, Problem> {
        match query.get("sort") {
            None | Some("name") => Ok(Self::Name),
            Some("-name") => Ok(Self::NameDescending),
            Some(_) => Err(Problem::invalid("query parameter 'sort' must be name or -name")),
        }
    }

    fn is_descending(self) -> bool {
        self == Self::NameDescending
    }

    /// The version and the order of a cursor: the cursor of one order makes no sense in the other.
    fn cursor_form(self) -> &'static str {
        match self {
            Self::Name => "1children+",
            Self::NameDescending => "1children-",
        }
    }
}

impl ChildrenRequest {
    fn from_query(query: &Query) -> Result<Self, Problem> {
        let sort = Sort::from_query(query)?;
        let after =
            query.get("cursor").map(|cursor| decode_name_cursor(sort.cursor_form(), cursor)).transpose()?;
        let limit = query.parse_number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        Ok(Self { parent: query.parent_id()?, sort, after, limit })
    }
}

impl ChildrenResponse {
    fn new(page: PackagePage, sort: Sort) -> Self {
        Self {
            items: page.items.into_iter().map(PackageItem::from).collect(),
            path: page.path.into_iter().map(FolderItem::from).collect(),
            next: page.next.map(|name| encode_cursor(sort.cursor_form(), &name)),
        }
    }
}

impl From<ListedPackage> for PackageItem {
    fn from(package: ListedPackage) -> Self {
        Self {
            id: package.id,
            name: package.name,
            kind: package.kind,
            state: package.state,
            size: package.size,
            files: package.files,
            children: package.children,
            more_children: package.has_more_children,
            created_at: package.created_at,
            updated_at: package.updated_at,
        }
    }
}

impl From<PathFolder> for FolderItem {
    fn from(folder: PathFolder) -> Self {
        Self { id: folder.id, name: folder.name }
    }
}
