//! One version of an object: what is kept in memory and written to the journal.

use std::collections::BTreeMap;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What an object says about itself in the headers of every answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// `Content-Type`; S3 says `binary/octet-stream` for an object that has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// User metadata: `x-amz-meta-` headers, named without that prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A version without its content, for assertions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionEntry {
    /// The version's id: 32 characters of the URL-safe base64 alphabet.
    pub id: String,
    /// Whether this is a delete marker, which has no content.
    pub delete_marker: bool,
    /// Bytes of content; 0 for a delete marker.
    pub size: u64,
    /// Entity tag without quotes; empty for a delete marker.
    pub etag: String,
}

/// A version of an object, or a delete marker if it has no content.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) id: VersionId,
    /// Milliseconds since the Unix epoch.
    pub(crate) modified: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<Box<Content>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) size: u64,
    /// The MD5 of the content in hex; of the parts' MD5s, with their number, after a multipart upload.
    pub(crate) etag: String,
    #[serde(default)]
    pub(crate) attributes: Attributes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<Checksum>,
    pub(crate) body: Body,
}

/// The checksum that the uploader gave, kept to be shown with `x-amz-checksum-mode: ENABLED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    /// Base64.
    pub(crate) value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Sha1,
    Sha256,
}

/// Where the bytes are: beside the version while they are few, else in the file named by the version's id.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Body {
    Inline(#[serde(with = "base64_bytes")] Bytes),
    File,
}

impl Version {
    pub(crate) fn entry(&self) -> VersionEntry {
        let content = self.content.as_ref();
        VersionEntry {
            id: self.id.to_string(),
            delete_marker: content.is_none(),
            size: content.map_or(0, |content| content.size),
            etag: content.map_or_else(String::new, |content| content.etag.clone()),
        }
    }

    /// Seconds since the Unix epoch, which is all that `Last-Modified` can tell.
    pub(crate) fn modified_seconds(&self) -> i64 {
        i64::try_from(self.modified / 1_000).unwrap_or(i64::MAX)
    }
}

/// An id of 18 random bytes, and six that tell the version's place in the order of all versions.
///
/// A client may delete the very version that a listing told it to go on from. The place in the id is what lets the
/// next page begin where that version was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct VersionId(Box<str>);

const ID_BYTES: usize = 24;
const PLACE_BYTES: usize = 6;

impl VersionId {
    /// A new id for the version at this place.
    pub(crate) fn new(place: u64) -> io::Result<Self> {
        let mut bytes = [0; ID_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no randomness from the system"))?;
        let (_, tail) = bytes.split_at_mut(ID_BYTES - PLACE_BYTES);
        for (byte, place) in tail.iter_mut().rev().zip(place.to_le_bytes()) {
            *byte = place;
        }
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// Accepts what [`VersionId::new`] makes, and `null`, which names no version in a versioned bucket.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let known = text == "null" || Self(text.into()).bytes().is_some();
        known.then(|| Self(text.into()))
    }

    /// The place given to [`VersionId::new`].
    pub(crate) fn place(&self) -> u64 {
        let Some(bytes) = self.bytes() else { return 0 };
        bytes.iter().skip(ID_BYTES - PLACE_BYTES).fold(0, |place, byte| place << 8 | u64::from(*byte))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn bytes(&self) -> Option<[u8; ID_BYTES]> {
        URL_SAFE_NO_PAD.decode(self.0.as_bytes()).ok()?.try_into().ok()
    }
}

impl std::fmt::Display for VersionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

mod base64_bytes {
    use super::{Bytes, Deserialize, Engine, STANDARD};
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_url_safe_characters_and_remembers_its_place() {
        for place in [0, 1, 77, 1 << 32, (1 << 48) - 1] {
            let id = VersionId::new(place).unwrap();
            assert_eq!(id.as_str().len(), 32);
            assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            assert_eq!(VersionId::parse(id.as_str()).unwrap().place(), place);
        }
    }

    #[test]
    fn what_no_bucket_would_issue_is_not_an_id() {
        for text in ["", "x", "../../etc/passwd", &"a".repeat(31), &"a".repeat(33), &"=".repeat(32)] {
            assert_eq!(VersionId::parse(text), None, "{text}");
        }
        assert!(VersionId::parse("null").is_some());
    }
}
