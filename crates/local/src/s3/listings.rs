//! `ListObjects`, `ListObjectsV2` and `ListObjectVersions`: pages in the shapes of the API.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, ETag, EncodingType, ListObjectVersionsInput, ListObjectVersionsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass,
    ObjectVersion, ObjectVersionStorageClass,
};
use s3s::{S3Response, S3Result, s3_error};

use super::listing::{Marker, Page, Query, Row};
use super::objects::{modified, version_id};
use super::store::S3;

/// AWS, `ListObjectsV2`: a page never has more rows, whatever was asked for.
const MOST: i32 = 1_000;

/// Keys as they are, or percent-encoded for clients that asked, since XML cannot carry every character.
#[derive(Clone, Copy)]
struct Spelling {
    encoded: bool,
}

impl Spelling {
    fn new(encoding: Option<&EncodingType>) -> Self {
        Self { encoded: encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL) }
    }

    fn of(self, text: &str) -> String {
        if self.encoded { percent_encode(text) } else { text.to_owned() }
    }

    fn of_some(self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.of(text))
    }

    fn groups(self, page: &Page) -> Option<Vec<CommonPrefix>> {
        let groups = page.groups.iter().map(|group| CommonPrefix { prefix: Some(self.of(group)) });
        (!page.groups.is_empty()).then(|| groups.collect())
    }

    fn object(self, row: &Row) -> Object {
        let content = row.version.content.as_ref();
        Object {
            e_tag: content.map(|content| ETag::Strong(content.etag.clone())),
            key: Some(self.of(&row.key)),
            last_modified: modified(&row.version),
            size: content.and_then(|content| i64::try_from(content.size).ok()),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Object::default()
        }
    }

    fn version(self, row: &Row) -> ObjectVersion {
        let content = row.version.content.as_ref();
        ObjectVersion {
            e_tag: content.map(|content| ETag::Strong(content.etag.clone())),
            is_latest: Some(row.is_latest),
            key: Some(self.of(&row.key)),
            last_modified: modified(&row.version),
            size: content.and_then(|content| i64::try_from(content.size).ok()),
            storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
            version_id: Some(row.version.id.to_string()),
            ..ObjectVersion::default()
        }
    }

    fn marker(self, row: &Row) -> DeleteMarkerEntry {
        DeleteMarkerEntry {
            is_latest: Some(row.is_latest),
            key: Some(self.of(&row.key)),
            last_modified: modified(&row.version),
            version_id: Some(row.version.id.to_string()),
            ..DeleteMarkerEntry::default()
        }
    }
}

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

fn limit(asked: Option<i32>) -> S3Result<(i32, usize)> {
    let asked = asked.unwrap_or(MOST);
    match usize::try_from(asked) {
        Ok(_) => Ok((asked, usize::try_from(asked.min(MOST)).unwrap_or(0))),
        Err(_) => Err(s3_error!(InvalidArgument, "max-keys must not be negative")),
    }
}

fn whole_key(key: Option<&str>) -> Option<Marker> {
    let key = key.filter(|key| !key.is_empty())?;
    Some(Marker { key: key.to_owned(), version: None })
}

/// The key where the next page begins, spelled so that nobody takes it for one.
fn token(marker: &Marker) -> String {
    URL_SAFE_NO_PAD.encode(&marker.key)
}

fn from_token(token: &str) -> S3Result<Marker> {
    let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key =
        key.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))?;
    Ok(Marker { key, version: None })
}

pub(super) fn objects_v2(store: &S3, input: ListObjectsV2Input) -> S3Result<S3Response<ListObjectsV2Output>> {
    let (max_keys, limit) = limit(input.max_keys)?;
    let after = match input.continuation_token.as_deref() {
        Some(token) => Some(from_token(token)?),
        None => whole_key(input.start_after.as_deref()),
    };
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let query = Query { prefix, delimiter: input.delimiter.as_deref(), after, limit, all_versions: false };
    let page = store.read(&input.bucket, |bucket| query.page(&bucket.objects))?;
    let spelling = Spelling::new(input.encoding_type.as_ref());
    Ok(S3Response::new(ListObjectsV2Output {
        common_prefixes: spelling.groups(&page),
        contents: Some(page.rows.iter().map(|row| spelling.object(row)).collect()),
        continuation_token: input.continuation_token,
        delimiter: spelling.of_some(input.delimiter.as_deref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        key_count: i32::try_from(page.rows.len() + page.groups.len()).ok(),
        max_keys: Some(max_keys),
        name: Some(input.bucket),
        next_continuation_token: page.next.as_ref().map(token),
        prefix: Some(spelling.of(prefix)),
        start_after: spelling.of_some(input.start_after.as_deref()),
        ..ListObjectsV2Output::default()
    }))
}

pub(super) fn objects(store: &S3, input: ListObjectsInput) -> S3Result<S3Response<ListObjectsOutput>> {
    let (max_keys, limit) = limit(input.max_keys)?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after = whole_key(input.marker.as_deref());
    let query = Query { prefix, delimiter: input.delimiter.as_deref(), after, limit, all_versions: false };
    let page = store.read(&input.bucket, |bucket| query.page(&bucket.objects))?;
    let spelling = Spelling::new(input.encoding_type.as_ref());
    Ok(S3Response::new(ListObjectsOutput {
        common_prefixes: spelling.groups(&page),
        contents: Some(page.rows.iter().map(|row| spelling.object(row)).collect()),
        delimiter: spelling.of_some(input.delimiter.as_deref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        marker: Some(spelling.of(input.marker.as_deref().unwrap_or_default())),
        max_keys: Some(max_keys),
        name: Some(input.bucket),
        next_marker: page.next.as_ref().map(|marker| spelling.of(&marker.key)),
        prefix: Some(spelling.of(prefix)),
        ..ListObjectsOutput::default()
    }))
}

pub(super) fn versions(
    store: &S3,
    input: ListObjectVersionsInput,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let (max_keys, limit) = limit(input.max_keys)?;
    let mut after = whole_key(input.key_marker.as_deref());
    let within = version_id(input.version_id_marker.as_deref().filter(|id| !id.is_empty()))?;
    match (&mut after, within) {
        (Some(after), within) => after.version = within,
        (None, None) => {}
        (None, Some(_)) => {
            return Err(s3_error!(
                InvalidArgument,
                "A version-id marker cannot be specified without a key marker."
            ));
        }
    }
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let query = Query { prefix, delimiter: input.delimiter.as_deref(), after, limit, all_versions: true };
    let page = store.read(&input.bucket, |bucket| query.page(&bucket.objects))?;
    let spelling = Spelling::new(input.encoding_type.as_ref());
    let (contents, markers): (Vec<_>, Vec<_>) =
        page.rows.iter().partition(|row| row.version.content.is_some());
    let next_version = page.next.as_ref().and_then(|marker| marker.version.as_ref());
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes: spelling.groups(&page),
        delete_markers: Some(markers.into_iter().map(|row| spelling.marker(row)).collect()),
        delimiter: spelling.of_some(input.delimiter.as_deref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(spelling.of(input.key_marker.as_deref().unwrap_or_default())),
        max_keys: Some(max_keys),
        name: Some(input.bucket),
        next_key_marker: page.next.as_ref().map(|marker| spelling.of(&marker.key)),
        next_version_id_marker: next_version.map(ToString::to_string),
        prefix: Some(spelling.of(prefix)),
        version_id_marker: input.version_id_marker,
        versions: Some(contents.into_iter().map(|row| spelling.version(row)).collect()),
        ..ListObjectVersionsOutput::default()
    }))
}
