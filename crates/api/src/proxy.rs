//! `/packages/proxy/s3`: an address on this service for a presigned URL that the client already has.
//!
//! It needs no token and gives no right: S3 checks the URL's own signature. What must be made sure of here is that
//! nobody is sent anywhere but to S3, and that our credentials vouch for nothing.

use axum::{extract::State, response::Response};
use http::HeaderMap;
use signing::s3::PresignedUrl;

use crate::{App, Problem, head, openapi, query::Query, redirect};

/// Redirects to a presigned URL of a listed bucket
///
/// `Location` is put together again from the URL's parsed parts.
#[utoipa::path(
    get,
    path = "/proxy/s3",
    tag = "links",
    operation_id = "proxyS3",
    params(openapi::PresignedUrl),
    responses(openapi::Redirected, openapi::Invalid)
)]
pub(crate) async fn get(State(app): State<App>, query: Query) -> Result<Response, Problem> {
    redirect::to(checked(&app, &query)?.location())
}

/// Tells what the object of a presigned URL is like
///
/// S3 is asked with the client's own URL: where S3 does not accept it, that is 403.
#[utoipa::path(
    head,
    path = "/proxy/s3",
    tag = "links",
    operation_id = "probeProxyS3",
    params(openapi::PresignedUrl, openapi::Range),
    responses(openapi::Probed, openapi::Invalid, openapi::Refused)
)]
pub(crate) async fn head(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let url = checked(&app, &query)?;
    let head = app.objects.head_presigned(url.location()).await.map_err(Problem::clients_probe)?;
    Ok(head::answer(head, &headers))
}

fn checked(app: &App, query: &Query) -> Result<PresignedUrl, Problem> {
    refuse_others(query)?;
    let url = PresignedUrl::parse(query.required("presigned_url")?, app.clock.now(), app.proxy.endpoint())?;
    if !app.proxy.allows(url.bucket()) {
        return Err(Problem::invalid(format!("bucket {} is not in the allowed list", url.bucket())));
    }
    Ok(url)
}

/// Whoever forgets to encode the URL spreads its parameters over our own query.
fn refuse_others(query: &Query) -> Result<(), Problem> {
    let is_spilt = |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
    if query.names().any(is_spilt) {
        return Err(Problem::invalid(
            "the query has X-Amz-* parameters of its own: the value of 'presigned_url' must be percent-encoded",
        ));
    }
    if query.names().any(|name| name != "presigned_url") {
        return Err(Problem::invalid("the only query parameter here is 'presigned_url', percent-encoded"));
    }
    Ok(())
}
