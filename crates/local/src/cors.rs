//! Cross-origin headers, as the CORS rules of the buckets and of the distribution set them: any origin may read what is
//! signed.
//!
//! After a cross-origin redirect a browser sends `Origin: null`, so only `*` works. Errors need the headers too: without
//! them a script sees a failed fetch and no status.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use s3s::Body;

/// The response headers that a script may read.
const EXPOSED_HEADERS: &str = "Content-Length, Content-Type, Content-Range, ETag, Last-Modified, Accept-Ranges, \
                               Cache-Control, Content-Encoding, x-amz-version-id, x-amz-delete-marker";

/// Lets every origin read the response.
pub(crate) fn add_headers(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
}

/// The response to a preflight request. Browsers send preflights without a signature.
pub(crate) fn preflight_response(request_headers: &HeaderMap, methods: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    // With `Authorization` a wildcard would not be enough, so the requested names are repeated.
    if let Some(names) = request_headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    add_headers(headers);
    response
}

/// Whether [`preflight_response`] answers this request.
pub(crate) fn is_preflight(method: &Method) -> bool {
    method == Method::OPTIONS
}
