//! CORS: pages of every origin may send requests, without cookies (WHATWG Fetch, "CORS protocol").
//!
//! A page must add the bearer token to a request itself. The browser adds no credentials, so cross-site request forgery
//! is not possible. No value of the request is reflected in the headers.

use axum::routing::{MethodRouter, options};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// The request headers that a page may set.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Content-Length, Range, Origin, Accept, Cache-Control, \
                               Pragma, If-Match, If-Modified-Since, If-None-Match, If-Range, Traceparent, X-Request-Id";

/// The response headers that a script may read. Readers of large files need the lengths and ranges.
const RESPONSE_HEADERS: &str = "Content-Length, Content-Type, Content-Range, ETag, Last-Modified, Accept-Ranges, \
                                Cache-Control, Content-Encoding, Location, X-Request-Id, Retry-After, WWW-Authenticate";

/// A route that responds to `OPTIONS` with these methods, without authentication: browsers send preflights without a
/// token.
pub(crate) fn preflight_route<S>(methods: &'static str) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    options(async move || {
        let headers = [
            (header::ALLOW, methods),
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
            // Browsers cap this: Chromium at two hours, Firefox at a day.
            (header::ACCESS_CONTROL_MAX_AGE, "3600"),
        ];
        (StatusCode::NO_CONTENT, headers)
    })
}

/// Lets a page read the response. Error responses need this too: without it a script sees only a network error.
pub(crate) fn add_cors_headers(headers: &mut HeaderMap) {
    // `*` and no `Access-Control-Allow-Credentials`: browsers then refuse to send cookies.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
}
