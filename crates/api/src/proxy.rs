//! `/packages/proxy/s3`: an address on this service for a presigned URL that the client already has.
//!
//! It needs no token and gives no right: S3 checks the URL's own signature. What must be made sure of here is that
//! nobody is sent anywhere but to S3, and that our credentials vouch for nothing.

use axum::{extract::State, response::Response};
use http::HeaderMap;
use signing::s3::PresignedUrl;

use crate::{App, Problem, head, query::Query, redirect};

/// Redirects to the URL, as it was put together again from its parsed parts.
pub(crate) async fn get(State(app): State<App>, query: Query) -> Result<Response, Problem> {
    redirect::to(checked(&app, &query)?.location())
}

/// Tells what the object is like, asked with the client's own URL.
pub(crate) async fn head(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let url = checked(&app, &query)?;
    let head = app.objects.head_by_link(url.location()).await.map_err(Problem::clients_probe)?;
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
