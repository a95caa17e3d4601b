//! Which problem an error of the domain is.

use packages::{access::Refusal, asset::InvalidAssetPath, db, links::NoLink, objects::PresignError};
use signing::{cloudfront::SignError, s3::PresignedUrlError};

use super::{Kind, Problem};

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        match &error {
            db::Error::Unreachable(_) | db::Error::TimedOut(_) => Self::unavailable(error.to_string()),
            db::Error::Refused(_) | db::Error::Misconfigured(_) => Self::internal(error.to_string()),
        }
    }
}

impl From<NoLink> for Problem {
    fn from(error: NoLink) -> Self {
        let kind = match error {
            NoLink::NoPackage | NoLink::NotLive | NoLink::NoFile => Kind::NoSuchPackage,
            NoLink::Unsafe => Kind::UnsafeFile,
            NoLink::Db(error) => return error.into(),
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

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::forbidden(refusal.to_string())
    }
}

impl From<PresignedUrlError> for Problem {
    fn from(error: PresignedUrlError) -> Self {
        Self::invalid(format!("invalid presigned URL: {error}"))
    }
}
