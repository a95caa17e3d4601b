//! `/packages/proxy/s3`: redirects to a presigned URL that the client already has.
//!
//! The endpoint needs no token and grants no access: S3 checks the URL's own signature. Two rules keep it safe. It
//! redirects to listed buckets in S3 only, in the partition and region where they are. It never signs a request for the
//! URL's object with the service's own credentials.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName};
use signing::{percent, s3::PresignedUrl};
use storage::{LinkHead, ProbeError};

use crate::{
    App, Problem,
    head::{head_response, part_response},
    links::PresignResponse,
    openapi,
    query::Query,
    redirect::redirect_to,
    request_host::RequestHost,
};

const STORAGE_CLASS_HEADER: HeaderName = HeaderName::from_static("x-amz-storage-class");

/// The URL of this endpoint for a link, with the file's name at the end of its path. `None` if the request does not say at
/// which host the client reaches the service.
pub(crate) fn proxy_url(app: &App, host: &RequestHost, link: &PresignResponse) -> Option<String> {
    let api = host.api_url(&app.path_prefix)?;
    let (name, url) = (percent::encode(&link.filename), percent::encode(&link.presigned_url));
    Some(format!("{api}/proxy/s3/{name}?presigned_url={url}"))
}

/// Redirects to a presigned URL of an allowed bucket
///
/// `Location` is rebuilt from the parsed URL. If the URL signs request headers, the client has to send them with both
/// requests.
#[utoipa::path(
    get,
    path = "/proxy/s3",
    tag = "links",
    operation_id = "proxyS3",
    params(openapi::PresignedUrlParam),
    responses(openapi::RedirectResponse, openapi::InvalidRequestProblem, openapi::ForbiddenProblem)
)]
pub(crate) async fn get_redirect(State(app): State<Arc<App>>, query: Query) -> Result<Response, Problem> {
    redirect_to(parse_presigned_url(&app, &query)?.location())
}

/// Returns the headers of the object of a presigned URL
///
/// The service requests the client's own URL from S3. A URL that S3 refuses, or that has expired, is 403. A URL with
/// `partNumber` has the length of the part, and takes no `Range`. A URL that signs other headers than `Host` is 400: the
/// service does not know their values.
#[utoipa::path(
    head,
    path = "/proxy/s3",
    tag = "links",
    operation_id = "probeProxyS3",
    params(openapi::PresignedUrlParam, openapi::RangeHeaderParam, openapi::ConditionParams),
    responses(
        openapi::ObjectHeadResponses,
        openapi::InvalidRequestProblem,
        openapi::ForbiddenProblem,
        openapi::ArchivedProblem,
        openapi::UnavailableProblem,
    )
)]
pub(crate) async fn head_object(
    State(app): State<Arc<App>>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let url = parse_presigned_url(&app, &query)?;
    if !url.signs_only_host() {
        return Err(Problem::invalid(
            "the URL signs other headers than Host (X-Amz-SignedHeaders), and only its client knows their values; send \
             GET with these headers, or sign the URL without them",
        ));
    }
    match app.objects.head_presigned(&url).await {
        Ok(LinkHead { head, part: None }) => Ok(head_response(head, &headers)),
        Ok(LinkHead { head, part: Some(range) }) => Ok(part_response(head, range, &headers)),
        Err(error) => Ok(refusal_response(error, &url)),
    }
}

/// The response to a refusal of S3. That of an archived object has its storage class, since a `HEAD` has no body to say it.
fn refusal_response(error: ProbeError, url: &PresignedUrl) -> Response {
    let class = if let ProbeError::Archived(class) = &error { class.clone() } else { None };
    let mut response = Problem::from_client_probe(error, url).into_response();
    response.headers_mut().extend(class.map(|class| (STORAGE_CLASS_HEADER, class)));
    response
}

fn parse_presigned_url(app: &App, query: &Query) -> Result<PresignedUrl, Problem> {
    reject_other_parameters(query)?;
    app.proxy.parse_url(query.require("presigned_url")?, app.clock.now(), |bucket| {
        app.objects.known_region(bucket)
    })
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
