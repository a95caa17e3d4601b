//! The responses of the edge: an object, a part of one, or an error.

use std::io;
use std::ops::Range;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use s3s::Body;
use s3s::dto;

use super::EdgeConfig;
use crate::s3::conditions::{Conditions, Precondition, matches_if_range};
use crate::s3::content::{self, DEFAULT_CONTENT_TYPE};
use crate::s3::errors::format_http_date;
use crate::s3::version::{Content, Version};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// The newest version of a requested object.
struct ServedObject<'a> {
    key: &'a str,
    version: &'a Version,
    content: &'a Content,
}

/// The newest version of this key, or the requested part of it.
pub(super) async fn object<B>(config: &EdgeConfig, key: &str, request: &Request<B>) -> Response<Body> {
    // A missing key, a delete marker and a missing bucket all answer 404.
    let Ok(version) = config.store.find_version(&config.bucket, key, None) else { return not_found() };
    let Some(content) = version.content.as_deref() else { return not_found() };
    let object = ServedObject { key, version: &version, content };
    let modified = version.modified_seconds();
    match Conditions::from_headers(request.headers()).evaluate(&content.etag, modified) {
        Precondition::Passed => {}
        Precondition::NotModified => return not_modified(&object),
        Precondition::Failed => {
            return error(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                "A precondition did not hold",
            );
        }
    }
    // RFC 9110, section 14.2: a range applies to GET only. CloudFront follows it, S3 does not.
    let is_get = request.method() == Method::GET;
    let range = parse_range(request.headers())
        .filter(|_| is_get && matches_if_range(request.headers(), &content.etag, modified));
    let Ok(part) = range.map(|range| range.check(content.size)).transpose() else {
        return range_not_satisfiable(content.size);
    };
    let whole = 0..content.size;
    let body = content::read_range(&config.store, &version, content, part.clone().unwrap_or(whole)).await;
    match body {
        Ok(body) => with_content(&object, part, Body::from(body)),
        // The version was removed after it was looked up.
        Err(error) if error.kind() == io::ErrorKind::NotFound => not_found(),
        Err(_) => error(StatusCode::BAD_GATEWAY, "InternalError", "The origin could not be read"),
    }
}

/// The single range of the request. Several ranges, or a malformed one, mean the whole object.
fn parse_range(headers: &HeaderMap) -> Option<dto::Range> {
    dto::Range::parse(headers.get(header::RANGE)?.to_str().ok()?).ok()
}

fn with_content(object: &ServedObject<'_>, part: Option<Range<u64>>, body: Body) -> Response<Body> {
    let size = object.content.size;
    let mut response = Response::new(body);
    insert_object_headers(response.headers_mut(), object);
    let length = part.as_ref().map_or(size, |part| part.end - part.start);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(part) = part {
        let range = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
        insert_header(response.headers_mut(), header::CONTENT_RANGE, &range);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

fn not_modified(object: &ServedObject<'_>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    insert_object_headers(response.headers_mut(), object);
    // A 304 has no body, so it has no type.
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

fn insert_object_headers(headers: &mut HeaderMap, object: &ServedObject<'_>) {
    let ServedObject { key, version, content } = object;
    let attributes = &content.attributes;
    let values = [
        (header::CONTENT_TYPE, Some(attributes.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE))),
        (
            header::CACHE_CONTROL,
            Some(attributes.cache_control.as_deref().unwrap_or(default_cache_control(key))),
        ),
        (header::CONTENT_DISPOSITION, attributes.content_disposition.as_deref()),
        (header::CONTENT_ENCODING, attributes.content_encoding.as_deref()),
        (header::CONTENT_LANGUAGE, attributes.content_language.as_deref()),
        (header::ETAG, Some(&*format!("\"{}\"", content.etag))),
        (header::ACCEPT_RANGES, Some("bytes")),
        (HeaderName::from_static("x-amz-version-id"), Some(version.id.as_str())),
        (X_CACHE, Some("Miss from cloudfront")),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            insert_header(headers, name, value);
        }
    }
    if let Some(date) = format_http_date(version.modified_seconds()) {
        headers.insert(header::LAST_MODIFIED, date);
    }
}

/// Parquet files never change under their names: 30 days. All other files may change: one day.
fn default_cache_control(key: &str) -> &'static str {
    if key.ends_with(".parquet") { "public, max-age=2592000" } else { "public, max-age=86400" }
}

fn not_found() -> Response<Body> {
    error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
}

fn range_not_satisfiable(size: u64) -> Response<Body> {
    let mut response =
        error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "The requested range is not satisfiable");
    insert_header(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
    response
}

/// An error in the format of CloudFront. Code and message are constants, so they need no escaping.
pub(super) fn error(status: StatusCode, code: &'static str, message: &'static str) -> Response<Body> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(Body::from(xml));
    *response.status_mut() = status;
    insert_header(response.headers_mut(), header::CONTENT_TYPE, "text/xml");
    insert_header(response.headers_mut(), X_CACHE, "Error from cloudfront");
    response
}

/// Object attributes arrived as headers of an upload. A value that is no valid header is left out.
fn insert_header(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
