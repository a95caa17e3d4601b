//! Which problem an error of the domain is.

use packages::{access::AccessError, asset::InvalidAssetPath, links::LinkError};
use signing::{cloudfront::SignError, s3::InvalidPresignedUrl};
use storage::PresignError;

use super::{Kind, Problem};

impl From<database::Error> for Problem {
    fn from(error: database::Error) -> Self {
        match &error {
            database::Error::Unreachable(_) | database::Error::TimedOut(_) => {
                Self::unavailable(error.to_string())
            }
            database::Error::Refused(_) | database::Error::Misconfigured(_) => {
                Self::internal(error.to_string())
            }
        }
    }
}

impl From<LinkError> for Problem {
    fn from(error: LinkError) -> Self {
        let kind = match error {
            LinkError::PackageNotFound | LinkError::NotLive | LinkError::NoStoredFile => Kind::NoSuchPackage,
            LinkError::FailedScan => Kind::UnsafeFile,
            LinkError::Database(error) => return error.into(),
        };
        Self::new(kind, error.to_string())
    }
}

impl From<PresignError> for Problem {
    fn from(error: PresignError) -> Self {
        match &error {
            PresignError::Credentials(_) => Self::unavailable(error.to_string()),
            PresignError::Location(_) => Self::internal(error.to_string()),
        }
    }
}

impl From<SignError> for Problem {
    fn from(error: SignError) -> Self {
        Self::internal(format!("a CDN link could not be signed: {error}"))
    }
}

impl From<InvalidAssetPath> for Problem {
    fn from(error: InvalidAssetPath) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<AccessError> for Problem {
    fn from(refusal: AccessError) -> Self {
        Self::forbidden(refusal.to_string())
    }
}

impl From<InvalidPresignedUrl> for Problem {
    fn from(error: InvalidPresignedUrl) -> Self {
        Self::invalid(format!("invalid presigned URL: {error}"))
    }
}
