//! `/packages/presign/s3`: a presigned link to a package's source file, or to one of its viewer assets.

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
    audit::{self, Given},
    caller::Caller,
    head, openapi,
    query::Query,
    redirect,
};

/// A presigned link.
#[derive(Serialize, ToSchema)]
#[schema(as = PresignedLink)]
struct Answer<'a> {
    /// Whoever has it can read the object.
    #[schema(format = "uri")]
    presigned_url: &'a str,
    /// When the link ends, in seconds since the Unix epoch.
    #[schema(example = 1_795_522_730)]
    expires_at: u64,
}

/// Redirects to a package's file or to one of its viewer assets; with `redirect=false` tells where it is
///
/// The link works for an hour, or until the credentials that signed it end. Whether a viewer asset exists is not asked.
/// A file that did not pass the malware scan is 403; a package that is in the trash, on its way in or out of it, or not
/// uploaded yet is 404.
#[utoipa::path(
    get, path = "/presign/s3", tag = "links", operation_id = "presignS3", security(("bearer" = [])),
    params(openapi::Dataset, openapi::Package, openapi::AssetOrFile, openapi::Redirect),
    responses(
        openapi::Redirected,
        (status = OK, description = "With `redirect=false`", body = Answer<'_>),
        openapi::Private,
        openapi::Absent,
    ),
)]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Response, Problem> {
    let asked = Asked::parse(&query)?;
    let location = asked.locate(&app, &access).await?;
    let link = app.objects.presign(&location, Method::Get, app.clock.now()).await?;
    audit::link(&access, &asked.package, asked.given(), link.expires_at());
    if query.get("redirect") == Some("false") {
        let answer = Answer { presigned_url: link.url(), expires_at: link.expires_at() };
        return Ok(Json(answer).into_response());
    }
    redirect::to(link.url())
}

/// Tells what a package's file or viewer asset is like
///
/// It is asked for here, since a client's `HEAD` on a link that is signed for `GET` is refused by S3: the signature covers
/// the method.
#[utoipa::path(
    head, path = "/presign/s3", tag = "links", operation_id = "probeS3", security(("bearer" = [])),
    params(openapi::Dataset, openapi::Package, openapi::AssetOrFile, openapi::Range),
    responses(openapi::Probed, openapi::Private),
)]
pub(crate) async fn head(
    State(app): State<App>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let location = Asked::parse(&query)?.locate(&app, &access).await?;
    let head = app.objects.head_object(&location, app.clock.now()).await.map_err(Problem::own_probe)?;
    Ok(head::answer(head, &headers))
}

struct Asked {
    package: PackageNodeId,
    path: Option<AssetPath>,
}

impl Asked {
    fn parse(query: &Query) -> Result<Self, Problem> {
        let package = query.package()?;
        let path = query.get("path").map(AssetPath::parse).transpose()?;
        Ok(Self { package, path })
    }

    async fn locate(&self, app: &App, access: &DatasetAccess<ViewFiles>) -> Result<Location, Problem> {
        let found = match &self.path {
            Some(path) => find_viewer_asset(&app.db, access, &self.package, &app.viewer_assets, path).await,
            None => find_source_file(&app.db, access, &self.package).await,
        };
        found.map_err(|error: LinkError| error.into())
    }

    fn given(&self) -> Given<'static> {
        if self.path.is_some() { Given::ViewerAsset } else { Given::SourceFile }
    }
}
