//! `/packages/presign/s3`: presigned URLs of source files and viewer assets.

mod batch;

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use packages::links::PackageLookup;

use crate::{
    App, Problem, audit,
    caller::FileViewer,
    head::head_response,
    link_format::LinkFormat,
    links::{LinkOptions, link_kind, parse_link_request, response_headers, sign_link},
    openapi,
    proxy::proxy_url,
    query::Query,
    redirect::redirect_to,
    request_host::RequestHost,
};
pub(crate) use batch::*;

/// Redirects to a package's source file or to one of its viewer assets
///
/// With `redirect=false`, or if the client accepts nothing but JSON, the response is JSON with the link; with `Accept:
/// text/plain` it is the link alone. The link works for at least an hour, or until the credentials that signed it expire.
/// It is signed even if the viewer asset does not exist. A file that did not pass the malware scan is 403. A package that
/// is in the trash, is being deleted or restored, or is not uploaded yet is 404.
#[utoipa::path(
    get, path = "/presign/s3", tag = "links", operation_id = "presignS3", security(("bearer" = [])),
    params(
        openapi::DatasetIdParam, openapi::PackageIdParam, openapi::OptionalAssetPathParam, openapi::RedirectParam,
        openapi::DispositionParam, openapi::ExpiresInParam,
    ),
    responses(
        openapi::RedirectResponse,
        openapi::LinkResponse,
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
    ),
)]
pub(crate) async fn get_link(
    State(app): State<Arc<App>>,
    FileViewer { access, prefetched }: FileViewer,
    query: Query,
    host: RequestHost,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let request = parse_link_request(&query)?;
    let options = LinkOptions::from_query(&query)?;
    let format = LinkFormat::from_request(&query, &headers)?;
    let lookup = PackageLookup { db: &app.db, access: &access, prefetched };
    let file = lookup.find_file(&app.viewer_assets, &request).await?;
    let is_proxied = app.proxy.is_allowed(&file.location.bucket);
    let mut link = sign_link(&app, &request, &file, options).await?;
    audit::log_link_issued(&access, &request.package, link_kind(&request), link.expires_at);
    match format {
        LinkFormat::Redirect => redirect_to(&link.presigned_url),
        LinkFormat::Json => {
            link.proxy_url = if is_proxied { proxy_url(&app, &host, &link) } else { None };
            Ok(Json(link).into_response())
        }
        LinkFormat::Text => {
            let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
            Ok(([(header::CONTENT_TYPE, content_type)], link.presigned_url).into_response())
        }
    }
}

/// Returns the headers of a package's source file or viewer asset
///
/// The service sends its own `HEAD` request to S3. A client cannot: the signature of a link covers the method, and S3
/// refuses `HEAD` on a link that is signed for `GET`.
#[utoipa::path(
    head, path = "/presign/s3", tag = "links", operation_id = "probeS3", security(("bearer" = [])),
    params(
        openapi::DatasetIdParam, openapi::PackageIdParam, openapi::OptionalAssetPathParam, openapi::DispositionParam,
        openapi::RangeHeaderParam, openapi::ConditionParams,
    ),
    responses(openapi::ObjectHeadResponses, openapi::PrivateRouteProblems),
)]
pub(crate) async fn head_object(
    State(app): State<Arc<App>>,
    FileViewer { access, prefetched }: FileViewer,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (request, options) = (parse_link_request(&query)?, LinkOptions::from_query(&query)?);
    let lookup = PackageLookup { db: &app.db, access: &access, prefetched };
    let file = lookup.find_file(&app.viewer_assets, &request).await?;
    // As `GET` has them, so that a client that asks first saves the file under the same name.
    let link_headers = response_headers(&request, &file, options.disposition)?;
    let head = app.objects.head_object(&file.location, &link_headers, app.clock.now()).await;
    Ok(head_response(head.map_err(Problem::from_own_probe)?, &headers))
}
