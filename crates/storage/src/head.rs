//! An object's metadata, requested with a presigned link. Only S3 checks the link's signature.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use tracing::{Instrument, info_span};

use crate::{
    LinkSpec, Method, ObjectStore, Region, ResponseHeaders, bucket_region::BUCKET_REGION_HEADER,
    s3_error::S3Error,
};
use aws::error_chain;
use packages::links::Location;

/// The longest error of S3 that is read.
const MAX_ERROR_BYTES: usize = 16 * 1024;

/// How long S3 may take to answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// An object's metadata from S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// The size of the whole object in bytes.
    pub length: u64,
    /// The headers of [`ObjectHead::HEADERS`] that S3 sent.
    pub headers: HeaderMap,
}

impl ObjectHead {
    /// The headers that describe the content. A `HEAD` at S3 has them, too. The last two say whether an object is archived and
    /// whether it is being brought back (Amazon S3 API Reference, `HeadObject`).
    pub const HEADERS: [HeaderName; 9] = [
        header::CACHE_CONTROL,
        header::CONTENT_DISPOSITION,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_TYPE,
        header::ETAG,
        header::LAST_MODIFIED,
        HeaderName::from_static("x-amz-storage-class"),
        HeaderName::from_static("x-amz-restore"),
    ];

    fn new(length: u64, all: &HeaderMap) -> Self {
        let find = |name: HeaderName| all.get(&name).map(|value| (name, value.clone()));
        Self { length, headers: Self::HEADERS.into_iter().filter_map(find).collect() }
    }
}

/// Why there is no metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The object does not exist.
    #[error("the object does not exist")]
    NotFound,
    /// S3 does not accept the link.
    #[error("S3 does not accept the link")]
    Forbidden,
    /// S3 asks to try again. The text is its error code or its status.
    #[error("S3 asks to try again: {0}")]
    Busy(String),
    /// S3 could not be reached, or answered with an unexpected status or headers. The text is for the log.
    #[error("{0}")]
    Unavailable(String),
    /// S3 took too long.
    #[error("S3 did not answer in time")]
    TimedOut,
}

impl ObjectStore {
    /// Loads the metadata of an object with the service's own credentials, as a link with these response headers gets it.
    ///
    /// One request. A second one follows if S3 says that the bucket is in another region, or refuses: the answer to a `HEAD`
    /// has no error code.
    pub async fn head_object(
        &self,
        location: &Location,
        headers: &ResponseHeaders,
        now: u64,
    ) -> Result<ObjectHead, HeadError> {
        let spec = LinkSpec { headers, ..LinkSpec::own_request(location, Method::Head, now) };
        let mut region = self.find_region(location.bucket.as_str()).await;
        let mut answer = self.send_own_request(&region, &spec, now).await?;
        let said = answer.1.get(BUCKET_REGION_HEADER).and_then(|value| value.to_str().ok());
        if self.learn_region(location.bucket.as_str(), &region, said) {
            region = self.find_region(location.bucket.as_str()).await;
            answer = self.send_own_request(&region, &spec, now).await?;
        }
        match answer.0 {
            StatusCode::OK => parse_length(answer.1.get(header::CONTENT_LENGTH))
                .map(|length| ObjectHead::new(length, &answer.1)),
            // A version that is a delete marker (`HeadObject`, "Versioning").
            StatusCode::METHOD_NOT_ALLOWED if answer.1.contains_key("x-amz-delete-marker") => {
                Err(HeadError::NotFound)
            }
            StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
                // Boxed: it is rare.
                Err(Box::pin(self.explain_refusal(&region, location, now)).await)
            }
            StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE => {
                Err(HeadError::Busy(answer.0.to_string()))
            }
            status => Err(status_error(status)),
        }
    }

    async fn send_own_request(
        &self,
        region: &Region,
        spec: &LinkSpec<'_>,
        now: u64,
    ) -> Result<(StatusCode, HeaderMap), HeadError> {
        let link = self.presign_in(region, spec, now).await;
        let link = link.map_err(|error| HeadError::Unavailable(error.to_string()))?;
        self.send_request(http::Method::HEAD, link.url(), None).await
    }

    /// Why S3 refuses a request for an object, by the error code of a `GET` of its first byte.
    async fn explain_refusal(&self, region: &Region, location: &Location, now: u64) -> HeadError {
        let spec = LinkSpec::own_request(location, Method::Get, now);
        let Ok(link) = self.presign_in(region, &spec, now).await else { return HeadError::Forbidden };
        let request = Request::get(link.url()).header(header::RANGE, "bytes=0-0");
        let Ok(request) = request.body(Full::<Bytes>::default()) else { return HeadError::Forbidden };
        let span = info_span!(target: "trace", "s3", operation = "GetObject");
        let read = async {
            let response = self.http.send_with_retry(request).await.ok()?;
            let body = Limited::new(response.into_body(), MAX_ERROR_BYTES).collect().await.ok()?.to_bytes();
            find_code(std::str::from_utf8(&body).ok()?)
        };
        let code = tokio::time::timeout(REQUEST_TIMEOUT, read.instrument(span)).await;
        code.ok().flatten().map_or(HeadError::Forbidden, code_error)
    }

    /// Loads the metadata of an object with a client's presigned link. The link is signed for `GET`, so this gets one byte
    /// and reads the object's size from `Content-Range` (RFC 9110, section 14.4).
    pub async fn head_presigned(&self, url: &str) -> Result<ObjectHead, HeadError> {
        let range = HeaderValue::from_static("bytes=0-0");
        let (status, headers) = self.send_request(http::Method::GET, url, Some(range)).await?;
        match status {
            StatusCode::PARTIAL_CONTENT => {
                parse_total(&headers).map(|length| ObjectHead::new(length, &headers))
            }
            StatusCode::OK => parse_length(headers.get(header::CONTENT_LENGTH))
                .map(|length| ObjectHead::new(length, &headers)),
            // An empty object has no first byte. S3 sends none of its headers then.
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(ObjectHead { length: 0, headers: HeaderMap::new() }),
            status => Err(status_error(status)),
        }
    }

    async fn send_request(
        &self,
        method: http::Method,
        url: &str,
        range: Option<HeaderValue>,
    ) -> Result<(StatusCode, HeaderMap), HeadError> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        // The errors of this client name hosts, never paths or queries.
        let failed = |error: &dyn std::error::Error| HeadError::Unavailable(error_chain(error));
        let request = request.body(Full::<Bytes>::default()).map_err(|error| failed(&error))?;
        let span = info_span!(target: "trace", "s3", operation = "HeadObject");
        let response =
            tokio::time::timeout(REQUEST_TIMEOUT, self.http.send_with_retry(request).instrument(span));
        let response = response.await.map_err(|_| HeadError::TimedOut)?.map_err(|error| failed(&error))?;
        let (parts, _) = response.into_parts();
        Ok((parts.status, parts.headers))
    }
}

