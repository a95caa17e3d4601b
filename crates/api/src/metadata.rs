//! `GET /packages/metadata`: one package as lists show it, and where it is.

use std::sync::Arc;

use axum::{Json, extract::State};
use packages::{access::ViewFiles, listing::find_package};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    App, Problem,
    caller::Caller,
    children::{FolderItem, PackageItem},
    openapi,
    query::Query,
};

/// A live package, and where it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MetadataResponse {
    #[serde(flatten)]
    package: PackageItem,
    /// The folders above the package, outermost first. At most the nearest 32. Empty at the top of the dataset.
    #[schema(max_items = 32)]
    path: Vec<FolderItem>,
}

/// Describes a package
///
/// A package that is in the trash, is being deleted or restored, or is not uploaded yet is 404, and the text says so.
#[utoipa::path(
    get, path = "/metadata", tag = "listings", operation_id = "getMetadata", security(("bearer" = [])),
    params(openapi::DatasetIdParam, openapi::PackageIdParam),
    responses(
        (status = OK, description = "The package", body = MetadataResponse),
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
    ),
)]
pub(crate) async fn get_metadata(
    State(app): State<Arc<App>>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Json<MetadataResponse>, Problem> {
    let found = find_package(&app.db, &access, &query.package_id()?).await?;
    let path = found.path.into_iter().map(FolderItem::from).collect();
    Ok(Json(MetadataResponse { package: found.package.into(), path }))
}
