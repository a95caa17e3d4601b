//! Converts the errors of other crates into problems.

use packages::{
    access::{AccessError, DatasetAccess},
    asset::InvalidAssetPath,
    links::LinkError,
    manifest::SelectError,
};
use restore::OrderError;
use signing::{cloudfront::SignError, s3::PresignedUrlError};
use storage::{HeadError, PresignError};

use super::{Problem, kind::Kind};

impl Problem {
    pub(crate) fn from_order_error<P>(error: OrderError, access: &DatasetAccess<P>) -> Self {
        match error {
            OrderError::DatasetNotFound => Self::no_dataset(access),
            OrderError::Db(error) => error.into(),
        }
    }

    /// A failed probe that the service signed itself. A refusal is our misconfiguration, so the client gets no detail.
    pub(crate) fn from_own_probe(error: HeadError) -> Self {
        match error {
            HeadError::Forbidden => Self::storage("S3 refused a request that this service signed"),
            other => Self::from_probe(other),
        }
    }

    /// A failed probe with the client's own link. A refusal is S3's response to the client.
    pub(crate) fn from_client_probe(error: HeadError) -> Self {
        match error {
            HeadError::Forbidden => Self::forbidden("S3 refused this presigned URL"),
            other => Self::from_probe(other),
        }
    }

    fn from_probe(error: HeadError) -> Self {
        match error {
            HeadError::NotFound => Self::new(Kind::NoSuchObject, "the object does not exist in the storage"),
            HeadError::Forbidden => Self::storage("S3 refused a request"),
            HeadError::Busy(cause) => Self::unavailable(format!("S3 asks to try again: {cause}")),
            HeadError::Unavailable(cause) => Self::storage(cause),
            HeadError::TimedOut => {
                Self::new(Kind::TimedOut, "the storage did not respond in time; try again")
                    .with_cause("S3 did not respond in time")
            }
        }
    }
}

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

impl From<SelectError> for Problem {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::TooMany | SelectError::TooDeep => Self::too_large(error.to_string()),
            SelectError::Database(error) => error.into(),
        }
    }
}

impl From<LinkError> for Problem {
    fn from(error: LinkError) -> Self {
        let kind = match error {
            // Another tenant's package looks the same as a missing one.
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
        Self::internal(format!("signing a CDN link failed: {error}"))
    }
}

impl From<InvalidAssetPath> for Problem {
    fn from(error: InvalidAssetPath) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        Self::forbidden(error.to_string())
    }
}

impl From<PresignedUrlError> for Problem {
    fn from(error: PresignedUrlError) -> Self {
        Self::invalid(format!("invalid presigned URL: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_status() {
        for (problem, status) in [
            (Problem::from(LinkError::PackageNotFound), 404),
            (LinkError::NotLive.into(), 404),
            (LinkError::NoStoredFile.into(), 404),
            (LinkError::FailedScan.into(), 403),
            (LinkError::Database(database::Error::Unreachable("gone".into())).into(), 503),
            (LinkError::Database(database::Error::TimedOut("no answer".to_owned())).into(), 503),
            (AccessError::OtherDataset.into(), 403),
            (Problem::from_own_probe(HeadError::NotFound), 404),
            (Problem::from_own_probe(HeadError::Forbidden), 502),
            (Problem::from_own_probe(HeadError::TimedOut), 504),
            (Problem::from_own_probe(HeadError::Busy("SlowDown".into())), 503),
            (Problem::from_client_probe(HeadError::NotFound), 404),
            (Problem::from_client_probe(HeadError::Forbidden), 403),
            (Problem::from_client_probe(HeadError::Unavailable("503".into())), 502),
            (Problem::from_client_probe(HeadError::TimedOut), 504),
        ] {
            assert_eq!(problem.status().as_u16(), status, "{problem:?}");
        }
    }
}
