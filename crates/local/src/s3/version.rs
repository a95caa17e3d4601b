//! One version of an object, as it is in memory and in the journal.

use std::collections::BTreeMap;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use s3s::dto::Timestamp;
use serde::{Deserialize, Serialize};

/// The headers of an object that an upload sets and every response repeats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// `Content-Type`. S3 returns `binary/octet-stream` for an object without one.
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
    /// User metadata: `x-amz-meta-*` headers, by name without the prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A version without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionEntry {
    /// The version id: 32 characters of the URL-safe base64 alphabet.
    pub id: String,
    /// Whether this is a delete marker, which has no content.
    pub delete_marker: bool,
    /// The size of the content in bytes. 0 for a delete marker.
    pub size: u64,
    /// The entity tag without quotes. Empty for a delete marker.
    pub etag: String,
}

/// A version of an object. Without content it is a delete marker.
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
    /// The MD5 of the content in hex. After a multipart upload, the MD5 of the parts' MD5s and the number of parts.
    pub(crate) etag: String,
    #[serde(default)]
    pub(crate) attributes: Attributes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<Checksum>,
    /// The sizes of the parts of a multipart upload, else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) part_sizes: Vec<u64>,
    pub(crate) body: Body,
}

/// The checksum of the upload. S3 returns it to requests with `x-amz-checksum-mode: ENABLED`.
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

/// The bytes of a version: in the journal if they are few, else in the file that is named by the version id.
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

    /// Seconds since the Unix epoch. `Last-Modified` has no fractions.
    pub(crate) fn modified_seconds(&self) -> i64 {
        i64::try_from(self.modified / 1_000).unwrap_or(i64::MAX)
    }
}

/// An id of 18 random bytes and a sequence number of six bytes.
///
/// A client may delete the version that a listing named as the start of the next page. The sequence number tells where
/// that version was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct VersionId(Box<str>);

const ID_BYTES: usize = 24;
const SEQUENCE_BYTES: usize = 6;

impl VersionId {
    /// A new id with this sequence number.
    pub(crate) fn new(sequence: u64) -> io::Result<Self> {
        let mut bytes = [0; ID_BYTES];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| io::Error::other("the system provides no random bytes"))?;
        // Big-endian, in the last bytes.
        let (_, tail) = bytes.split_at_mut(ID_BYTES - SEQUENCE_BYTES);
        for (target, byte) in tail.iter_mut().rev().zip(sequence.to_le_bytes()) {
            *target = byte;
        }
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// Accepts the ids of [`VersionId::new`] and `null`. S3 uses `null` for versions from before versioning was enabled.
    /// Here no version has that id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_valid = text == "null" || Self(text.into()).bytes().is_some();
        is_valid.then(|| Self(text.into()))
    }

    /// The sequence number of [`VersionId::new`].
    pub(crate) fn sequence(&self) -> u64 {
        let Some(bytes) = self.bytes() else { return 0 };
        let tail = bytes.iter().skip(ID_BYTES - SEQUENCE_BYTES);
        tail.fold(0, |sequence, byte| sequence << 8 | u64::from(*byte))
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

/// A timestamp of S3's API from milliseconds since the Unix epoch.
pub(super) fn to_timestamp(milliseconds: u64) -> Option<Timestamp> {
    let nanoseconds = i128::from(milliseconds) * 1_000_000;
    time::OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok().map(Timestamp::from)
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
    fn an_id_has_32_url_safe_characters_and_contains_its_sequence_number() {
        for sequence in [0, 1, 77, 1 << 32, (1 << 48) - 1] {
            let id = VersionId::new(sequence).unwrap();
            assert_eq!(id.as_str().len(), 32);
            assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            assert_eq!(VersionId::parse(id.as_str()).unwrap().sequence(), sequence);
        }
    }

    #[test]
    fn rejects_malformed_ids() {
        for text in ["", "x", "../../etc/passwd", &"a".repeat(31), &"a".repeat(33), &"=".repeat(32)] {
            assert_eq!(VersionId::parse(text), None, "{text}");
        }
        assert!(VersionId::parse("null").is_some());
    }
}
