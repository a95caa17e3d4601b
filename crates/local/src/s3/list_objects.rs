//! `ListObjects`, `ListObjectsV2` and `ListObjectVersions`: pages in the format of the API.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, ETag, EncodingType, ListObjectVersionsInput, ListObjectVersionsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass,
    ObjectVersion, ObjectVersionStorageClass,
};
use s3s::{S3Response, S3Result, s3_error};

use super::objects::parse_version_id;
use super::pagination::{ListEntry, ListPage, ListQuery, PageMarker};
use super::store::S3Store;
use super::version::to_timestamp;

/// AWS, `ListObjectsV2`: a page has at most this many keys, even if the client asks for more.
const MAX_KEYS: i32 = 1_000;

/// How keys are written: unchanged, or percent-encoded if the client asks for it. XML cannot represent every character.
#[derive(Clone, Copy)]
struct KeyEncoding {
    is_url: bool,
}

impl KeyEncoding {
    fn new(encoding: Option<&EncodingType>) -> Self {
        Self { is_url: encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL) }
    }

    fn encode(self, text: &str) -> String {
        if self.is_url { percent_encode(text) } else { text.to_owned() }
    }

    fn encode_option(self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.encode(text))
    }

    fn common_prefixes(self, page: &ListPage) -> Option<Vec<CommonPrefix>> {
        let prefixes =
            page.common_prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(self.encode(prefix)) });
        (!page.common_prefixes.is_empty()).then(|| prefixes.collect())
    }

    fn object(self, entry: &ListEntry) -> Object {
        let content = entry.version.content.as_ref();
        Object {
            e_tag: content.map(|content| ETag::Strong(content.etag.clone())),
            key: Some(self.encode(&entry.key)),
            last_modified: to_timestamp(entry.version.modified),
            size: content.and_then(|content| i64::try_from(content.size).ok()),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Object::default()
        }
    }

    fn version(self, entry: &ListEntry) -> ObjectVersion {
        let content = entry.version.content.as_ref();
        ObjectVersion {
            e_tag: content.map(|content| ETag::Strong(content.etag.clone())),
            is_latest: Some(entry.is_latest),
            key: Some(self.encode(&entry.key)),
            last_modified: to_timestamp(entry.version.modified),
            size: content.and_then(|content| i64::try_from(content.size).ok()),
            storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
            version_id: Some(entry.version.id.to_string()),
            ..ObjectVersion::default()
        }
    }

    fn delete_marker(self, entry: &ListEntry) -> DeleteMarkerEntry {
        DeleteMarkerEntry {
            is_latest: Some(entry.is_latest),
            key: Some(self.encode(&entry.key)),
            last_modified: to_timestamp(entry.version.modified),
            version_id: Some(entry.version.id.to_string()),
            ..DeleteMarkerEntry::default()
        }
    }
}

/// S3 leaves slashes as they are.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
    }
    encoded
}

/// The page size: as requested, and as applied.
struct PageSize {
    max_keys: i32,
    limit: usize,
}

/// The response repeats the requested `max-keys`, even if a smaller limit applies.
fn parse_page_size(max_keys: Option<i32>) -> S3Result<PageSize> {
    let max_keys = max_keys.unwrap_or(MAX_KEYS);
    let limit = usize::try_from(max_keys.min(MAX_KEYS))
        .map_err(|_| s3_error!(InvalidArgument, "max-keys must not be negative"))?;
    Ok(PageSize { max_keys, limit })
}

fn key_marker(key: Option<&str>) -> Option<PageMarker> {
    // An empty marker counts as absent.
    let key = key.filter(|key| !key.is_empty())?;
    Some(PageMarker { key: key.to_owned(), version: None })
}

/// The continuation token: the last key, encoded so that clients treat it as opaque.
fn encode_token(marker: &PageMarker) -> String {
    URL_SAFE_NO_PAD.encode(&marker.key)
}

fn decode_token(token: &str) -> S3Result<PageMarker> {
    let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key =
        key.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))?;
    Ok(PageMarker { key, version: None })
}