/// The code in an error of S3. It is a word, or it does not get into the log.
fn find_code(xml: &str) -> Option<String> {
    let (code, _) = xml.split_once("<Code>")?.1.split_once('<')?;
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || b"._".contains(&byte);
    (code.len() <= 64 && code.bytes().all(is_code)).then(|| code.to_owned())
}

/// Reads S3's error code (Amazon S3 API Reference, "Error responses").
fn code_error(code: String) -> HeadError {
    match code.as_str() {
        "AccessDenied" | "AllAccessDisabled" => HeadError::Forbidden,
        "NoSuchKey" | "NoSuchVersion" | "NoSuchBucket" => HeadError::NotFound,
        transient if S3Error::from_code("", Some(transient)).is_transient() => HeadError::Busy(code),
        _ => HeadError::Unavailable(format!("S3 refused a request that this service signed ({code})")),
    }
}

fn status_error(status: StatusCode) -> HeadError {
    match status {
        StatusCode::NOT_FOUND => HeadError::NotFound,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => HeadError::Forbidden,
        status => HeadError::Unavailable(format!("S3 answered {status}")),
    }
}

fn parse_length(value: Option<&HeaderValue>) -> Result<u64, HeadError> {
    value
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or_else(|| HeadError::Unavailable("S3 sent no Content-Length".to_owned()))
}

/// The number after the slash of `Content-Range: bytes 0-0/1234`.
fn parse_total(headers: &HeaderMap) -> Result<u64, HeadError> {
    headers
        .get(header::CONTENT_RANGE)
        .and_then(|value| value.to_str().ok()?.strip_prefix("bytes ")?.rsplit_once('/')?.1.parse().ok())
        .ok_or_else(|| HeadError::Unavailable("S3 sent no total length in Content-Range".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_number_after_the_slash() {
        let with = |value: &'static str| {
            HeaderMap::from_iter([(header::CONTENT_RANGE, HeaderValue::from_static(value))])
        };
        assert_eq!(parse_total(&with("bytes 0-0/1234")), Ok(1234));
        for odd in ["bytes 0-0/*", "bytes 0-0", "items 0-0/3", "bytes 0-0/-1"] {
            assert!(parse_total(&with(odd)).is_err(), "{odd}");
        }
        assert!(parse_total(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_refusal_is_judged_by_its_code() {
        for (code, expected) in [
            ("AccessDenied", HeadError::Forbidden),
            ("NoSuchVersion", HeadError::NotFound),
            ("ExpiredToken", HeadError::Busy("ExpiredToken".to_owned())),
            ("SlowDown", HeadError::Busy("SlowDown".to_owned())),
        ] {
            assert_eq!(code_error(code.to_owned()), expected);
        }
        let other = code_error("KMS.DisabledException".to_owned());
        assert!(matches!(other, HeadError::Unavailable(text) if text.ends_with("(KMS.DisabledException)")));
    }

    #[test]
    fn a_head_has_only_headers_that_describe_the_content() {
        let all = HeaderMap::from_iter([
            (header::ETAG, HeaderValue::from_static("\"e\"")),
            (header::SERVER, HeaderValue::from_static("AmazonS3")),
            (header::CONTENT_RANGE, HeaderValue::from_static("bytes 0-0/3")),
        ]);
        let head = ObjectHead::new(3, &all);
        assert_eq!(head.headers.len(), 1);
        assert_eq!(head.headers[header::ETAG], "\"e\"");
    }
}
