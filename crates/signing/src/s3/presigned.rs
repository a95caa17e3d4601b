//! Parsing an untrusted presigned URL.

use std::fmt;

use super::MAX_KEY_BYTES;
use super::endpoint::CustomEndpoint;
use super::host::{self, HostRegion};
use super::names::{Bucket, Region};
use super::partition::Partition;
use super::presigned_error::PresignedUrlError;
use super::query::PresignedQuery;
use crate::percent::{self, EncodeSet};

/// The maximum length of a URL, in bytes.
const MAX_URL_BYTES: usize = 8192;

/// How far S3 allows clocks to differ, in seconds.
const MAX_CLOCK_SKEW_SECONDS: u64 = 15 * 60;

/// Where the buckets of accepted links are.
#[derive(Clone, Debug)]
pub struct S3Home {
    region: Region,
    endpoint: Option<CustomEndpoint>,
    /// Whether links may lead to AWS's own endpoints.
    is_at_aws: bool,
}

impl S3Home {
    /// The buckets are in the partition of `region`: another partition may have buckets of the same names. With a custom
    /// endpoint they are only there, unless that is an address of AWS itself, such as a VPC endpoint.
    #[must_use]
    pub fn new(region: Region, endpoint: Option<CustomEndpoint>) -> Self {
        let is_at_aws = endpoint.as_ref().is_none_or(is_aws_endpoint);
        Self { region, endpoint, is_at_aws }
    }

    /// The region whose partition has the buckets.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Whether a region's name is one of the partition.
    fn has_region(&self, region: &Region) -> bool {
        // A region may be newer than the table of partitions.
        *region == self.region || Partition::of(&self.region).has_region(region)
    }
}

fn is_aws_endpoint(endpoint: &CustomEndpoint) -> bool {
    let base = endpoint.to_string();
    let is_in = |domain: &str| base.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    Partition::domains().any(is_in)
}

/// A complete, unexpired presigned URL to an object in S3.
///
/// Only S3 can verify the signature, because the secret is not here. A value of this type says *where* a link leads and
/// *until when* it may work. It does not prove that its holder may read the object.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl {
    bucket: Bucket,
    key: String,
    version_id: Option<String>,
    region: Region,
    expires_at: u64,
    location: String,
    has_part_number: bool,
    signs_only_host: bool,
}

impl PresignedUrl {
    /// Parses `url`, at `now` in Unix seconds.
    ///
    /// The URL must be HTTPS to an S3 host of AWS without a port, in the home's partition, or be at exactly the home's
    /// custom endpoint. It must have a complete Version 4 signature whose date, lifetime, region and host agree. No other
    /// parameter may ask for another operation than reading an object, and none may be given twice.
    pub fn parse(url: &str, now: u64, home: &S3Home) -> Result<Self, PresignedUrlError> {
        if url.len() > MAX_URL_BYTES {
            return Err(PresignedUrlError::TooLong);
        }
        // The endpoint's own text is trusted, and may have the brackets of an IPv6 address.
        let path = home.endpoint.as_ref().and_then(|endpoint| endpoint.strip_prefix(url));
        check_characters(path.unwrap_or(url))?;
        let parts = UrlParts::split_url(url, home)?;
        let ObjectLocation { bucket, key, origin } = ObjectLocation::from_parts(&parts)?;
        let query = PresignedQuery::parse(parts.query)?;
        let signature = query.signature_claims()?;
        if !parts.accepts(&signature.region) {
            return Err(PresignedUrlError::RegionMismatch);
        }
        if parts.region.is_some() && !home.has_region(&signature.region) {
            return Err(PresignedUrlError::OtherPartition);
        }
        if signature.expires_at <= now {
            return Err(PresignedUrlError::Expired(signature.expires_at));
        }
        if signature.signed_at > now.saturating_add(MAX_CLOCK_SKEW_SECONDS) {
            return Err(PresignedUrlError::NotYetValid);
        }
        let mut location = origin;
        // Most are spelled as we spell them.
        location.reserve(url.len().saturating_sub(location.len()));
        percent::encode_into(&mut location, &key, EncodeSet::Path);
        query.write_to(&mut location);
        let version_id = query.get("versionId").map(str::to_owned);
        Ok(Self {
            bucket,
            key,
            version_id,
            region: signature.region,
            expires_at: signature.expires_at,
            location,
            has_part_number: query.get("partNumber").is_some(),
            signs_only_host: query.signs_only_host(),
        })
    }

    /// Checks that the link leads to the region where its bucket is.
    pub fn check_region(&self, known: &Region) -> Result<(), PresignedUrlError> {
        if self.region == *known { Ok(()) } else { Err(PresignedUrlError::OtherRegion) }
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// The object's key, decoded.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The object's version, if the link has one.
    #[must_use]
    pub fn version_id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }

