//! An object's metadata, requested with a client's presigned link. Only S3 checks the link's signature.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::{
    HeadError, ObjectHead, ObjectStore,
    head::{parse_length, status_error},
};

impl ObjectStore {
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
}
