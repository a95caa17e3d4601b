//! Sending a client on to where the bytes are.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::Problem;

/// 307, which keeps the method and is not remembered. The place is a secret for as long as the link lives: no cache may
/// keep it, and whoever prints the headers does not see it.
pub(crate) fn to(url: &str) -> Result<Response, Problem> {
    let mut location = HeaderValue::try_from(url)
        .map_err(|_| Problem::internal("a link cannot stand in a Location header"))?;
    location.set_sensitive(true);
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}