    /// Whether the link is for one part of the object, as it was uploaded. Such a link takes no `Range`.
    #[must_use]
    pub fn has_part_number(&self) -> bool {
        self.has_part_number
    }

    /// Whether the link needs no request header but `Host`. Values of others are known to its client only.
    #[must_use]
    pub fn signs_only_host(&self) -> bool {
        self.signs_only_host
    }

    /// The region of the signature.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The end of the link as it states it, in Unix seconds. Its credentials may expire earlier.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// The URL, rebuilt from the parsed parts, so that it holds nothing that was not parsed. The signature stays valid,
    /// because both spellings have the same canonical form.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }
}

impl fmt::Debug for PresignedUrl {
    /// Leaves out the URL: a reader of the log could use it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignedUrl")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A URL, split into parts.
struct UrlParts<'a> {
    /// Scheme, host and port, validated.
    base: &'a str,
    /// The bucket in the host name.
    bucket: Option<&'a str>,
    /// The regions of the host. `None` at a custom endpoint.
    region: Option<HostRegion>,
    /// The path without the first slash.
    path: &'a str,
    query: &'a str,
}

impl<'a> UrlParts<'a> {
    fn split_url(url: &'a str, home: &S3Home) -> Result<Self, PresignedUrlError> {
        let (before_query, query) = url.split_once('?').unwrap_or((url, ""));
        if let Some(path) = home.endpoint.as_ref().and_then(|endpoint| endpoint.strip_prefix(before_query)) {
            let base = before_query.strip_suffix(path).unwrap_or_default();
            let path = path.strip_prefix('/').unwrap_or(path);
            return Ok(Self { base, bucket: None, region: None, path, query });
        }
        let rest = before_query.strip_prefix("https://").ok_or(PresignedUrlError::NotHttps)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        check_authority(host)?;
        let found = host::parse_host(host).filter(|_| home.is_at_aws).ok_or(PresignedUrlError::NotS3Host)?;
        let (base, _) = url.split_at_checked("https://".len() + host.len()).unwrap_or((url, ""));
        Ok(Self { base, bucket: found.bucket, region: Some(found.region), path, query })
    }

    fn accepts(&self, region: &Region) -> bool {
        self.region.as_ref().is_none_or(|host| host.accepts(region))
    }
}

/// Rejects a user name and a port with their own reasons. Everything else is compared with whole S3 hosts.
fn check_authority(host: &str) -> Result<(), PresignedUrlError> {
    if host.contains('@') {
        Err(PresignedUrlError::UserInfo)
    } else if host.contains(':') {
        Err(PresignedUrlError::Port)
    } else {
        Ok(())
    }
}

/// An object, and the part of its URL before the key.
struct ObjectLocation {
    bucket: Bucket,
    key: String,
    origin: String,
}

impl ObjectLocation {
    fn from_parts(parts: &UrlParts<'_>) -> Result<Self, PresignedUrlError> {
        let in_path = || parts.path.split_once('/').unwrap_or((parts.path, ""));
        let (bucket, key) = parts.bucket.map_or_else(in_path, |bucket| (bucket, parts.path));
        let bucket = Bucket::new(bucket).map_err(|_| PresignedUrlError::InvalidBucket)?;
        let key = percent::decode_utf8(key).ok_or(PresignedUrlError::InvalidKey)?.into_owned();
        if !(1..=MAX_KEY_BYTES).contains(&key.len()) {
            return Err(PresignedUrlError::InvalidKey);
        }
        // Encoded dots count, too: clients resolve `%2e%2e` like `..` (WHATWG URL, "double-dot path segment").
        if key.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(PresignedUrlError::DotSegment);
        }
        let mut origin = format!("{}/", parts.base);
        if parts.bucket.is_none() {
            origin.extend([bucket.as_str(), "/"]);
        }
        Ok(Self { bucket, key, origin })
    }
}

/// Rejects characters that URL parsers read in different ways.
fn check_characters(url: &str) -> Result<(), PresignedUrlError> {
    const PUNCTUATION: &[u8] = b"-_.~%/?&=:@!$'()*,;";
    let unexpected = url.bytes().find(|byte| !byte.is_ascii_alphanumeric() && !PUNCTUATION.contains(byte));
    match unexpected {
        None => Ok(()),
        Some(b'#') => Err(PresignedUrlError::Fragment),
        Some(b'+') => Err(PresignedUrlError::PlusSign),
        Some(_) => Err(PresignedUrlError::NotPercentEncoded),
    }
}
