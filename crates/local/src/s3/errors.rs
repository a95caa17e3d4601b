//! The errors of the store, and their format in S3's API: AWS, *Error responses*.

use std::io;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::{S3Error, S3ErrorCode, s3_error};

use super::version::{Version, VersionId};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the bucket does not exist")]
    NoSuchBucket,
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    /// The key has no version, or this delete marker hides it.
    #[error("the key does not exist")]
    NoSuchKey(Option<VersionId>),
    #[error("the version does not exist")]
    NoSuchVersion,
    /// The requested version is a delete marker.
    #[error("the version is a delete marker")]
    IsDeleteMarker(Arc<Version>),
    #[error("a precondition failed")]
    PreconditionFailed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(error) => error,
            StoreError::NoSuchBucket => Self::new(io::ErrorKind::NotFound, error),
            other => Self::other(other),
        }
    }
}

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchBucket => s3_error!(NoSuchBucket, "The specified bucket does not exist"),
            StoreError::BucketNotEmpty => {
                s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty")
            }
            StoreError::NoSuchKey(marker) => no_such_key(marker.as_ref()),
            StoreError::NoSuchVersion => s3_error!(NoSuchVersion, "The specified version does not exist."),
            StoreError::IsDeleteMarker(marker) => method_not_allowed(&marker),
            StoreError::PreconditionFailed => precondition_failed(),
            StoreError::Io(error) => internal_error(&error),
        }
    }
}

/// An error of the file system.
pub(super) fn internal_error(error: &io::Error) -> S3Error {
    if error.kind() == io::ErrorKind::NotFound {
        // The version was removed between the look-up and the read.
        return no_such_key(None);
    }
    s3_error!(InternalError, "We encountered an internal error. Please try again. ({error})")
}

/// An error whose code the protocol crate does not know.
pub(super) fn custom_error(code: &'static str, status: StatusCode, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

pub(super) fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

pub(crate) fn format_http_date(seconds: i64) -> Option<HeaderValue> {
    let date = time::OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    let mut text = Vec::new();
    Timestamp::from(date).format(TimestampFormat::HttpDate, &mut text).ok()?;
    HeaderValue::from_bytes(&text).ok()
}

/// For a key without a version id, S3 answers 404. If a delete marker hides the key, the headers name it: AWS, *Working
/// with delete markers*.
fn no_such_key(marker: Option<&VersionId>) -> S3Error {
    let mut error = s3_error!(NoSuchKey, "The specified key does not exist.");
    if let Some(id) = marker {
        error.set_headers(delete_marker_headers(id));
    }
    error
}

/// For the version id of a delete marker, S3 answers 405, because such a version can only be deleted.
fn method_not_allowed(marker: &Version) -> S3Error {
    let mut headers = delete_marker_headers(&marker.id);
    // RFC 9110, section 15.5.6: a 405 lists the allowed methods.
    headers.insert(header::ALLOW, HeaderValue::from_static("DELETE"));
    if let Some(date) = format_http_date(marker.modified_seconds()) {
        headers.insert(header::LAST_MODIFIED, date);
    }
    let mut error = s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.");
    error.set_headers(headers);
    error
}

fn delete_marker_headers(id: &VersionId) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Headers of an error replace those of the protocol crate, so the type is repeated.
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert("x-amz-version-id", id);
    }
    headers
}
