//! Redirects to links.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::Problem;

/// Builds a 307 response, which keeps the method and is not cached by default. The link works for anyone until it
/// expires: no cache may store the response, and the header is marked sensitive so that `Debug` output hides it.
pub(crate) fn redirect_to(url: &str) -> Result<Response, Problem> {
    let mut location =
        HeaderValue::try_from(url).map_err(|_| Problem::internal("a link is not a valid Location header"))?;
    // The link itself is the permission: nothing may print it.
    location.set_sensitive(true);
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}
