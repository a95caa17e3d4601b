//! Reading a presigned URL from a stranger.

use std::fmt;

use super::LONGEST_KEY;
use super::allowed::Query;
use super::endpoint::CustomEndpoint;
use super::host::{self, HostRegion};
use super::invalid::InvalidPresignedUrl;
use super::names::{Bucket, Region};
use crate::percent::{self, Keep};

/// The longest URL that is looked at, in bytes.
const LONGEST_URL: usize = 8192;

/// How far S3 lets clocks differ, in seconds.
const SKEW: u64 = 15 * 60;

/// A complete, unexpired presigned URL to an object in S3.
///
/// Whether the signature itself is right, only S3 can tell: the secret is not here. So this proves *where* a link
/// leads and *until when* it may work, and nothing about what its holder may see.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl {
    bucket: Bucket,
    key: String,
    version_id: Option<String>,
    region: Region,
    expires_at: u64,
    location: String,
}

impl PresignedUrl {
    /// Reads `url`, at `now` in Unix seconds.
    ///
    /// The host must be one of S3's at AWS, reached by HTTPS without a port, or exactly the endpoint `custom`. The
    /// signature must be a complete Version 4 one whose date, life, region and host agree; other parameters must be
    /// ones that reading an object takes, and none may be given twice.
    pub fn parse(url: &str, now: u64, custom: Option<&CustomEndpoint>) -> Result<Self, InvalidPresignedUrl> {
        check_characters(url)?;
        let address = Address::split(url, custom)?;
        let Object { bucket, key, origin } = Object::locate(&address)?;
        let query = Query::parse(address.query)?;
        let signature = query.signature()?;
        if !address.serves(&signature.region) {
            return Err(InvalidPresignedUrl::OtherRegion);
        }
        if signature.expires_at <= now {
            return Err(InvalidPresignedUrl::Expired);
        }
        if signature.signed_at > now.saturating_add(SKEW) {
            return Err(InvalidPresignedUrl::NotYetValid);
        }
        let mut location = origin;
        percent::encode_into(&mut location, &key, Keep::Slash);
        query.push_to(&mut location);
        let version_id = query.get("versionId").map(str::to_owned);
        Ok(Self {
            bucket,
            key,
            version_id,
            region: signature.region,
            expires_at: signature.expires_at,
            location,
        })
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

    /// The object's version, where the link names one.
    #[must_use]
    pub fn version_id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }

    /// The region that the link is signed for.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// When the link ends by its own account, in Unix seconds. Its credentials may end earlier.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// The URL, rebuilt from what was read: nothing that was not understood can be in it. The signature still
    /// holds, since both spellings have the same canonical form.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }
}

impl fmt::Debug for PresignedUrl {
    /// Leaves out the location: whoever reads a log could use it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignedUrl")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A URL in its parts.
struct Address<'a> {
    /// Scheme, host and port, as given and found good.
    base: &'a str,
    /// The bucket in the host name.
    bucket: Option<&'a str>,
    /// What the host says about regions; a custom endpoint says nothing.
    region: Option<HostRegion>,
    /// Without the first slash.
    path: &'a str,
    query: &'a str,
}

impl<'a> Address<'a> {
    fn split(url: &'a str, custom: Option<&CustomEndpoint>) -> Result<Self, InvalidPresignedUrl> {
        let (before_query, query) = url.split_once('?').unwrap_or((url, ""));
        if let Some(path) = custom.and_then(|endpoint| endpoint.strip(before_query)) {
            let base = before_query.strip_suffix(path).unwrap_or_default();
            let path = path.strip_prefix('/').unwrap_or(path);
            return Ok(Self { base, bucket: None, region: None, path, query });
        }
        let rest = before_query.strip_prefix("https://").ok_or(InvalidPresignedUrl::NotHttps)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        check_authority(host)?;
        let found = host::parse(host).ok_or(InvalidPresignedUrl::NotS3)?;
        let (base, _) = url.split_at_checked("https://".len() + host.len()).unwrap_or((url, ""));
        Ok(Self { base, bucket: found.bucket, region: Some(found.region), path, query })
    }

    fn serves(&self, region: &Region) -> bool {
        self.region.as_ref().is_none_or(|host| host.serves(region))
    }
}

/// Names the usual tricks; what is left is compared with S3's hosts as a whole.
fn check_authority(host: &str) -> Result<(), InvalidPresignedUrl> {
    if host.contains('@') {
        Err(InvalidPresignedUrl::UserInfo)
    } else if host.contains(':') {
        Err(InvalidPresignedUrl::Port)
    } else {
        Ok(())
    }
}

/// An object, and the part of its URL that comes before the key.
struct Object {
    bucket: Bucket,
    key: String,
    origin: String,
}

impl Object {
    fn locate(address: &Address<'_>) -> Result<Self, InvalidPresignedUrl> {
        let in_path = || address.path.split_once('/').unwrap_or((address.path, ""));
        let (bucket, key) = address.bucket.map_or_else(in_path, |bucket| (bucket, address.path));
        let bucket = Bucket::new(bucket).map_err(|_| InvalidPresignedUrl::InvalidBucket)?;
        let key = percent::decode(key).ok_or(InvalidPresignedUrl::InvalidKey)?;
        if !(1..=LONGEST_KEY).contains(&key.len()) {
            return Err(InvalidPresignedUrl::InvalidKey);
        }
        // Encoded dots count too: clients resolve `%2e%2e` like `..` (WHATWG URL, "double-dot path segment").
        if key.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(InvalidPresignedUrl::DotSegment);
        }
        let mut origin = format!("{}/", address.base);
        if address.bucket.is_none() {
            origin.extend([bucket.as_str(), "/"]);
        }
        Ok(Self { bucket, key, origin })
    }
}

/// Refuses at once what different readers of URLs take differently.
fn check_characters(url: &str) -> Result<(), InvalidPresignedUrl> {
    const PUNCTUATION: &[u8] = b"-_.~%/?&=:@!$'()*,;";
    if url.len() > LONGEST_URL {
        return Err(InvalidPresignedUrl::TooLong);
    }
    let odd = url.bytes().find(|byte| !byte.is_ascii_alphanumeric() && !PUNCTUATION.contains(byte));
    match odd {
        None => Ok(()),
        Some(b'#') => Err(InvalidPresignedUrl::Fragment),
        Some(b'+') => Err(InvalidPresignedUrl::PlusSign),
        Some(_) => Err(InvalidPresignedUrl::NotEncoded),
    }
}
