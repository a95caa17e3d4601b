//! The query of a presigned URL that reads an object: a complete signature, and nothing that makes it another operation.

use std::borrow::Cow;

use super::date::AmzDate;
use super::names::Region;
use super::presigned_error::PresignedUrlError;
use super::query_names::changes_operation;
use super::sigv4::ALGORITHM;
use super::{MAX_EXPIRES_SECONDS, ParseRegionError};
use crate::percent;

const SIGNATURE: &str = "X-Amz-Signature";
const CREDENTIAL: &str = "X-Amz-Credential";
const DATE: &str = "X-Amz-Date";
const EXPIRES: &str = "X-Amz-Expires";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
const CONTENT_HASH: &str = "X-Amz-Content-Sha256";

/// The parameters of the signature, which are spelled exactly so.
const SIGNATURE_PARAMETERS: [&str; 7] =
    ["X-Amz-Algorithm", CREDENTIAL, DATE, EXPIRES, SIGNED_HEADERS, SIGNATURE, "X-Amz-Security-Token"];

/// Parameters of the read that are spelled exactly so.
const READ_PARAMETERS: [&str; 3] = ["versionId", "partNumber", "x-id"];

/// Parameters of Signature Version 2, which S3 supports only for old buckets.
const SIGV2_PARAMETERS: [&str; 2] = ["AWSAccessKeyId", "Signature"];

/// A query that reads an object, in which every parameter is given once and those that are known are valid.
pub(super) struct PresignedQuery<'a> {
    /// Decoded names and values, in the order of the URL.
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> PresignedQuery<'a> {
    pub(super) fn parse(query: &'a str) -> Result<Self, PresignedUrlError> {
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(8);
        // The rebuilt query keeps this order: botocore's is not canonical, and S3 sorts before it verifies.
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').ok_or(PresignedUrlError::MalformedQuery)?;
            let name = percent::decode_utf8(name).ok_or(PresignedUrlError::NotPercentEncoded)?;
            let value = percent::decode_utf8(value).ok_or(PresignedUrlError::NotPercentEncoded)?;
            // Also in another case: S3 takes `X-Amz-Request-Payer` in either.
            if pairs.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                return Err(PresignedUrlError::DuplicateParameter);
            }
            check_parameter(&name, &value)?;
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Whether the signature covers the header `host` and no other one.
    pub(super) fn signs_only_host(&self) -> bool {
        self.get(SIGNED_HEADERS) == Some("host")
    }

    fn require(&self, name: &'static str) -> Result<&str, PresignedUrlError> {
        self.get(name).ok_or(PresignedUrlError::MissingParameter(name))
    }

    /// The claims of a complete signature.
    pub(super) fn signature_claims(&self) -> Result<SignatureClaims, PresignedUrlError> {
        for name in ["X-Amz-Algorithm", SIGNED_HEADERS, SIGNATURE] {
            self.require(name)?;
        }
        let date = AmzDate::parse(self.require(DATE)?).ok_or(PresignedUrlError::InvalidParameter(DATE))?;
        let lifetime =
            parse_expires(self.require(EXPIRES)?).ok_or(PresignedUrlError::InvalidParameter(EXPIRES))?;
        let region = parse_scope_region(self.require(CREDENTIAL)?, date.day());
        let region = region.ok_or(PresignedUrlError::InvalidParameter(CREDENTIAL))?;
        Ok(SignatureClaims { region, signed_at: date.unix(), expires_at: date.unix() + u64::from(lifetime) })
    }

    /// Appends the query in its original order, encoded canonically.
    pub(super) fn write_to(&self, url: &mut String) {
        let mut separator = '?';
        for (name, value) in &self.pairs {
            url.push(separator);
            percent::encode_into(url, name, percent::EncodeSet::Component);
            url.push('=');
            percent::encode_into(url, value, percent::EncodeSet::Component);
            separator = '&';
        }
    }
}

/// The unverified claims of a signature: only S3 can verify it.
pub(super) struct SignatureClaims {
    pub(super) region: Region,
    pub(super) signed_at: u64,
    pub(super) expires_at: u64,
}

/// Checks one parameter by itself.
///
/// Unknown names pass: S3 checks that the signature covers them, and ignores them.
fn check_parameter(name: &str, value: &str) -> Result<(), PresignedUrlError> {
    let (name, valid) = match name {
        "X-Amz-Algorithm" => ("X-Amz-Algorithm", value == ALGORITHM),
        EXPIRES => (EXPIRES, parse_expires(value).is_some()),
        SIGNED_HEADERS => (SIGNED_HEADERS, is_signed_headers(value)),
        SIGNATURE => (SIGNATURE, value.len() == 64 && value.bytes().all(is_lower_hex)),
        "x-id" => ("x-id", value == "GetObject"),
        "partNumber" => ("partNumber", is_part_number(value)),
        name if name.eq_ignore_ascii_case(CONTENT_HASH) => (CONTENT_HASH, value == "UNSIGNED-PAYLOAD"),
        name if SIGV2_PARAMETERS.contains(&name) => return Err(PresignedUrlError::SignatureV2),
        name if changes_operation(name) || is_misspelled(name) => {
            return Err(PresignedUrlError::UnexpectedParameter);
        }
        // Among them date and credential, which `signature_claims` checks together.
        _ => return Ok(()),
    };
    if valid { Ok(()) } else { Err(PresignedUrlError::InvalidParameter(name)) }
}

/// Whether a name differs only in its case from one that has a meaning here: another program may take it for that one.
fn is_misspelled(name: &str) -> bool {
    let mut exact = SIGNATURE_PARAMETERS.iter().chain(&SIGV2_PARAMETERS).chain(&READ_PARAMETERS);
    exact.any(|known| known.eq_ignore_ascii_case(name) && *known != name)
}

/// A number from 1 to 10,000, without a sign or leading zeros.
fn is_part_number(value: &str) -> bool {
    value.parse().is_ok_and(|part: u16| (1..=10_000).contains(&part) && part.to_string() == value)
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Parses a lifetime in seconds, without sign or leading zeros.
fn parse_expires(value: &str) -> Option<u32> {
    let seconds: u32 = value.parse().ok()?;
    ((1..=MAX_EXPIRES_SECONDS).contains(&seconds) && seconds.to_string() == value).then_some(seconds)
}

/// Whether `value` is a list of lower-case header names, separated by semicolons, with `host` among them. A link that
/// does not sign `host` would be valid for any host.
fn is_signed_headers(value: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    value.split(';').all(is_name) && value.split(';').any(|name| name == "host")
}

/// Parses the region in `{access key id}/{day}/{region}/s3/aws4_request`.
fn parse_scope_region(credential: &str, day: &str) -> Option<Region> {
    let mut parts = credential.split('/');
    let id = parts.next()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    // The scope's day must be the day of `X-Amz-Date`, otherwise S3 derives another signing key.
    let is_well_formed =
        (1..=128).contains(&id.len()) && id.bytes().all(is_plain) && parts.next() == Some(day);
    let region: Result<Region, ParseRegionError> = Region::new(parts.next()?);
    let is_complete = parts.eq(["s3", "aws4_request"]);
    region.ok().filter(|_| is_well_formed && is_complete)
}
