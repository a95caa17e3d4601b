//! Refusals in S3's words: AWS, *Error responses*.

use std::io;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::{S3Error, S3ErrorCode, s3_error};

use super::store::Refusal;
use super::version::{Version, VersionId};

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchBucket => s3_error!(NoSuchBucket, "The specified bucket does not exist"),
            Refusal::BucketNotEmpty => {
                s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty")
            }
            Refusal::NoSuchKey(marker) => no_such_key(marker.as_ref()),
            Refusal::NoSuchVersion => s3_error!(NoSuchVersion, "The specified version does not exist."),
            Refusal::IsDeleteMarker(marker) => is_delete_marker(&marker),
            Refusal::PreconditionFailed => precondition_failed(),
            Refusal::Io(error) => broken_store(&error),
        }
    }
}

/// The store's own trouble.
pub(super) fn broken_store(error: &io::Error) -> S3Error {
    if error.kind() == io::ErrorKind::NotFound {
        // The version was removed between the look and the read.
        return no_such_key(None);
    }
    s3_error!(InternalError, "We encountered an internal error. Please try again. ({error})")
}

/// An error whose code the protocol crate does not know.
pub(super) fn named(code: &'static str, status: StatusCode, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

pub(super) fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

pub(crate) fn http_date(seconds: i64) -> Option<HeaderValue> {
    let date = time::OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    let mut text = Vec::new();
    Timestamp::from(date).format(TimestampFormat::HttpDate, &mut text).ok()?;
    HeaderValue::from_bytes(&text).ok()
}

fn no_such_key(marker: Option<&VersionId>) -> S3Error {
    let mut error = s3_error!(NoSuchKey, "The specified key does not exist.");
    if let Some(id) = marker {
        error.set_headers(marker_headers(id));
    }
    error
}

fn is_delete_marker(marker: &Version) -> S3Error {
    let mut headers = marker_headers(&marker.id);
    headers.insert(header::ALLOW, HeaderValue::from_static("DELETE"));
    if let Some(date) = http_date(marker.modified_seconds()) {
        headers.insert(header::LAST_MODIFIED, date);
    }
    let mut error = s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.");
    error.set_headers(headers);
    error
}

fn marker_headers(id: &VersionId) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert("x-amz-version-id", id);
    }
    headers
}
