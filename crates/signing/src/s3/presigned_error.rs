//! Reasons to reject a presigned URL.

use std::fmt;

/// Why a presigned URL is rejected. The texts are for the client that sent it, and never repeat any part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresignedUrlError {
    /// Longer than 8,192 bytes.
    TooLong,
    /// Not `https://`.
    NotHttps,
    /// A character that has to be percent-encoded, or a broken escape.
    NotPercentEncoded,
    /// A bare plus sign, which some parsers read as a space and others as a plus sign.
    PlusSign,
    /// The URL has a fragment.
    Fragment,
    /// The URL has a user name or a password.
    UserInfo,
    /// The URL has a port.
    Port,
    /// Not an S3 host.
    NotS3Host,
    /// Not a valid bucket name.
    InvalidBucket,
    /// No key, a key longer than 1,024 bytes, or one that is not UTF-8.
    InvalidKey,
    /// A key with a `.` or `..` segment, which clients resolve before they send the request.
    DotSegment,
    /// A parameter without `=`.
    MalformedQuery,
    /// A parameter is given twice.
    DuplicateParameter,
    /// A parameter that `GetObject` and `HeadObject` do not have.
    UnexpectedParameter,
    /// Signed with Signature Version 2.
    SignatureV2,
    /// A required parameter is missing.
    MissingParameter(&'static str),
    /// The value of a parameter is not valid.
    InvalidParameter(&'static str),
    /// Signed for another region than the host's.
    RegionMismatch,
    /// Dated more than 15 minutes in the future.
    NotYetValid,
    /// Expired.
    Expired,
}

impl fmt::Display for PresignedUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingParameter(name) => {
                return write!(
                    f,
                    "{name} is missing; a URL inside another must be percent-encoded as a whole"
                );
            }
            Self::InvalidParameter(name) => return write!(f, "{name} is not valid"),
            Self::TooLong => "the URL is longer than 8192 bytes",
            Self::NotHttps => "the URL must begin with https://",
            Self::NotPercentEncoded => "the URL has a character that must be percent-encoded",
            Self::PlusSign => "the URL has a plus sign; write %2B, or %20 for a space",
            Self::Fragment => "the URL has a fragment",
            Self::UserInfo => "the URL has a user name or password",
            Self::Port => "the URL has a port",
            Self::NotS3Host => "the host is not an S3 endpoint",
            Self::InvalidBucket => "the bucket's name is not valid",
            Self::InvalidKey => "the key is empty, too long or not UTF-8",
            Self::DotSegment => "the key has a . or .. segment",
            Self::MalformedQuery => "the query is malformed",
            Self::DuplicateParameter => "a query parameter is given twice",
            Self::UnexpectedParameter => "a query parameter is not one for reading an object",
            Self::SignatureV2 => "the URL is signed with Signature Version 2; Version 4 is needed",
            Self::RegionMismatch => "the URL is signed for another region than the host's",
            Self::NotYetValid => "the URL is dated in the future",
            Self::Expired => "the URL has expired",
        })
    }
}

impl std::error::Error for PresignedUrlError {}
