//! Responses with files of the app.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY},
    request::Parts,
};

use crate::{
    encoding::{Encoding, choose_copy},
    files::{AppFile, INDEX},
    media_type::media_type,
    not_built,
};

/// Files beneath it have a hash of their content in their name.
const HASHED_PATH: &str = "/console/assets/";

/// A year, the most that RFC 9111 caches expect, and no question in between (RFC 8246).
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Kept, and compared by its tag at each use.
const REVALIDATED: &str = "no-cache";

const NOT_STORED: &str = "no-store";

/// A file at its own path.
pub(crate) fn file_response(file: &AppFile, path: &str, request: &Parts) -> Response {
    let caching = if path.starts_with(HASHED_PATH) { IMMUTABLE } else { REVALIDATED };
    cacheable_response(file, path, [caching, "accept-encoding"], request)
}

/// The app, at any path of its own. Other clients get another response there.
pub(crate) fn page_response(index: &AppFile, request: &Parts) -> Response {
    cacheable_response(index, INDEX, [REVALIDATED, "accept, accept-encoding"], request)
}

/// The page that says how to build the app. It is gone as soon as that is done, so nobody stores it.
pub(crate) fn not_built_response(request: &Parts) -> Response {
    let body = not_built::page().identity;
    let headers = [(CONTENT_TYPE, media_type(INDEX)), (CACHE_CONTROL, NOT_STORED), (VARY, "accept")];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    build_response(StatusCode::SERVICE_UNAVAILABLE, headers.into_iter().collect(), body, &request.method)
}

fn cacheable_response(
    file: &AppFile,
    path: &str,
    [caching, vary]: [&'static str; 2],
    request: &Parts,
) -> Response {
    let (encoding, body) = choose_copy(file, &request.headers);
    let tag = entity_tag(file, encoding);
    let mut headers: HeaderMap =
        [(CACHE_CONTROL, caching), (VARY, vary)].map(static_header).into_iter().collect();
    headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
    if is_current(&request.headers, &tag) {
        return build_response(StatusCode::NOT_MODIFIED, headers, body, &Method::HEAD);
    }
    headers.extend([static_header((CONTENT_TYPE, media_type(path)))]);
    headers.extend(encoding.name().map(|name| static_header((CONTENT_ENCODING, name))));
    build_response(StatusCode::OK, headers, body, &request.method)
}

fn static_header((name, value): (HeaderName, &'static str)) -> (HeaderName, HeaderValue) {
    (name, HeaderValue::from_static(value))
}

/// Each copy has a tag of its own, because its bytes are others (RFC 9110, section 8.8.3.3).
fn entity_tag(file: &AppFile, encoding: Encoding) -> String {
    let suffix = encoding.name().map(|name| format!("-{name}")).unwrap_or_default();
    format!("\"{}{suffix}\"", file.tag)
}

/// Whether the client has this content already (RFC 9110, section 13.1.2). Tags are compared weakly: a proxy that compresses
/// makes them weak.
fn is_current(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// A response to `HEAD` has the headers of that to `GET`, and no body. A 304 has none either, and the same length (RFC 9110,
/// section 8.6).
fn build_response(status: StatusCode, headers: HeaderMap, body: Bytes, method: &Method) -> Response {
    let length = body.len();
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(body) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
