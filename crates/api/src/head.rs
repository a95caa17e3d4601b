//! The answer to `HEAD`: what an object is like, as the readers of large files want to hear it.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use storage::ObjectHead;

use crate::{Problem, range::Part};

/// Answers a `HEAD` request, which may have a `Range`.
///
/// `Content-Length` is that of the whole object, also beside `206` and `Content-Range`. RFC 9110 would have the part's
/// length there, but DuckDB-WASM asks `HEAD` with `Range: bytes=0-` and takes the file's size from `Content-Length`,
/// and everybody who sends a range reads `Content-Range`.
pub(crate) fn answer(head: ObjectHead, asked: &HeaderMap) -> Response {
    let range = asked.get(header::RANGE).and_then(|range| range.to_str().ok());
    let length = head.length;
    let (status, content_range) = match Part::asked(range, length) {
        Part::Whole => (StatusCode::OK, None),
        Part::Bytes { first, last } => {
            (StatusCode::PARTIAL_CONTENT, Some(format!("bytes {first}-{last}/{length}")))
        }
        Part::Unsatisfiable => return unsatisfiable(length),
    };
    let mut response = (status, head.headers, Body::empty()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(range) = content_range.and_then(|range| HeaderValue::try_from(range).ok()) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    response
}

fn unsatisfiable(length: u64) -> Response {
    let mut response = Problem::unsatisfiable().into_response();
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{length}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(range: Option<&'static str>, length: u64) -> (u16, HeaderMap) {
        let headers = HeaderMap::from_iter([
            (header::ETAG, HeaderValue::from_static("\"e\"")),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-parquet")),
        ]);
        let asked = range.map(|range| (header::RANGE, HeaderValue::from_static(range)));
        let response = answer(ObjectHead { length, headers }, &asked.into_iter().collect());
        (response.status().as_u16(), response.headers().clone())
    }

    #[test]
    fn a_plain_head_describes_the_whole() {
        let (status, headers) = ask(None, 1234);
        assert_eq!(status, 200);
        assert_eq!(headers[header::CONTENT_LENGTH], "1234");
        assert_eq!(headers[header::ACCEPT_RANGES], "bytes");
        assert_eq!(headers[header::ETAG], "\"e\"");
        assert_eq!(headers[header::CONTENT_TYPE], "application/x-parquet");
        assert!(!headers.contains_key(header::CONTENT_RANGE));
    }

    #[test]
    fn a_range_is_named_beside_the_length_of_the_whole() {
        let (status, headers) = ask(Some("bytes=0-"), 1234);
        assert_eq!(status, 206);
        assert_eq!(headers[header::CONTENT_LENGTH], "1234");
        assert_eq!(headers[header::CONTENT_RANGE], "bytes 0-1233/1234");
    }

    #[test]
    fn a_range_behind_the_end_is_416() {
        let (status, headers) = ask(Some("bytes=2000-"), 1234);
        assert_eq!(status, 416);
        assert_eq!(headers[header::CONTENT_RANGE], "bytes */1234");
    }
}
