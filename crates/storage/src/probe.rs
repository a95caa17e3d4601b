//! What an object is like, asked with a link: the signature is checked by S3, and by nobody else.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use tracing::{Instrument, info_span};

use crate::{Method, ObjectStore};
use aws::error_chain;
use packages::links::Location;

/// How long S3 may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An object's metadata, as S3 gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Bytes in the whole object.
    pub length: u64,
    /// `ETag`, `Last-Modified`, `Content-Type` and so on, those that S3 sent of [`ObjectHead::HEADERS`].
    pub headers: HeaderMap,
}

impl ObjectHead {
    /// What a reader of the object may know: all that a plain `HEAD` at S3 would have told about its content.
    pub const HEADERS: [HeaderName; 7] = [
        header::CACHE_CONTROL,
        header::CONTENT_DISPOSITION,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_TYPE,
        header::ETAG,
        header::LAST_MODIFIED,
    ];

    fn new(length: u64, all: &HeaderMap) -> Self {
        let known = |name: HeaderName| all.get(&name).map(|value| (name, value.clone()));
        Self { length, headers: Self::HEADERS.into_iter().filter_map(known).collect() }
    }
}

/// Why nothing is known about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeError {
    /// There is no such object.
    NotFound,
    /// S3 does not accept the link.
    Forbidden,
    /// S3 answered with this status, or not intelligibly, or could not be reached. The text is for the log.
    Unavailable(String),
    /// S3 took too long.
    TimedOut,
}

impl ObjectStore {
    /// The metadata of an object that the service may read.
    pub async fn head(&self, location: &Location, now: u64) -> Result<ObjectHead, ProbeError> {
        let link = self
            .presign(location, Method::Head, now)
            .await
            .map_err(|error| ProbeError::Unavailable(error.to_string()))?;
        let (status, headers) = self.send(http::Method::HEAD, link.url(), None).await?;
        match status {
            StatusCode::OK => {
                length(headers.get(header::CONTENT_LENGTH)).map(|length| ObjectHead::new(length, &headers))
            }
            status => Err(refused(status)),
        }
    }

    /// The metadata of the object that somebody's own link leads to. A link is signed for `GET`, so this gets one byte
    /// and reads the length of the whole from `Content-Range` (RFC 9110, section 14.4).
    pub async fn head_by_link(&self, url: &str) -> Result<ObjectHead, ProbeError> {
        let range = HeaderValue::from_static("bytes=0-0");
        let (status, headers) = self.send(http::Method::GET, url, Some(range)).await?;
        match status {
            StatusCode::PARTIAL_CONTENT => total(&headers).map(|length| ObjectHead::new(length, &headers)),
            StatusCode::OK => {
                length(headers.get(header::CONTENT_LENGTH)).map(|length| ObjectHead::new(length, &headers))
            }
            // An empty object has no first byte. S3 says nothing else about it then.
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(ObjectHead { length: 0, headers: HeaderMap::new() }),
            status => Err(refused(status)),
        }
    }

    async fn send(
        &self,
        method: http::Method,
        url: &str,
        range: Option<HeaderValue>,
    ) -> Result<(StatusCode, HeaderMap), ProbeError> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        // The errors of this client name hosts, never paths or queries.
        let failed = |error: &dyn std::error::Error| ProbeError::Unavailable(error_chain(error));
        let request = request.body(Full::<Bytes>::default()).map_err(|error| failed(&error))?;
        let span = info_span!(target: "trace", "s3", operation = "HeadObject");
        let answer = tokio::time::timeout(TIMEOUT, self.http.send_with_retry(request).instrument(span));
        let answer = answer.await.map_err(|_| ProbeError::TimedOut)?.map_err(|error| failed(&error))?;
        let (parts, _) = answer.into_parts();
        Ok((parts.status, parts.headers))
    }
}

fn refused(status: StatusCode) -> ProbeError {
    match status {
        StatusCode::NOT_FOUND => ProbeError::NotFound,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => ProbeError::Forbidden,
        status => ProbeError::Unavailable(format!("S3 answered {status}")),
    }
}

fn length(value: Option<&HeaderValue>) -> Result<u64, ProbeError> {
    value
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or_else(|| ProbeError::Unavailable("S3 gave no length".to_owned()))
}

/// The length behind the slash of `Content-Range: bytes 0-0/1234`.
fn total(headers: &HeaderMap) -> Result<u64, ProbeError> {
    headers
        .get(header::CONTENT_RANGE)
        .and_then(|value| value.to_str().ok()?.strip_prefix("bytes ")?.rsplit_once('/')?.1.parse().ok())
        .ok_or_else(|| ProbeError::Unavailable("S3 gave no total length".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_stands_behind_the_slash() {
        let with = |value: &'static str| {
            HeaderMap::from_iter([(header::CONTENT_RANGE, HeaderValue::from_static(value))])
        };
        assert_eq!(total(&with("bytes 0-0/1234")), Ok(1234));
        for odd in ["bytes 0-0/*", "bytes 0-0", "items 0-0/3", "bytes 0-0/-1"] {
            assert!(total(&with(odd)).is_err(), "{odd}");
        }
        assert!(total(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_head_keeps_what_describes_the_content_and_nothing_else() {
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