pub(super) fn list_objects_v2(
    store: &S3Store,
    input: ListObjectsV2Input,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let PageSize { max_keys, limit } = parse_page_size(input.max_keys)?;
    // A continuation token overrides `start-after`.
    let after = match input.continuation_token.as_deref() {
        Some(token) => Some(decode_token(token)?),
        None => key_marker(input.start_after.as_deref()),
    };
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let query =
        ListQuery { prefix, delimiter: input.delimiter.as_deref(), after, limit, all_versions: false };
    let page = store.with_bucket(&input.bucket, |bucket| query.list_page(&bucket.objects))?;
    let encoding = KeyEncoding::new(input.encoding_type.as_ref());
    Ok(S3Response::new(ListObjectsV2Output {
        common_prefixes: encoding.common_prefixes(&page),
        contents: Some(page.entries.iter().map(|entry| encoding.object(entry)).collect()),
        continuation_token: input.continuation_token,
        delimiter: encoding.encode_option(input.delimiter.as_deref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        // `key_count` includes the common prefixes.
        key_count: i32::try_from(page.entries.len() + page.common_prefixes.len()).ok(),
        max_keys: Some(max_keys),
        name: Some(input.bucket),
        next_continuation_token: page.next.as_ref().map(encode_token),
        prefix: Some(encoding.encode(prefix)),
        start_after: encoding.encode_option(input.start_after.as_deref()),
        ..ListObjectsV2Output::default()
    }))
}

pub(super) fn list_objects(
    store: &S3Store,
    input: ListObjectsInput,
) -> S3Result<S3Response<ListObjectsOutput>> {
    let PageSize { max_keys, limit } = parse_page_size(input.max_keys)?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after = key_marker(input.marker.as_deref());
    let query =
        ListQuery { prefix, delimiter: input.delimiter.as_deref(), after, limit, all_versions: false };
    let page = store.with_bucket(&input.bucket, |bucket| query.list_page(&bucket.objects))?;
    let encoding = KeyEncoding::new(input.encoding_type.as_ref());
    Ok(S3Response::new(ListObjectsOutput {
        common_prefixes: encoding.common_prefixes(&page),
        contents: Some(page.entries.iter().map(|entry| encoding.object(entry)).collect()),
        delimiter: encoding.encode_option(input.delimiter.as_deref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        marker: Some(encoding.encode(input.marker.as_deref().unwrap_or_default())),
        max_keys: Some(max_keys),
        name: Some(input.bucket),
        // S3 returns it only with a delimiter. Clients without one use the last key, which is the same.
        next_marker: page.next.as_ref().map(|marker| encoding.encode(&marker.key)),
        prefix: Some(encoding.encode(prefix)),
        ..ListObjectsOutput::default()
    }))
}

pub(super) fn list_object_versions(
    store: &S3Store,
    input: ListObjectVersionsInput,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let PageSize { max_keys, limit } = parse_page_size(input.max_keys)?;
    let mut after = key_marker(input.key_marker.as_deref());
    let version = parse_version_id(input.version_id_marker.as_deref().filter(|id| !id.is_empty()))?;
    match (&mut after, version) {
        // Without a version id the next page starts after all versions of the key.
        (Some(after), version) => after.version = version,
        (None, None) => {}
        (None, Some(_)) => {
            return Err(s3_error!(
                InvalidArgument,
                "A version-id marker cannot be specified without a key marker."
            ));
        }
    }
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let query = ListQuery { prefix, delimiter: input.delimiter.as_deref(), after, limit, all_versions: true };
    let page = store.with_bucket(&input.bucket, |bucket| query.list_page(&bucket.objects))?;
    let encoding = KeyEncoding::new(input.encoding_type.as_ref());
    // The API returns versions and delete markers as two lists, so their common order is lost.
    let (versions, markers): (Vec<_>, Vec<_>) =
        page.entries.iter().partition(|entry| entry.version.content.is_some());
    let next_version = page.next.as_ref().and_then(|marker| marker.version.as_ref());
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes: encoding.common_prefixes(&page),
        delete_markers: Some(markers.into_iter().map(|entry| encoding.delete_marker(entry)).collect()),
        delimiter: encoding.encode_option(input.delimiter.as_deref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(encoding.encode(input.key_marker.as_deref().unwrap_or_default())),
        max_keys: Some(max_keys),
        name: Some(input.bucket),
        next_key_marker: page.next.as_ref().map(|marker| encoding.encode(&marker.key)),
        next_version_id_marker: next_version.map(ToString::to_string),
        prefix: Some(encoding.encode(prefix)),
        version_id_marker: input.version_id_marker,
        versions: Some(versions.into_iter().map(|entry| encoding.version(entry)).collect()),
        ..ListObjectVersionsOutput::default()
    }))
}
