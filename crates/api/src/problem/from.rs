//! Converts the errors of other crates into problems.

use authorize::db::DatasetsError;
use packages::{
    access::{AccessError, DatasetAccess},
    asset::InvalidAssetPath,
    links::LinkError,
    manifest::SelectError,
};
use restore::OrderError;
use signing::{
    cloudfront::SignError,
    s3::{PresignedUrl, PresignedUrlError},
};
use storage::{DirectoryError, HeadError, PresignError, ProbeError};

use super::{Problem, kind::Kind};
use crate::cursor::invalid_cursor;

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
    pub(crate) fn from_client_probe(error: ProbeError, link: &PresignedUrl) -> Self {
        match error {
            ProbeError::NotFound => Self::from_probe(HeadError::NotFound),
            ProbeError::Archived(_) => Self::new(
                Kind::Archived,
                "the object is archived; it can be read after it was restored in S3",
            ),
            ProbeError::Expired => Self::link_expired(link.expires_at()),
            ProbeError::CredentialsExpired => Self::new(
                Kind::LinkExpired,
                "the credentials that signed this presigned URL have expired; get a new one",
            ),
            ProbeError::OtherRegion(region) => Self::invalid(match region {
                Some(region) => format!("the bucket is in {region}; sign the URL for that region"),
                None => "the bucket is in another region than the one that the URL is signed for".to_owned(),
            }),
            ProbeError::Refused(code) => Self::forbidden(match code {
                Some(code) => format!("S3 refused this presigned URL ({code})"),
                None => "S3 refused this presigned URL".to_owned(),
            }),
            ProbeError::Busy(cause) => {
                Self::new(Kind::Unavailable, "the storage is busy; try again in a few seconds")
                    .with_cause(cause)
            }
            ProbeError::Unanswered(error) => Self::from_probe(error),
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

impl From<DatasetsError> for Problem {
    fn from(error: DatasetsError) -> Self {
        let detail = error.to_string();
        match error {
            DatasetsError::NoAccess => Self::forbidden(detail),
            DatasetsError::Unreadable(_, cause) => {
                Self::new(Kind::Internal, detail).with_cause(cause.to_string())
            }
            DatasetsError::Database(error) => error.into(),
        }
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::InvalidToken => invalid_cursor(),
            DirectoryError::Unavailable(cause) => Self::unavailable(cause),
            DirectoryError::Refused(cause) => Self::storage(cause),
            DirectoryError::TimedOut => Self::from_probe(HeadError::TimedOut),
        }
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
        match error {
            PresignedUrlError::Expired(at) => Self::link_expired(at),
            error => Self::invalid(format!("invalid presigned URL: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use signing::s3::S3Home;

    use super::*;

    /// When the link below expires.
    const NOW: u64 = 1_795_465_800;

    fn from_client_probe(error: ProbeError) -> Problem {
        let url = format!(
            "https://good.s3.us-east-1.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261123\
             %2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261123T193000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&\
             X-Amz-Signature={}",
            "0".repeat(64)
        );
        let home = S3Home::new("us-east-1".parse().unwrap(), None);
        Problem::from_client_probe(error, &PresignedUrl::parse(&url, NOW - 3600, &home).unwrap())
    }

    #[test]
    fn an_expired_link_says_when() {
        for problem in [from_client_probe(ProbeError::Expired), PresignedUrlError::Expired(NOW).into()] {
            assert_eq!(problem.expired_at, Some(NOW));
            assert!(problem.detail.contains("2026-11-23T20:30:00Z"), "{}", problem.detail);
        }
    }

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
            (PresignedUrlError::Expired(NOW).into(), 403),
            (PresignedUrlError::OtherPartition.into(), 400),
            (from_client_probe(ProbeError::NotFound), 404),
            (from_client_probe(ProbeError::Archived(None)), 409),
            (from_client_probe(ProbeError::Expired), 403),
            (from_client_probe(ProbeError::CredentialsExpired), 403),
            (from_client_probe(ProbeError::OtherRegion(None)), 400),
            (from_client_probe(ProbeError::Refused(None)), 403),
            (from_client_probe(ProbeError::Busy("SlowDown".into())), 503),
            (from_client_probe(HeadError::Unavailable("reset".into()).into()), 502),
            (from_client_probe(HeadError::TimedOut.into()), 504),
        ] {
            assert_eq!(problem.status().as_u16(), status, "{problem:?}");
        }
    }
}
