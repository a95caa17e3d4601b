//! Reasons to reject a presigned URL.

/// Why a presigned URL is rejected. The texts are for the client that sent it, and never repeat any part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresignedUrlError {
    /// Longer than 8,192 bytes.
    #[error("the URL is longer than 8192 bytes")]
    TooLong,
    /// Not `https://`.
    #[error("the URL must begin with https://")]
    NotHttps,
    /// A character that has to be percent-encoded, or a broken escape.
    #[error("the URL has a character that must be percent-encoded")]
    NotPercentEncoded,
    /// A bare plus sign, which some parsers read as a space and others as a plus sign.
    #[error("the URL has a plus sign; write %2B, or %20 for a space")]
    PlusSign,
    /// The URL has a fragment.
    #[error("the URL has a fragment")]
    Fragment,
    /// The URL has a user name or a password.
    #[error("the URL has a user name or password")]
    UserInfo,
    /// The URL has a port.
    #[error("the URL has a port")]
    Port,
    /// Not an S3 host.
    #[error("the host is not an S3 endpoint")]
    NotS3Host,
    /// Not a valid bucket name.
    #[error("the bucket's name is not valid")]
    InvalidBucket,
    /// No key, a key longer than 1,024 bytes, or one that is not UTF-8.
    #[error("the key is empty, too long or not UTF-8")]
    InvalidKey,
    /// A key with a `.` or `..` segment, which clients resolve before they send the request.
    #[error("the key has a . or .. segment")]
    DotSegment,
    /// A parameter without `=`.
    #[error("the query is malformed")]
    MalformedQuery,
    /// A parameter is given twice.
    #[error("a query parameter is given twice")]
    DuplicateParameter,
    /// A parameter that makes the request another operation than reading an object.
    #[error("a query parameter is not one for reading an object")]
    UnexpectedParameter,
    /// Signed with Signature Version 2.
    #[error("the URL is signed with Signature Version 2; Version 4 is needed")]
    SignatureV2,
    /// A required parameter is missing.
    #[error("{0} is missing; a URL inside another must be percent-encoded as a whole")]
    MissingParameter(&'static str),
    /// The value of a parameter is not valid.
    #[error("{0} is not valid")]
    InvalidParameter(&'static str),
    /// Signed for another region than the host's.
    #[error("the URL is signed for another region than the host's")]
    RegionMismatch,
    /// In another partition of AWS, or in a region that the partition does not have.
    #[error("the URL is for a region where this service has no buckets")]
    OtherPartition,
    /// In another region than the bucket.
    #[error("the URL is for another region than the bucket's")]
    OtherRegion,
    /// Dated more than 15 minutes in the future.
    #[error("the URL is dated in the future")]
    NotYetValid,
    /// Expired, at this time in Unix seconds.
    #[error("the URL has expired")]
    Expired(u64),
}
