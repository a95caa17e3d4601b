//! The kinds of problems: their statuses, names and titles.

use http::StatusCode;

/// What is wrong, by the reaction it asks of a client. The names are part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    InvalidRequest,
    Unauthorized,
    Forbidden,
    UnsafeFile,
    LinkExpired,
    NoSuchRoute,
    NoSuchDataset,
    NoSuchPackage,
    NoSuchObject,
    MethodNotAllowed,
    BodyTimeout,
    Archived,
    PreconditionFailed,
    TooLarge,
    RangeNotSatisfiable,
    Internal,
    Storage,
    Unavailable,
    TimedOut,
}

impl Kind {
    /// All kinds, ordered by status.
    pub(super) const ALL: [Self; Self::TimedOut as usize + 1] = [
        Self::InvalidRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::UnsafeFile,
        Self::LinkExpired,
        Self::NoSuchRoute,
        Self::NoSuchDataset,
        Self::NoSuchPackage,
        Self::NoSuchObject,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::Archived,
        Self::PreconditionFailed,
        Self::TooLarge,
        Self::RangeNotSatisfiable,
        Self::Internal,
        Self::Storage,
        Self::Unavailable,
        Self::TimedOut,
    ];

    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::UnsafeFile | Self::LinkExpired => StatusCode::FORBIDDEN,
            Self::NoSuchRoute | Self::NoSuchDataset | Self::NoSuchPackage | Self::NoSuchObject => {
                StatusCode::NOT_FOUND
            }
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Archived => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Storage => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The last part of the problem's type.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid-request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::UnsafeFile => "unsafe-file",
            Self::LinkExpired => "link-expired",
            Self::NoSuchRoute => "no-such-route",
            Self::NoSuchDataset => "no-such-dataset",
            Self::NoSuchPackage => "no-such-package",
            Self::NoSuchObject => "no-such-object",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::BodyTimeout => "body-timeout",
            Self::Archived => "archived",
            Self::PreconditionFailed => "precondition-failed",
            Self::TooLarge => "too-large",
            Self::RangeNotSatisfiable => "range-not-satisfiable",
            Self::Internal => "internal",
            Self::Storage => "storage",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed-out",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request is not valid",
            Self::Unauthorized => "Authentication is required",
            Self::Forbidden => "You may not do this",
            Self::UnsafeFile => "The file is not safe",
            Self::LinkExpired => "The link has expired",
            Self::NoSuchRoute => "The route was not found",
            Self::NoSuchDataset => "The dataset was not found",
            Self::NoSuchPackage => "The package was not found",
            Self::NoSuchObject => "The object was not found",
            Self::MethodNotAllowed => "The method is not allowed",
            Self::BodyTimeout => "The request body timed out",
            Self::Archived => "The object is archived",
            Self::PreconditionFailed => "A precondition failed",
            Self::TooLarge => "The request is too large",
            Self::RangeNotSatisfiable => "The range is not satisfiable",
            Self::Internal => "Internal error",
            Self::Storage => "The storage failed",
            Self::Unavailable => "The service is unavailable",
            Self::TimedOut => "The request timed out",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_kind_once() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
