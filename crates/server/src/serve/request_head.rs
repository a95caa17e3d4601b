//! What hyper does not check of a request's head.

use hyper::{Request, StatusCode, Version, header::HOST};
use signing::is_host_and_port;

/// The largest request head. A percent-encoded presigned URL with a session token must fit.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The status for a head that is refused.
pub(super) fn check_head<B>(request: &Request<B>) -> Result<(), StatusCode> {
    // hyper limits its read buffer, which one more read may fill beyond the limit. So the head is measured again.
    if head_length(request) > MAX_HEAD_BYTES {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    if !has_valid_host(request) {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(())
}

/// RFC 9112, section 3.2: 400 without `Host`, with two, and with one that is no host and port. HTTP/1.0 knows no `Host`.
fn has_valid_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).into_iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => host.to_str().is_ok_and(is_host_and_port),
        (Some(_), Some(_)) => false,
    }
}

/// The length of a request head in bytes, without optional whitespace: `GET /target HTTP/1.1`, `name: value`, an empty
/// line.
fn head_length<B>(request: &Request<B>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n".len();
    let field = |name: &str, value: &[u8]| name.len() + value.len() + ": \r\n".len();
    let fields: usize =
        request.headers().iter().map(|(name, value)| field(name.as_str(), value.as_bytes())).sum();
    line + fields + "\r\n".len()
}
