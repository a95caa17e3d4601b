//! `/packages/presign/s3`: a presigned URL of a package's source file or of one of its viewer assets.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use packages::{
    access::{DatasetAccess, ViewFiles},
    asset::AssetPath,
    id::PackageNodeId,
    links::{LinkError, Location, find_source_file, find_viewer_asset},
};
use serde::Serialize;
use storage::Method;
use utoipa::ToSchema;

use crate::{
    App, Problem,
    audit::{self, LinkKind},
    caller::Caller,
    head::head_response,
    openapi,
    query::Query,
    redirect::redirect_to,
};

/// A presigned link.
#[derive(Serialize, ToSchema)]
#[schema(as = PresignedLink)]
struct PresignResponse<'a> {
    /// The link. Anyone who has it can read the object.
    #[schema(format = "uri")]
    presigned_url: &'a str,
    /// When the link expires, in seconds since the Unix epoch.
    #[schema(example = 1_795_522_730)]
    expires_at: u64,
}

/// Redirects to a package's source file or to one of its viewer assets
///
/// With `redirect=false` the response is JSON with the link. The link works for an hour, or until the credentials that
/// signed it expire. It is signed even if the viewer asset does not exist. A file that did not pass the malware scan is
/// 403. A package that is in the trash, is being deleted or restored, or is not uploaded yet is 404.
#[utoipa::path(
    get, path = "/presign/s3", tag = "links", operation_id = "presignS3", security(("bearer" = [])),
    params(
        openapi::DatasetIdParam, openapi::PackageIdParam, openapi::OptionalAssetPathParam, openapi::RedirectParam,
    ),
    responses(
        openapi::RedirectResponse,
        (status = OK, description = "With `redirect=false`", body = PresignResponse<'_>),
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
    ),
)]
pub(crate) async fn get_link(
    State(app): State<App>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Response, Problem> {
    let request = PresignRequest::from_query(&query)?;
    let location = request.find_location(&app, &access).await?;
    let link = app.objects.presign(&location, Method::Get, app.clock.now()).await?;
    audit::log_link_issued(&access, &request.package, request.link_kind(), link.expires_at());
    // Exactly `false`, as in the Go service: `FALSE` and `0` redirect.
    if query.get("redirect") == Some("false") {
        let response = PresignResponse { presigned_url: link.url(), expires_at: link.expires_at() };
        return Ok(Json(response).into_response());
    }
    redirect_to(link.url())
}

/// Returns the headers of a package's source file or viewer asset
///
/// The service sends its own `HEAD` request to S3. A client cannot: the signature of a link covers the method, and S3
/// refuses `HEAD` on a link that is signed for `GET`.
#[utoipa::path(
    head, path = "/presign/s3", tag = "links", operation_id = "probeS3", security(("bearer" = [])),
    params(
        openapi::DatasetIdParam, openapi::PackageIdParam, openapi::OptionalAssetPathParam, openapi::RangeHeaderParam,
    ),
    responses(openapi::ObjectHeadResponses, openapi::PrivateRouteProblems),
)]
pub(crate) async fn head_object(
    State(app): State<App>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let location = PresignRequest::from_query(&query)?.find_location(&app, &access).await?;
    let head = app.objects.head_object(&location, app.clock.now()).await.map_err(Problem::from_own_probe)?;
    Ok(head_response(head, &headers))
}

/// The parameters of both methods.
struct PresignRequest {
    package: PackageNodeId,
    path: Option<AssetPath>,
}

impl PresignRequest {
    fn from_query(query: &Query) -> Result<Self, Problem> {
        let package = query.package_id()?;
        let path = query.get("path").map(AssetPath::parse).transpose()?;
        Ok(Self { package, path })
    }

    async fn find_location(&self, app: &App, access: &DatasetAccess<ViewFiles>) -> Result<Location, Problem> {
        let found = match &self.path {
            Some(path) => find_viewer_asset(&app.db, access, &self.package, &app.viewer_assets, path).await,
            None => find_source_file(&app.db, access, &self.package).await,
        };
        found.map_err(|error: LinkError| error.into())
    }

    fn link_kind(&self) -> LinkKind<'static> {
        if self.path.is_some() { LinkKind::ViewerAsset } else { LinkKind::SourceFile }
    }
}
