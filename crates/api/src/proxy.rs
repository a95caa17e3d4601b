//! `/packages/proxy/s3`: redirects to a presigned URL that the client already has.
//!
//! The endpoint needs no token and grants no access: S3 checks the URL's own signature. Two rules keep it safe. It
//! redirects to S3 only, never to another site. It never signs a request for the URL's object with the service's own
//! credentials.

use axum::{extract::State, response::Response};
use http::HeaderMap;
use signing::{percent, s3::PresignedUrl};

use crate::{
    App, Problem, head::head_response, links::PresignResponse, openapi, query::Query, redirect::redirect_to,
    request_host::RequestHost,
};

/// The URL of this endpoint for a link, with the file's name at the end of its path. `None` if the request does not say at
/// which host the client reaches the service.
pub(crate) fn proxy_url(app: &App, host: &RequestHost, link: &PresignResponse) -> Option<String> {
    let api = host.api_url(&app.path_prefix)?;
    let (name, url) = (percent::encode(&link.filename), percent::encode(&link.presigned_url));
    Some(format!("{api}/proxy/s3/{name}?presigned_url={url}"))
}

/// Redirects to a presigned URL of an allowed bucket
///
/// `Location` is rebuilt from the parsed URL.
#[utoipa::path(
    get,
    path = "/proxy/s3",
    tag = "links",
    operation_id = "proxyS3",
    params(openapi::PresignedUrlParam),
    responses(openapi::RedirectResponse, openapi::InvalidRequestProblem)
)]
pub(crate) async fn get_redirect(State(app): State<App>, query: Query) -> Result<Response, Problem> {
    redirect_to(parse_presigned_url(&app, &query)?.location())
}

/// Returns the headers of the object of a presigned URL
///
/// The service requests the client's own URL from S3. A URL that S3 refuses is 403.
#[utoipa::path(
    head,
    path = "/proxy/s3",
    tag = "links",
    operation_id = "probeProxyS3",
    params(openapi::PresignedUrlParam, openapi::RangeHeaderParam),
    responses(openapi::ObjectHeadResponses, openapi::InvalidRequestProblem, openapi::ForbiddenProblem)
)]
pub(crate) async fn head_object(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let url = parse_presigned_url(&app, &query)?;
    // Sent as `GET` for one byte: the URL is signed for `GET`, and a signature covers the method.
    let head = app.objects.head_presigned(url.location()).await.map_err(Problem::from_client_probe)?;
    Ok(head_response(head, &headers))
}

fn parse_presigned_url(app: &App, query: &Query) -> Result<PresignedUrl, Problem> {
    reject_other_parameters(query)?;
    let url = PresignedUrl::parse(query.require("presigned_url")?, app.clock.now(), app.proxy.endpoint())?;
    if !app.proxy.is_allowed(url.bucket()) {
        return Err(Problem::invalid(format!(
            "bucket {} is not in the allowed list (PROXY_ALLOWED_BUCKETS)",
            url.bucket()
        )));
    }
    Ok(url)
}

/// Rejects every other parameter. If the client did not percent-encode the URL, the URL's own parameters end up in this
/// query, and the error says so.
fn reject_other_parameters(query: &Query) -> Result<(), Problem> {
    let is_part_of_url = |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
    if query.parameter_names().any(is_part_of_url) {
        return Err(Problem::invalid(
            "the query has X-Amz-* parameters outside 'presigned_url'; the value of 'presigned_url' must be percent-encoded",
        ));
    }
    if query.parameter_names().any(|name| name != "presigned_url") {
        return Err(Problem::invalid(
            "'presigned_url' is the only query parameter allowed; its value must be percent-encoded",
        ));
    }
    Ok(())
}
