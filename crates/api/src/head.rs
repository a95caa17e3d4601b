//! The response to `HEAD`: an object's headers, as readers of large files expect them.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use storage::ObjectHead;

use crate::{Problem, range::RequestedRange};

/// Builds the response to a `HEAD` request, which may have a `Range`.
///
/// `Content-Length` is the length of the whole object, with status 206 too. RFC 9110, section 8.6, would have the
/// length of the part there. But DuckDB-WASM sends `HEAD` with `Range: bytes=0-` and reads the file's size from
/// `Content-Length`. Clients that ask for a smaller range read `Content-Range`.
pub(crate) fn head_response(head: ObjectHead, request_headers: &HeaderMap) -> Response {
    let range = request_headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let length = head.length;
    let (status, content_range) = match RequestedRange::from_header(range, length) {
        RequestedRange::Whole => (StatusCode::OK, None),
        RequestedRange::Bytes { first, last } => {
            (StatusCode::PARTIAL_CONTENT, Some(format!("bytes {first}-{last}/{length}")))
        }
        RequestedRange::Unsatisfiable => return unsatisfiable_response(length),
    };
    let mut response = (status, head.headers, Body::empty()).into_response();
    let headers = response.headers_mut();
    // Set by hand: axum would derive 0 from the empty body.
    headers.insert(header::CONTENT_LENGTH, length.into());
    // Also if S3 did not send it: without it, readers of large files may download the whole file.
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(range) = content_range.and_then(|range| HeaderValue::try_from(range).ok()) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    response
}

fn unsatisfiable_response(length: u64) -> Response {
    let mut response = Problem::range_not_satisfiable().into_response();
    // RFC 9110, section 15.5.17: a 416 states the object's length.
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{length}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send_head(range: Option<&'static str>, length: u64) -> (u16, HeaderMap) {
        let headers = HeaderMap::from_iter([
            (header::ETAG, HeaderValue::from_static("\"e\"")),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-parquet")),
        ]);
        let range = range.map(|range| (header::RANGE, HeaderValue::from_static(range)));
        let response = head_response(ObjectHead { length, headers }, &range.into_iter().collect());
        (response.status().as_u16(), response.headers().clone())
    }

    #[test]
    fn a_plain_head_describes_the_whole() {
        let (status, headers) = send_head(None, 1234);
        assert_eq!(status, 200);
        assert_eq!(headers[header::CONTENT_LENGTH], "1234");
        assert_eq!(headers[header::ACCEPT_RANGES], "bytes");
        assert_eq!(headers[header::ETAG], "\"e\"");
        assert_eq!(headers[header::CONTENT_TYPE], "application/x-parquet");
        assert!(!headers.contains_key(header::CONTENT_RANGE));
    }

    #[test]
    fn a_range_keeps_the_length_of_the_whole() {
        let (status, headers) = send_head(Some("bytes=0-"), 1234);
        assert_eq!(status, 206);
        assert_eq!(headers[header::CONTENT_LENGTH], "1234");
        assert_eq!(headers[header::CONTENT_RANGE], "bytes 0-1233/1234");
    }

    #[test]
    fn a_range_beyond_the_end_is_416() {
        let (status, headers) = send_head(Some("bytes=2000-"), 1234);
        assert_eq!(status, 416);
        assert_eq!(headers[header::CONTENT_RANGE], "bytes */1234");
    }
}
