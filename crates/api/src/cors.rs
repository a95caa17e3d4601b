//! CORS: pages of every origin may send requests, without cookies (WHATWG Fetch, "CORS protocol").
//!
//! A page must add the bearer token to a request itself. The browser adds no credentials, so cross-site request forgery
//! is not possible. No value of the request is reflected in the headers.

use axum::routing::{MethodRouter, options};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// The request headers that a page may set: all of them. Scripts for tracing add their own to each request of a page. `*`
/// does not include `Authorization` (WHATWG Fetch, "CORS-non-wildcard request-header name").
const REQUEST_HEADERS: &str = "*, Authorization";

/// The response headers that a script may read. Readers of large files need the lengths and ranges.
const RESPONSE_HEADERS: &str = "Content-Length, Content-Type, Content-Range, ETag, Last-Modified, Accept-Ranges, \
                                Cache-Control, Content-Encoding, Location, X-Request-Id, Retry-After, WWW-Authenticate, \
                                x-amz-storage-class, x-amz-restore";

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

/// Lets a page of another origin read or embed the response. Error responses need this too: without it a script sees only a network error.
pub(crate) fn add_cors_headers(headers: &mut HeaderMap) {
    // `*` and no `Access-Control-Allow-Credentials`: browsers then refuse to send cookies.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
    // For `<img>` and the like on a page with `Cross-Origin-Embedder-Policy: require-corp`, which shared memory needs
    // (WHATWG Fetch, "Cross-Origin-Resource-Policy header").
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
}
