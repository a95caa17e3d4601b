//! `GET /packages/assets`: lists the viewer assets of a package, a directory at a time.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use packages::{
    asset::{AssetDirectory, AssetPath},
    id::PackageNodeId,
    links::PackageLookup,
};
use serde::Serialize;
use storage::{DirectoryEntry, DirectoryPage, DirectoryRequest};
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::{
    App, Problem,
    caller::FileViewer,
    cursor::{decode_cursor, encode_cursor, invalid_cursor},
    openapi,
    query::Query,
};

/// The page size without a `limit`, and the largest: S3's own.
const MAX_LIMIT: u16 = 1000;

/// How long S3 may take to answer.
const STORAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// The version of a cursor.
const CURSOR_FORM: &str = "1assets";

/// A page of a directory of viewer assets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssetsResponse {
    /// The assets and directories, by path.
    #[schema(max_items = 1000)]
    items: Vec<AssetItem>,
    /// The `cursor` of the next page. Null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// A viewer asset, or a directory of them.
#[derive(Debug, Serialize, ToSchema)]
struct AssetItem {
    /// The path in the package, as `path` of `/presign/s3` and `/cloudfront/sign` takes it. That of a directory ends in a slash.
    #[schema(example = "image.ome.zarr/")]
    path: String,
    /// The size in bytes. Null for a directory.
    #[schema(required)]
    size: Option<i64>,
    /// Whether it is a directory.
    directory: bool,
    /// When it was stored, in UTC. Null for a directory.
    #[schema(required, format = DateTime, example = "2026-11-24T11:18:50Z")]
    updated_at: Option<String>,
}

/// Lists viewer assets
///
/// With `path`: what is directly in that directory. Without: what is at the top of the package's viewer assets. A directory
/// that does not exist has no items. The list comes from S3, which has 10 seconds to answer. Objects whose names no link can
/// have are left out, so a page may have few items, or none, while `next` is not null.
#[utoipa::path(
    get, path = "/assets", tag = "listings", operation_id = "listAssets", security(("bearer" = [])),
    params(
        openapi::DatasetIdParam, openapi::PackageIdParam, openapi::AssetDirectoryParam, openapi::AssetCursorParam,
        openapi::AssetLimitParam,
    ),
    responses(
        (status = OK, description = "A page of the directory", body = AssetsResponse),
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
        openapi::StorageProblem,
    ),
)]
pub(crate) async fn get_assets(
    State(app): State<Arc<App>>,
    FileViewer { access, prefetched }: FileViewer,
    query: Query,
) -> Result<Json<AssetsResponse>, Problem> {
    let request = AssetsRequest::from_query(&query)?;
    let lookup = PackageLookup { db: &app.db, access: &access, prefetched };
    let prefix = lookup.find_asset_prefix(&request.package, &request.directory).await?;
    let listing = DirectoryRequest {
        bucket: &app.viewer_assets,
        prefix: &prefix,
        token: request.token.as_deref(),
        limit: request.limit,
    };
    let page = app.objects.list_directory(listing, STORAGE_TIMEOUT).await?;
    Ok(Json(AssetsResponse::new(page, &request.directory)))
}

/// The parameters of a request.
struct AssetsRequest {
    package: PackageNodeId,
    directory: AssetDirectory,
    /// S3's token for the page.
    token: Option<String>,
    limit: u16,
}

impl AssetsRequest {
    fn from_query(query: &Query) -> Result<Self, Problem> {
        let package = query.package_id()?;
        let directory = query.get("path").map(AssetDirectory::parse).transpose()?;
        let directory = directory.unwrap_or(AssetDirectory::ROOT);
        let token = query.get("cursor").map(|cursor| parse_cursor(cursor, &directory)).transpose()?;
        let limit = query.parse_number("limit", 1..=MAX_LIMIT)?.unwrap_or(MAX_LIMIT);
        Ok(Self { package, directory, token, limit })
    }
}

/// The directory and S3's token for it. The prefix of the request does not depend on the cursor: S3 lists nothing beyond it,
/// whatever a client puts into the token.
fn format_cursor(token: &str, directory: &AssetDirectory) -> String {
    // No path has a line break.
    encode_cursor(CURSOR_FORM, &format!("{}\n{token}", directory.as_str()))
}

fn parse_cursor(cursor: &str, directory: &AssetDirectory) -> Result<String, Problem> {
    let text = decode_cursor(CURSOR_FORM, cursor)?;
    let token = text.split_once('\n').filter(|(path, _)| *path == directory.as_str());
    let is_token = |token: &&str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    token.map(|(_, token)| token).filter(is_token).map(str::to_owned).ok_or_else(invalid_cursor)
}

impl AssetsResponse {
    fn new(page: DirectoryPage, directory: &AssetDirectory) -> Self {
        Self {
            items: page.entries.iter().filter_map(|entry| AssetItem::new(entry, directory)).collect(),
            next: page.next.map(|token| format_cursor(&token, directory)),
        }
    }
}

impl AssetItem {
    /// `None`: no link can lead to it.
    fn new(entry: &DirectoryEntry, directory: &AssetDirectory) -> Option<Self> {
        let path = format!("{}{}", directory.as_str(), entry.name);
        let is_directory = entry.object.is_none();
        let is_valid =
            if is_directory { AssetDirectory::parse(&path).is_ok() } else { AssetPath::parse(&path).is_ok() };
        let modified_at = entry.object.and_then(|object| object.modified_at);
        is_valid.then(|| Self {
            path,
            size: entry.object.and_then(|object| object.size),
            directory: is_directory,
            updated_at: modified_at.and_then(|at| at.format(&Rfc3339).ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_directory() {
        let directory = |path: &str| AssetDirectory::parse(path).unwrap();
        let cursor = format_cursor("1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=", &directory("a/"));
        assert_eq!(
            parse_cursor(&cursor, &directory("a/")).unwrap(),
            "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="
        );
        for other in [directory("b/"), directory("a/a/"), AssetDirectory::ROOT] {
            assert_eq!(parse_cursor(&cursor, &other).unwrap_err().status(), 400, "{other:?}");
        }
        let at_top = format_cursor("token", &AssetDirectory::ROOT);
        assert_eq!(parse_cursor(&at_top, &AssetDirectory::ROOT).unwrap(), "token");
        for text in ["", "\n", "a/\n", "a/", "\na b", "\nü", "\n\n"] {
            let cursor = encode_cursor(CURSOR_FORM, text);
            assert_eq!(parse_cursor(&cursor, &AssetDirectory::ROOT).unwrap_err().status(), 400, "{text:?}");
        }
    }

    #[test]
    fn what_no_link_can_lead_to_is_left_out() {
        let item = |name: &str, is_directory: bool| {
            let object =
                (!is_directory).then_some(storage::ListedObject { size: Some(1), modified_at: None });
            let entry = DirectoryEntry { name: name.to_owned(), object };
            AssetItem::new(&entry, &AssetDirectory::ROOT).map(|item| item.path)
        };
        assert_eq!(item("a.png", false).unwrap(), "a.png");
        assert_eq!(item("a/", true).unwrap(), "a/");
        for (name, is_directory) in [("/", true), ("../", true), ("a*", false), ("%2e", false), ("..", false)]
        {
            assert_eq!(item(name, is_directory), None, "{name}");
        }
    }
}
