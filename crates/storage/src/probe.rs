//! An object's metadata, requested with a client's presigned link. Only S3 checks the link's signature.
//!
//! The link is signed for `GET`, and a signature covers the method, so the service sends a `GET` that costs no download.

use aws::find_xml_element;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use signing::s3::{PresignedUrl, Region};

use crate::{
    HeadError, ObjectHead, ObjectStore,
    error_body::{find_code, is_code, read_error_body},
    head::{parse_digits, parse_length},
    s3_error::S3Error,
};

/// What a link opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkHead {
    /// The object's metadata. With `part`, its length is that of the part.
    pub head: ObjectHead,
    /// The `Content-Range` of a link with `partNumber`.
    pub part: Option<HeaderValue>,
}

/// Why a link opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The object, the version or the bucket does not exist, or the version is a delete marker.
    #[error("the object does not exist")]
    NotFound,
    /// The object must be restored from an archive first. S3 may tell its storage class.
    #[error("the object is archived")]
    Archived(Option<HeaderValue>),
    /// The link has expired.
    #[error("the link has expired")]
    Expired,
    /// The credentials that signed the link have expired.
    #[error("the credentials of the link have expired")]
    CredentialsExpired,
    /// The bucket is in another region than the link names. S3 may tell which. The link's signature covers its own, so that
    /// the request cannot be repeated there.
    #[error("the bucket is in another region")]
    OtherRegion(Option<Region>),
    /// S3 refuses for good, perhaps with this code.
    #[error("S3 refuses the link ({0:?})")]
    Refused(Option<String>),
    /// S3 is busy or has failed: another attempt may succeed. The text is for the log.
    #[error("{0}")]
    Busy(String),
    /// There is no answer to judge.
    #[error(transparent)]
    Unanswered(#[from] HeadError),
}

impl ObjectStore {
    /// Loads the metadata of what a client's link opens. It sends one byte's `Range`, and reads the object's size from
    /// `Content-Range` (RFC 9110, section 14.4).
    pub async fn head_presigned(&self, link: &PresignedUrl) -> Result<LinkHead, ProbeError> {
        // S3 refuses `Range` together with `partNumber` (Amazon S3 API Reference, `GetObject`).
        if link.has_part_number() {
            return self.head_unread(link).await;
        }
        let range = HeaderValue::from_static("bytes=0-0");
        let response = self.send_request(http::Method::GET, link.location(), Some(range)).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let length = parse_total(response.headers())?;
                Ok(LinkHead { head: ObjectHead::new(length, response.headers()), part: None })
            }
            StatusCode::OK => whole_head(response.headers(), None),
            // An empty object has no first byte, and the refusal has none of its headers.
            StatusCode::RANGE_NOT_SATISFIABLE => self.head_unread(link).await,
            _ => Err(read_error(response).await),
        }
    }

    /// Sends the `GET` without `Range`. The body is dropped unread, which closes the connection: nothing is downloaded beyond
    /// what S3 has sent already.
    async fn head_unread(&self, link: &PresignedUrl) -> Result<LinkHead, ProbeError> {
        let response = self.send_request(http::Method::GET, link.location(), None).await?;
        let headers = response.headers();
        match response.status() {
            StatusCode::PARTIAL_CONTENT => whole_head(headers, headers.get(header::CONTENT_RANGE).cloned()),
            StatusCode::OK => whole_head(headers, None),
            _ => Err(read_error(response).await),
        }
    }
}

fn whole_head(headers: &HeaderMap, part: Option<HeaderValue>) -> Result<LinkHead, ProbeError> {
    let length = parse_length(headers.get(header::CONTENT_LENGTH))?;
    Ok(LinkHead { head: ObjectHead::new(length, headers), part })
}

/// The number after the slash of `Content-Range: bytes 0-0/1234`.
fn parse_total(headers: &HeaderMap) -> Result<u64, HeadError> {
    headers
        .get(header::CONTENT_RANGE)
        .and_then(|value| parse_digits(value.to_str().ok()?.strip_prefix("bytes ")?.rsplit_once('/')?.1))
        .ok_or_else(|| HeadError::Unavailable("S3 sent no total length in Content-Range".to_owned()))
}

async fn read_error(response: Response<Incoming>) -> ProbeError {
    let (head, body) = response.into_parts();
    judge(head.status, &head.headers, &read_error_body(body).await)
}

/// Judges a refusal by S3's code (*Amazon S3 API Reference*, "Error responses").
fn judge(status: StatusCode, headers: &HeaderMap, xml: &str) -> ProbeError {
    let message = find_xml_element(xml, "Message").unwrap_or_default();
    let Some(code) = find_code(xml) else { return judge_status(status, headers) };
    match code.as_str() {
        "NoSuchKey" | "NoSuchVersion" | "NoSuchBucket" => ProbeError::NotFound,
        // The version is a delete marker ("Working with delete markers").
        "MethodNotAllowed" if headers.contains_key("x-amz-delete-marker") => ProbeError::NotFound,
        "InvalidObjectState" => {
            let class = find_xml_element(xml, "StorageClass").filter(|class| is_code(class));
            ProbeError::Archived(class.and_then(|class| HeaderValue::from_str(class).ok()))
        }
        "AccessDenied" if message.starts_with("Request has expired") => ProbeError::Expired,
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => ProbeError::CredentialsExpired,
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => ProbeError::OtherRegion(find_region(headers, xml)),
        // This code has other causes, too.
        "AuthorizationQueryParametersError" if message.contains("; the region ") => {
            ProbeError::OtherRegion(find_region(headers, xml))
        }
        // Of a link: nobody signs it anew.
        "RequestTimeTooSkewed" => ProbeError::Refused(Some(code)),
        code if S3Error::from_code("probing a link", Some(code)).is_transient() => {
            ProbeError::Busy(format!("S3 answered {code}"))
        }
        code if status.is_client_error() => ProbeError::Refused(Some(code.to_owned())),
        code => HeadError::Unavailable(format!("S3 answered {status} ({code})")).into(),
    }
}

/// Judges a refusal without a code: one that another program sent in S3's place.
fn judge_status(status: StatusCode, headers: &HeaderMap) -> ProbeError {
    match status {
        StatusCode::NOT_FOUND => ProbeError::NotFound,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => {
            ProbeError::Refused(None)
        }
        StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT => {
            ProbeError::OtherRegion(find_region(headers, ""))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            ProbeError::Busy(format!("S3 answered {status}"))
        }
        status => HeadError::Unavailable(format!("S3 answered {status}")).into(),
    }
}

fn find_region(headers: &HeaderMap, xml: &str) -> Option<Region> {
    let named = headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
    Region::new(named.or_else(|| find_xml_element(xml, "Region"))?).ok()
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
        for odd in ["bytes 0-0/*", "bytes 0-0", "items 0-0/3", "bytes 0-0/-1", "bytes 0-0/+1", "bytes 0-0/"] {
            assert!(parse_total(&with(odd)).is_err(), "{odd}");
        }
        assert!(parse_total(&HeaderMap::new()).is_err());
    }
}
