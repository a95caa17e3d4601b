//! An object's metadata, requested with the service's own credentials.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tracing::{Instrument, info_span};

use crate::{
    LinkSpec, Method, ObjectStore, Region, ResponseHeaders,
    bucket_region::BUCKET_REGION_HEADER,
    error_body::{find_code, read_error_body},
    s3_error::S3Error,
};
use aws::error_chain;
use packages::links::Location;

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
    /// The headers that describe the content. A `HEAD` at S3 has them, too. `Cache-Control` is not among them: it is about
    /// the object, and an answer for one caller must not be stored (RFC 9111, section 3.5). The last two say whether an object
    /// is archived, and whether it is being restored (Amazon S3 API Reference, `HeadObject`).
    pub const HEADERS: [HeaderName; 8] = [
        header::CONTENT_DISPOSITION,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_TYPE,
        header::ETAG,
        header::LAST_MODIFIED,
        HeaderName::from_static("x-amz-storage-class"),
        HeaderName::from_static("x-amz-restore"),
    ];

    pub(crate) fn new(length: u64, all: &HeaderMap) -> Self {
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
        let bucket = location.bucket.as_str();
        let mut region = self.find_region(bucket).await;
        let mut response = self.send_own_request(&region, &spec, now).await?;
        let said = response.headers().get(BUCKET_REGION_HEADER).and_then(|value| value.to_str().ok());
        if self.learn_region(bucket, &region, said) {
            region = self.find_region(bucket).await;
            response = self.send_own_request(&region, &spec, now).await?;
        }
        let headers = response.headers();
        match response.status() {
            StatusCode::OK => parse_length(headers.get(header::CONTENT_LENGTH))
                .map(|length| ObjectHead::new(length, headers)),
            // A version that is a delete marker (`HeadObject`, "Versioning").
            StatusCode::METHOD_NOT_ALLOWED if headers.contains_key("x-amz-delete-marker") => {
                Err(HeadError::NotFound)
            }
            StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
                // Boxed: it is rare.
                Err(Box::pin(self.explain_refusal(&region, location, now)).await)
            }
            status @ (StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE) => {
                Err(HeadError::Busy(status.to_string()))
            }
            status => Err(status_error(status)),
        }
    }

    async fn send_own_request(
        &self,
        region: &Region,
        spec: &LinkSpec<'_>,
        now: u64,
    ) -> Result<Response<Incoming>, HeadError> {
        let link = self.presign_in(region, spec, now).await;
        let link = link.map_err(|error| HeadError::Unavailable(error.to_string()))?;
        self.send_request(http::Method::HEAD, link.url(), None).await
    }

    /// Why S3 refuses a request for an object, by the error code of a `GET` of its first byte.
    async fn explain_refusal(&self, region: &Region, location: &Location, now: u64) -> HeadError {
        let spec = LinkSpec::own_request(location, Method::Get, now);
        let Ok(link) = self.presign_in(region, &spec, now).await else { return HeadError::Forbidden };
        let range = HeaderValue::from_static("bytes=0-0");
        let Ok(response) = self.send_request(http::Method::GET, link.url(), Some(range)).await else {
            return HeadError::Forbidden;
        };
        find_code(&read_error_body(response.into_body()).await).map_or(HeadError::Forbidden, code_error)
    }

    pub(crate) async fn send_request(
        &self,
        method: http::Method,
        url: &str,
        range: Option<HeaderValue>,
    ) -> Result<Response<Incoming>, HeadError> {
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
        response.await.map_err(|_| HeadError::TimedOut)?.map_err(|error| failed(&error))
    }
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

pub(crate) fn parse_length(value: Option<&HeaderValue>) -> Result<u64, HeadError> {
    value
        .and_then(|value| parse_digits(value.to_str().ok()?))
        .ok_or_else(|| HeadError::Unavailable("S3 sent no Content-Length".to_owned()))
}

/// Parses decimal digits. `str::parse` would accept a leading plus sign.
pub(crate) fn parse_digits(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=600")),
            (HeaderName::from_static("x-amz-storage-class"), HeaderValue::from_static("GLACIER")),
            (header::CONTENT_RANGE, HeaderValue::from_static("bytes 0-0/3")),
        ]);
        let head = ObjectHead::new(3, &all);
        assert_eq!(head.headers.len(), 2);
        assert_eq!(head.headers[header::ETAG], "\"e\"");
        assert_eq!(head.headers["x-amz-storage-class"], "GLACIER");
    }
}
