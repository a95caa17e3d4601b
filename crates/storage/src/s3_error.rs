//! Errors of S3, sorted by what another attempt does.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::bucket_region::BUCKET_REGION_HEADER;
use aws::{error_chain, find_xml_element};

/// Why a request to S3 failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum S3Error {
    /// S3 refuses. The reason is for the package's owner.
    #[error("{0}")]
    Refused(String),
    /// Another attempt may succeed.
    #[error("{0}")]
    Unavailable(String),
    /// The bucket is in another region than the request. S3 may have said which.
    #[error("the bucket of its stored file is in another region")]
    OtherRegion(Option<String>),
}

impl S3Error {
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The region that S3 said the bucket is in.
    pub(super) fn said_region(&self) -> Option<&str> {
        match self {
            Self::OtherRegion(region) => region.as_deref(),
            Self::Refused(_) | Self::Unavailable(_) => None,
        }
    }

    /// Reads S3's error code (Amazon S3 API Reference, "Error responses"). An unknown code is a refusal: few codes are
    /// transient. `action` completes "S3 did not answer while …".
    pub(super) fn from_code(action: &str, code: Option<&str>) -> Self {
        let Some(code) = code else { return Self::Unavailable(format!("S3 did not answer while {action}")) };
        match code {
            "InternalError"
            | "SlowDown"
            | "ServiceUnavailable"
            | "RequestTimeout"
            | "OperationAborted"
            | "RequestTimeTooSkewed"
            | "ExpiredToken"
            | "Throttling"
            | "ThrottlingException"
            | "RequestThrottled"
            | "BandwidthLimitExceeded" => {
                Self::Unavailable(format!("S3 did not answer while {action} ({code})"))
            }
            "NoSuchBucket" => Self::Refused("the bucket of its stored file no longer exists".to_owned()),
            "InvalidBucketName" => Self::Refused("the bucket name of its stored file is invalid".to_owned()),
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => {
                Self::Refused(format!("S3 denied access to its stored file while {action} ({code})"))
            }
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                Self::OtherRegion(None)
            }
            code => Self::Refused(format!("S3 refused its stored file while {action} ({code})")),
        }
    }
}

/// Reads an error of the SDK by S3's code, where there is one. Otherwise a request that could not be built is refused,
/// and a request without an answer is transient.
pub(super) fn from_sdk_error<E>(action: &str, error: &SdkError<E>) -> S3Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    // Not the request: its headers have the session token.
    tracing::warn!(action, code = error.code(), error = error_chain(error), "a request to S3 failed");
    match from_code_or_status(action, error) {
        S3Error::OtherRegion(_) => S3Error::OtherRegion(find_region(error)),
        error => error,
    }
}

/// The region that S3 says with a refusal: in a header, or in the body of `AuthorizationHeaderMalformed` (Amazon S3 API
/// Reference, "Error responses").
fn find_region<E>(error: &SdkError<E>) -> Option<String> {
    let response = error.raw_response()?;
    let in_body = || {
        let body = std::str::from_utf8(response.body().bytes()?).ok()?;
        find_xml_element(body, "Region")
    };
    response.headers().get(BUCKET_REGION_HEADER).or_else(in_body).map(str::to_owned)
}

fn from_code_or_status<E>(action: &str, error: &SdkError<E>) -> S3Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if error.code().is_some() {
        return S3Error::from_code(action, error.code());
    }
    match error {
        SdkError::ConstructionFailure(_) => {
            S3Error::Refused("the bucket or key of its stored file is invalid".to_owned())
        }
        _ => match error.raw_response().map(|response| response.status().as_u16()) {
            // The answer to a HEAD, or of a proxy before S3, has no code.
            Some(301 | 307) => S3Error::from_code(action, Some("PermanentRedirect")),
            Some(403) => S3Error::from_code(action, Some("AccessDenied")),
            Some(404) => S3Error::from_code(action, Some("NoSuchBucket")),
            Some(status @ 400..500) if status != 408 && status != 429 => {
                S3Error::Refused(format!("S3 refused its stored file while {action} (status {status})"))
            }
            _ => S3Error::from_code(action, None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_say_whether_another_attempt_may_help() {
        for (code, is_transient, reason) in [
            (None, true, "S3 did not answer while listing"),
            (Some("SlowDown"), true, "S3 did not answer while listing (SlowDown)"),
            (Some("NoSuchBucket"), false, "the bucket of its stored file no longer exists"),
            (Some("AccessDenied"), false, "S3 denied access to its stored file while listing (AccessDenied)"),
            (Some("Other"), false, "S3 refused its stored file while listing (Other)"),
            (Some("InternalError"), true, "S3 did not answer while listing (InternalError)"),
            (
                Some("InvalidObjectState"),
                false,
                "S3 refused its stored file while listing (InvalidObjectState)",
            ),
            (Some("MethodNotAllowed"), false, "S3 refused its stored file while listing (MethodNotAllowed)"),
            (Some("PermanentRedirect"), false, "the bucket of its stored file is in another region"),
        ] {
            let error = S3Error::from_code("listing", code);
            assert_eq!((error.is_transient(), error.to_string().as_str()), (is_transient, reason));
        }
    }
}
