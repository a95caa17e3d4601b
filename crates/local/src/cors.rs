//! Cross-origin answers as the buckets' and the distribution's CORS rules give them: anyone may read what is signed.
//!
//! After a cross-origin redirect a browser says `Origin: null`, so only `*` will do, on errors too: without it a
//! script sees no status, just a failed fetch.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use s3s::Body;

/// The headers of an answer that a script may look at.
pub(crate) const EXPOSED: &str = "Content-Length, Content-Type, Content-Range, ETag, Last-Modified, Accept-Ranges, \
                                  Cache-Control, Content-Encoding, x-amz-version-id, x-amz-delete-marker";

/// Lets every origin read the answer with these headers.
pub(crate) fn allow(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

/// Answers a preflight, which carries no signature and must not need one.
pub(crate) fn preflight(asked: &HeaderMap, methods: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    allow(headers);
    answer
}

/// Whether this is to be answered by [`preflight`].
pub(crate) fn is_preflight(method: &Method) -> bool {
    method == Method::OPTIONS
}
