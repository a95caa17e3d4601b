//! The response to `HEAD`: an object's headers, as readers of large files expect them.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use storage::ObjectHead;

use crate::{
    Problem,
    conditions::{Precondition, Validators},
    range::RequestedRange,
};

/// Builds the response to a `HEAD` request, which may have conditions and a `Range`.
///
/// `Content-Length` is the length of the whole object, with status 206 too. RFC 9110, section 8.6, would have the
/// length of the part there. But DuckDB-WASM sends `HEAD` with `Range: bytes=0-` and reads the file's size from
/// `Content-Length`. Clients that ask for a smaller range read `Content-Range`.
pub(crate) fn head_response(head: ObjectHead, request: &HeaderMap) -> Response {
    let validators = Validators::from_headers(&head.headers);
    if let Some(response) = unmet_condition(&head, validators, request) {
        return response;
    }
    let range = request.get(header::RANGE).and_then(|range| range.to_str().ok());
    let range = range.filter(|_| validators.allow_range(request));
    let length = head.length;
    match RequestedRange::from_header(range, length) {
        RequestedRange::Whole => object_response(StatusCode::OK, head, None),
        RequestedRange::Bytes { first, last } => {
            let range = HeaderValue::try_from(format!("bytes {first}-{last}/{length}")).ok();
            object_response(StatusCode::PARTIAL_CONTENT, head, range)
        }
        RequestedRange::Unsatisfiable => unsatisfiable_response(length),
    }
}

/// Builds the response for one part of an object, as it was uploaded. As S3's, it has the part's length.
pub(crate) fn part_response(head: ObjectHead, range: HeaderValue, request: &HeaderMap) -> Response {
    if request.contains_key(header::RANGE) {
        return Problem::invalid("the link is for one part of the object (partNumber), which takes no Range")
            .into_response();
    }
    let unmet = unmet_condition(&head, Validators::from_headers(&head.headers), request);
    unmet.unwrap_or_else(|| object_response(StatusCode::PARTIAL_CONTENT, head, Some(range)))
}

/// The response to a condition that does not hold.
fn unmet_condition(head: &ObjectHead, validators: Validators<'_>, request: &HeaderMap) -> Option<Response> {
    match validators.evaluate(request) {
        Precondition::Passed => None,
        Precondition::Failed => Some(Problem::precondition_failed().into_response()),
        Precondition::NotModified => {
            let mut response = (StatusCode::NOT_MODIFIED, Body::empty()).into_response();
            let headers = response.headers_mut();
            // RFC 9110, section 15.4.5: what tells the client which state it has.
            for name in [header::ETAG, header::LAST_MODIFIED] {
                headers.extend(head.headers.get(&name).map(|value| (name, value.clone())));
            }
            // Section 8.6: the length of the 200, or none. axum would derive 0 from the empty body.
            headers.insert(header::CONTENT_LENGTH, head.length.into());
            Some(response)
        }
    }
}

fn object_response(status: StatusCode, head: ObjectHead, content_range: Option<HeaderValue>) -> Response {
    let length = head.length;
    let mut response = (status, head.headers, Body::empty()).into_response();
    let headers = response.headers_mut();
    // Set by hand: axum would derive 0 from the empty body.
    headers.insert(header::CONTENT_LENGTH, length.into());
    // Also if S3 did not send it: without it, readers of large files may download the whole file.
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.extend(content_range.map(|range| (header::CONTENT_RANGE, range)));
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

    fn object(length: u64) -> ObjectHead {
        let headers = HeaderMap::from_iter([
            (header::ETAG, HeaderValue::from_static("\"e\"")),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-parquet")),
        ]);
        ObjectHead { length, headers }
    }

    fn request(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn send_head(range: Option<&'static str>, length: u64) -> (u16, HeaderMap) {
        let range: Vec<_> = range.into_iter().map(|range| (header::RANGE, range)).collect();
        let response = head_response(object(length), &request(&range));
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

    #[test]
    fn a_304_has_the_validators_and_no_type() {
        let response = head_response(object(12), &request(&[(header::IF_NONE_MATCH, "\"e\"")]));
        assert_eq!(response.status(), 304);
        assert_eq!(
            (&response.headers()[header::ETAG], &response.headers()[header::CONTENT_LENGTH]),
            (&HeaderValue::from_static("\"e\""), &HeaderValue::from(12))
        );
        assert!(!response.headers().contains_key(header::CONTENT_TYPE));
    }

    #[test]
    fn conditions_count_before_the_range() {
        let range = (header::RANGE, "bytes=20-");
        for (condition, status) in [
            ((header::IF_MATCH, "\"x\""), 412),
            ((header::IF_NONE_MATCH, "\"e\""), 304),
            ((header::IF_MATCH, "\"e\""), 416),
            ((header::IF_RANGE, "\"x\""), 200),
            ((header::IF_RANGE, "\"e\""), 416),
        ] {
            let response = head_response(object(12), &request(&[range.clone(), condition.clone()]));
            assert_eq!(response.status(), status, "{condition:?}");
        }
    }

    #[test]
    fn a_part_has_its_own_length_and_takes_no_range() {
        let part = |request| part_response(object(5), HeaderValue::from_static("bytes 5-9/12"), &request);
        let response = part(HeaderMap::new());
        assert_eq!(response.status(), 206);
        assert_eq!(response.headers()[header::CONTENT_LENGTH], "5");
        assert_eq!(response.headers()[header::CONTENT_RANGE], "bytes 5-9/12");
        assert_eq!(part(request(&[(header::RANGE, "bytes=0-")])).status(), 400);
        assert_eq!(part(request(&[(header::IF_MATCH, "\"x\"")])).status(), 412);
    }
}
