//! Why a presigned URL is refused.

use std::fmt;

/// Why a presigned URL is refused. The texts are for the person who handed it in and never repeat any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPresignedUrl {
    /// Longer than 8,192 bytes.
    TooLong,
    /// Not `https://`.
    NotHttps,
    /// A character that has to be percent-encoded, or a broken escape.
    NotEncoded,
    /// A bare plus sign, which some read as a space and others as itself.
    PlusSign,
    /// A fragment.
    Fragment,
    /// A user name or password.
    UserInfo,
    /// A port.
    Port,
    /// Not a host of S3.
    NotS3,
    /// Not a bucket's name.
    InvalidBucket,
    /// No key, a key longer than 1,024 bytes, or one that is not UTF-8.
    InvalidKey,
    /// A key with a `.` or `..` segment, which a client would resolve before it sends the request.
    DotSegment,
    /// A parameter without a name or without a value's `=`.
    MalformedQuery,
    /// A parameter that is given twice.
    DuplicateParameter,
    /// A parameter that reading an object does not take.
    UnexpectedParameter,
    /// Signed with the old Signature Version 2.
    SignatureV2,
    /// This parameter is missing.
    Missing(&'static str),
    /// This parameter's value is wrong.
    Invalid(&'static str),
    /// Signed for another region than the host's.
    OtherRegion,
    /// Dated more than 15 minutes ahead.
    NotYetValid,
    /// Expired.
    Expired,
}

impl fmt::Display for InvalidPresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing(name) => {
                return write!(
                    f,
                    "{name} is missing; a URL inside another must be percent-encoded as a whole"
                );
            }
            Self::Invalid(name) => return write!(f, "{name} is not valid"),
            Self::TooLong => "the URL is longer than 8192 bytes",
            Self::NotHttps => "the URL must begin with https://",
            Self::NotEncoded => "the URL has a character that must be percent-encoded",
            Self::PlusSign => "the URL has a plus sign; write %2B, or %20 for a space",
            Self::Fragment => "the URL has a fragment",
            Self::UserInfo => "the URL has a user name or password",
            Self::Port => "the URL has a port",
            Self::NotS3 => "the host is not an S3 endpoint",
            Self::InvalidBucket => "the bucket's name is not valid",
            Self::InvalidKey => "the key is empty, too long or not UTF-8",
            Self::DotSegment => "the key has a . or .. segment",
            Self::MalformedQuery => "the query is malformed",
            Self::DuplicateParameter => "a query parameter is given twice",
            Self::UnexpectedParameter => "a query parameter is not one for reading an object",
            Self::SignatureV2 => "the URL is signed with Signature Version 2; Version 4 is needed",
            Self::OtherRegion => "the URL is signed for another region than the host's",
            Self::NotYetValid => "the URL is dated in the future",
            Self::Expired => "the URL has expired",
        })
    }
}

impl std::error::Error for InvalidPresignedUrl {}
