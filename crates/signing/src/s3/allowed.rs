//! The query of a presigned URL that reads an object: which parameters there are and what they may hold.

use super::date::AmzDate;
use super::invalid::InvalidPresignedUrl;
use super::names::Region;
use super::sigv4::ALGORITHM;
use super::{InvalidRegion, LONGEST_LIFE};
use crate::percent;

const SIGNATURE: &str = "X-Amz-Signature";
const CREDENTIAL: &str = "X-Amz-Credential";
const DATE: &str = "X-Amz-Date";
const EXPIRES: &str = "X-Amz-Expires";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";

/// Parameters of `GetObject` and `HeadObject` that may hold anything, and the token of temporary credentials.
const FREE: [&str; 8] = [
    "X-Amz-Security-Token",
    "versionId",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];

/// Parameters of the old signature, which S3 keeps only for old buckets.
const VERSION_2: [&str; 2] = ["AWSAccessKeyId", "Signature"];

/// A query in which every parameter is known, is given once and holds what it may.
pub(super) struct Query {
    /// Decoded names and values, in the order in which they were given.
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, InvalidPresignedUrl> {
        let mut pairs: Vec<(String, String)> = Vec::with_capacity(8);
        for piece in query.split('&') {
            let (name, value) = piece.split_once('=').ok_or(InvalidPresignedUrl::MalformedQuery)?;
            let name = percent::decode(name).ok_or(InvalidPresignedUrl::NotEncoded)?;
            let value = percent::decode(value).ok_or(InvalidPresignedUrl::NotEncoded)?;
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(InvalidPresignedUrl::DuplicateParameter);
            }
            check(&name, &value)?;
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn require(&self, name: &'static str) -> Result<&str, InvalidPresignedUrl> {
        self.get(name).ok_or(InvalidPresignedUrl::Missing(name))
    }

    /// What the complete signature says.
    pub(super) fn signature(&self) -> Result<Signature, InvalidPresignedUrl> {
        for name in ["X-Amz-Algorithm", SIGNED_HEADERS, SIGNATURE] {
            self.require(name)?;
        }
        let date = AmzDate::parse(self.require(DATE)?).ok_or(InvalidPresignedUrl::Invalid(DATE))?;
        let life = life(self.require(EXPIRES)?).ok_or(InvalidPresignedUrl::Invalid(EXPIRES))?;
        let region = scope_region(self.require(CREDENTIAL)?, date.day());
        let region = region.ok_or(InvalidPresignedUrl::Invalid(CREDENTIAL))?;
        Ok(Signature { region, signed_at: date.unix(), expires_at: date.unix() + u64::from(life) })
    }

    /// Appends the query in its own order, encoded canonically.
    pub(super) fn push_to(&self, url: &mut String) {
        let mut separator = '?';
        for (name, value) in &self.pairs {
            url.push(separator);
            percent::encode_into(url, name, percent::Keep::Nothing);
            url.push('=');
            percent::encode_into(url, value, percent::Keep::Nothing);
            separator = '&';
        }
    }
}

/// What a signature says about itself.
pub(super) struct Signature {
    pub(super) region: Region,
    pub(super) signed_at: u64,
    pub(super) expires_at: u64,
}

/// Checks what can be checked without the other parameters.
fn check(name: &str, value: &str) -> Result<(), InvalidPresignedUrl> {
    let (name, valid) = match name {
        "X-Amz-Algorithm" => ("X-Amz-Algorithm", value == ALGORITHM),
        // Checked together with the date.
        CREDENTIAL => (CREDENTIAL, true),
        DATE => (DATE, true),
        EXPIRES => (EXPIRES, life(value).is_some()),
        SIGNED_HEADERS => (SIGNED_HEADERS, are_signed_headers(value)),
        SIGNATURE => (SIGNATURE, value.len() == 64 && value.bytes().all(is_hex)),
        "X-Amz-Content-Sha256" => ("X-Amz-Content-Sha256", value == "UNSIGNED-PAYLOAD"),
        "x-amz-checksum-mode" => ("x-amz-checksum-mode", value == "ENABLED"),
        "x-id" => ("x-id", matches!(value, "GetObject" | "HeadObject")),
        "partNumber" => ("partNumber", value.parse().is_ok_and(|part: u16| (1..=10_000).contains(&part))),
        name if FREE.contains(&name) => return Ok(()),
        name if VERSION_2.contains(&name) => return Err(InvalidPresignedUrl::SignatureV2),
        _ => return Err(InvalidPresignedUrl::UnexpectedParameter),
    };
    if valid { Ok(()) } else { Err(InvalidPresignedUrl::Invalid(name)) }
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Seconds, in the one spelling without signs and leading zeros.
fn life(value: &str) -> Option<u32> {
    let seconds: u32 = value.parse().ok()?;
    ((1..=LONGEST_LIFE).contains(&seconds) && seconds.to_string() == value).then_some(seconds)
}

/// Lower-case header names joined by semicolons. Unless the host is among them, the link is good for any host.
fn are_signed_headers(value: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    value.split(';').all(is_name) && value.split(';').any(|name| name == "host")
}

/// The region in `{access key id}/{day}/{region}/s3/aws4_request`.
fn scope_region(credential: &str, day: &str) -> Option<Region> {
    let mut parts = credential.split('/');
    let id = parts.next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let well_formed = (1..=128).contains(&id.len()) && id.bytes().all(plain) && parts.next() == Some(day);
    let region: Result<Region, InvalidRegion> = Region::new(parts.next()?);
    let complete = parts.eq(["s3", "aws4_request"]);
    region.ok().filter(|_| well_formed && complete)
}
