//! What the edge says: an object, a part of one, or why not.

use std::io;
use std::ops::Range;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use s3s::Body;
use s3s::dto;

use super::EdgeConfig;
use crate::s3::conditions::{Conditions, Verdict, range_holds};
use crate::s3::content::{self, DEFAULT_TYPE};
use crate::s3::errors::http_date;
use crate::s3::version::{Content, Version};

/// The newest version of this key, or the part of it that was asked for.
pub(super) async fn object<B>(config: &EdgeConfig, key: &str, request: &Request<B>) -> Response<Body> {
    let Ok(version) = config.store.find(&config.bucket, key, None) else { return not_found() };
    let Some(content) = version.content.as_deref() else { return not_found() };
    let modified = version.modified_seconds();
    match Conditions::from_headers(request.headers()).check(&content.etag, modified) {
        Verdict::Send => {}
        Verdict::NotModified => return not_modified(&version, content, key),
        Verdict::Failed => {
            return error(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                "A precondition did not hold",
            );
        }
    }
    let is_get = request.method() == Method::GET;
    let range = range(request.headers())
        .filter(|_| is_get && range_holds(request.headers(), &content.etag, modified));
    let Ok(part) = range.map(|range| range.check(content.size)).transpose() else {
        return not_satisfiable(content.size);
    };
    let whole = 0..content.size;
    let body = content::read(&config.store, &version, content, part.clone().unwrap_or(whole)).await;
    match body {
        Ok(body) => found(&version, content, key, part, Body::from(body)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => not_found(),
        Err(_) => error(StatusCode::BAD_GATEWAY, "InternalError", "The origin could not be read"),
    }
}

/// The one range that was asked for; several, or none that is understood, mean the whole object.
fn range(headers: &HeaderMap) -> Option<dto::Range> {
    dto::Range::parse(headers.get(header::RANGE)?.to_str().ok()?).ok()
}

fn found(
    version: &Version,
    content: &Content,
    key: &str,
    part: Option<Range<u64>>,
    body: Body,
) -> Response<Body> {
    let mut answer = Response::new(body);
    describe(answer.headers_mut(), version, content, key);
    let length = part.as_ref().map_or(content.size, |part| part.end - part.start);
    answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(part) = part {
        let range = format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), content.size);
        insert(answer.headers_mut(), header::CONTENT_RANGE, &range);
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    answer
}

fn not_modified(version: &Version, content: &Content, key: &str) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    describe(answer.headers_mut(), version, content, key);
    answer.headers_mut().remove(header::CONTENT_TYPE);
    answer
}

fn describe(headers: &mut HeaderMap, version: &Version, content: &Content, key: &str) {
    let attributes = &content.attributes;
    let said = [
        (header::CONTENT_TYPE, Some(attributes.content_type.as_deref().unwrap_or(DEFAULT_TYPE))),
        (header::CACHE_CONTROL, Some(attributes.cache_control.as_deref().unwrap_or(cache_control(key)))),
        (header::CONTENT_DISPOSITION, attributes.content_disposition.as_deref()),
        (header::CONTENT_ENCODING, attributes.content_encoding.as_deref()),
        (header::CONTENT_LANGUAGE, attributes.content_language.as_deref()),
        (header::ETAG, Some(&*format!("\"{}\"", content.etag))),
        (header::ACCEPT_RANGES, Some("bytes")),
        (HeaderName::from_static("x-amz-version-id"), Some(version.id.as_str())),
        (X_CACHE, Some("Miss from cloudfront")),
    ];
    for (name, value) in said {
        if let Some(value) = value {
            insert(headers, name, value);
        }
    }
    if let Some(date) = http_date(version.modified_seconds()) {
        headers.insert(header::LAST_MODIFIED, date);
    }
}

/// Parquet files never change under their names; anything else may, within a day.
fn cache_control(key: &str) -> &'static str {
    if key.ends_with(".parquet") { "public, max-age=2592000" } else { "public, max-age=86400" }
}

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

fn not_found() -> Response<Body> {
    error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
}

fn not_satisfiable(size: u64) -> Response<Body> {
    let mut answer =
        error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "The requested range is not satisfiable");
    insert(answer.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
    answer
}

/// An error as CloudFront words it. Code and message are ours, so nothing in them needs escaping.
pub(super) fn error(status: StatusCode, code: &'static str, message: &'static str) -> Response<Body> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut answer = Response::new(Body::from(xml));
    *answer.status_mut() = status;
    insert(answer.headers_mut(), header::CONTENT_TYPE, "text/xml");
    insert(answer.headers_mut(), X_CACHE, "Error from cloudfront");
    answer
}

/// Attributes come from uploads and were headers before; one that cannot be a header again is left out.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
