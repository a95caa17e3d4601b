//! Cross-origin access: any page may ask, none may send cookies.
//!
//! Callers identify themselves with a bearer token, which a page has to put there itself, so there is nothing that
//! another page could ride on. Nothing of the request is reflected (WHATWG Fetch, "CORS protocol").

use axum::routing::{MethodRouter, options};
use http::{HeaderMap, HeaderValue, StatusCode, header};

const REQUEST_HEADERS: &str = "Authorization, Content-Type, Content-Length, Range, Origin, Accept, Cache-Control, \
                               Pragma, If-Match, If-Modified-Since, If-None-Match, If-Range, Traceparent, X-Request-Id";

/// Scripts see only these; readers of large files cannot work without the lengths and ranges.
const RESPONSE_HEADERS: &str = "Content-Length, Content-Type, Content-Range, ETag, Last-Modified, Accept-Ranges, \
                                Cache-Control, Content-Encoding, Location, X-Request-Id, Retry-After, WWW-Authenticate";

/// Answers `OPTIONS` for a path with these methods, to anybody: a preflight carries no token.
pub(crate) fn preflight<S>(methods: &'static str) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    options(async move || {
        let headers = [
            (header::ALLOW, methods),
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, "3600"),
        ];
        (StatusCode::NO_CONTENT, headers)
    })
}

/// Lets a page read an answer, whatever it is: without this a script learns of an error only that there was one.
pub(crate) fn expose(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
}
