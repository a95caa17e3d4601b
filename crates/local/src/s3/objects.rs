//! GET, HEAD, PUT, COPY and DELETE of objects.

use std::ops::Range;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput, DeleteObjectOutput,
    ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, MetadataDirective,
    PutObjectInput, PutObjectOutput, Timestamp,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::checksum;
use super::conditions::{Conditions, Verdict, names};
use super::content::{self, DEFAULT_TYPE, Promise, stored_encoding};
use super::errors::{broken_store, http_date, precondition_failed};
use super::state::Deleted;
use super::store::{NewObject, Refusal, S3};
use super::version::{Attributes, Content, Version, VersionId};

pub(super) async fn get(
    store: &S3,
    request: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let input = &request.input;
    let version = find(store, &input.bucket, &input.key, input.version_id.as_deref())?;
    let content = content_of(&version)?;
    let part = select(&version, content, &request.headers, input.range)?;
    let asked = input.checksum_mode.is_some() && part.is_none();
    let body = content::read(store, &version, content, part.clone().unwrap_or(0..content.size)).await;
    let head = describe(&version, content, part, asked);
    Ok(S3Response::new(GetObjectOutput {
        body: Some(body.map_err(|error| broken_store(&error))?),
        ..into_get(head)
    }))
}

pub(super) fn head(
    store: &S3,
    request: &S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = &request.input;
    let version = find(store, &input.bucket, &input.key, input.version_id.as_deref())?;
    let content = content_of(&version)?;
    let part = select(&version, content, &request.headers, input.range)?;
    let asked = input.checksum_mode.is_some() && part.is_none();
    Ok(S3Response::with_headers(describe(&version, content, part, asked), overrides(input)?))
}

/// The newest version or the one with this id.
pub(super) fn find(store: &S3, bucket: &str, key: &str, id: Option<&str>) -> S3Result<Arc<Version>> {
    Ok(store.find(bucket, key, version_id(id)?.as_ref())?)
}

pub(super) fn version_id(text: Option<&str>) -> S3Result<Option<VersionId>> {
    let parsed = text
        .map(|text| VersionId::parse(text).ok_or(s3_error!(InvalidArgument, "Invalid version id specified")));
    parsed.transpose()
}

fn content_of(version: &Version) -> S3Result<&Content> {
    version.content.as_deref().ok_or_else(|| Refusal::NoSuchVersion.into())
}

/// The range to send, `None` for everything, once the conditions hold.
fn select(
    version: &Version,
    content: &Content,
    headers: &HeaderMap,
    range: Option<s3s::dto::Range>,
) -> S3Result<Option<Range<u64>>> {
    match Conditions::from_headers(headers).check(&content.etag, version.modified_seconds()) {
        Verdict::Send => {}
        Verdict::NotModified => return Err(not_modified(version, content)),
        Verdict::Failed => return Err(precondition_failed()),
    }
    range.map(|range| range.check(content.size).map_err(|_| not_satisfiable(content.size))).transpose()
}

fn not_modified(version: &Version, content: &Content) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::try_from(format!("\"{}\"", content.etag)).map(|tag| (header::ETAG, tag)));
    headers.extend(http_date(version.modified_seconds()).map(|date| (header::LAST_MODIFIED, date)));
    let mut error = s3_error!(NotModified);
    error.set_headers(headers);
    error
}

fn not_satisfiable(size: u64) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers
        .extend(HeaderValue::try_from(format!("bytes */{size}")).map(|range| (header::CONTENT_RANGE, range)));
    let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
    error.set_headers(headers);
    error
}

fn describe(
    version: &Version,
    content: &Content,
    part: Option<Range<u64>>,
    with_checksum: bool,
) -> HeadObjectOutput {
    let attributes = content.attributes.clone();
    let checksum = checksum::shown(content.checksum.as_ref().filter(|_| with_checksum));
    let length = part.as_ref().map_or(content.size, |part| part.end - part.start);
    let range =
        part.map(|part| format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), content.size));
    HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: attributes.cache_control,
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        content_disposition: attributes.content_disposition,
        content_encoding: attributes.content_encoding,
        content_language: attributes.content_language,
        content_length: i64::try_from(length).ok(),
        content_range: range,
        content_type: Some(attributes.content_type.unwrap_or_else(|| DEFAULT_TYPE.to_owned())),
        e_tag: Some(ETag::Strong(content.etag.clone())),
        last_modified: modified(version),
        metadata: Some(attributes.metadata.into_iter().collect()),
        version_id: Some(version.id.to_string()),
        ..HeadObjectOutput::default()
    }
}

fn into_get(head: HeadObjectOutput) -> GetObjectOutput {
    GetObjectOutput {
        accept_ranges: head.accept_ranges,
        cache_control: head.cache_control,
        checksum_crc32: head.checksum_crc32,
        checksum_crc32c: head.checksum_crc32c,
        checksum_crc64nvme: head.checksum_crc64nvme,
        checksum_sha1: head.checksum_sha1,
        checksum_sha256: head.checksum_sha256,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_length: head.content_length,
        content_range: head.content_range,
        content_type: head.content_type,
        e_tag: head.e_tag,
        last_modified: head.last_modified,
        metadata: head.metadata,
        version_id: head.version_id,
        ..GetObjectOutput::default()
    }
}

pub(super) fn modified(version: &Version) -> Option<Timestamp> {
    let nanoseconds = i128::from(version.modified) * 1_000_000;
    time::OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok().map(Timestamp::from)
}

/// The `response-` parameters of a HEAD; those of a GET are seen to by the protocol crate.
fn overrides(input: &HeadObjectInput) -> S3Result<HeaderMap> {
    let asked = [
        (header::CONTENT_TYPE, &input.response_content_type),
        (header::CONTENT_LANGUAGE, &input.response_content_language),
        (header::CACHE_CONTROL, &input.response_cache_control),
        (header::CONTENT_DISPOSITION, &input.response_content_disposition),
        (header::CONTENT_ENCODING, &input.response_content_encoding),
    ];
    let given = asked.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    given.map(|(name, value)| override_header(name, value)).collect()
}

fn override_header(name: HeaderName, value: &str) -> S3Result<(HeaderName, HeaderValue)> {
    let value =
        HeaderValue::from_str(value).map_err(|_| s3_error!(InvalidArgument, "Not a value of {name}"))?;
    Ok((name, value))
}

pub(super) async fn put(
    store: &S3,
    request: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let S3Request { input, headers, trailing_headers, .. } = request;
    store.read(&input.bucket, |_| ())?;
    let promise =
        Promise { headers: &headers, trailers: trailing_headers.as_ref(), length: input.content_length };
    let received = content::receive(store, input.body, promise).await?;
    let checksum = checksum::shown(received.checksum.as_ref());
    let object = NewObject {
        size: received.size,
        etag: hex::encode(received.md5),
        attributes: Attributes {
            content_type: input.content_type,
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: stored_encoding(&headers),
            content_language: input.content_language,
            metadata: input.metadata.into_iter().flatten().collect(),
        },
        checksum: received.checksum,
        body: received.body,
    };
    let etag = object.etag.clone();
    let version = store.add(&input.bucket, &input.key, object, |newest| may_replace(&headers, newest))?;
    Ok(S3Response::new(PutObjectOutput {
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        e_tag: Some(ETag::Strong(etag)),
        version_id: Some(version.id.to_string()),
        ..PutObjectOutput::default()
    }))
}

/// Conditional writes: AWS, *How to prevent object overwrites with conditional writes*.
pub(super) fn may_replace(headers: &HeaderMap, newest: Option<&Content>) -> bool {
    let tags = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let covered = |tags: &str| newest.is_some_and(|content| names(tags, &content.etag));
    tags(header::IF_MATCH).is_none_or(covered) && !tags(header::IF_NONE_MATCH).is_some_and(covered)
}

pub(super) fn copy(
    store: &S3,
    request: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let S3Request { input, .. } = request;
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
        return Err(s3_error!(NotImplemented, "Only buckets can be copied from"));
    };
    let source = find(store, bucket, key, version_id.as_deref())?;
    let content = content_of(&source)?;
    let replace = input.metadata_directive.as_ref().is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
    let attributes = if replace {
        Attributes {
            content_type: input.content_type,
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            metadata: input.metadata.into_iter().flatten().collect(),
        }
    } else {
        content.attributes.clone()
    };
    let object = NewObject {
        size: content.size,
        etag: content.etag.clone(),
        attributes,
        checksum: content.checksum.clone(),
        body: store.bodies().share(&source.id, &content.body).map_err(|error| broken_store(&error))?,
    };
    let version = store.add(&input.bucket, &input.key, object, |_| true)?;
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            e_tag: Some(ETag::Strong(content.etag.clone())),
            last_modified: modified(&version),
            ..CopyObjectResult::default()
        }),
        copy_source_version_id: Some(source.id.to_string()),
        version_id: Some(version.id.to_string()),
        ..CopyObjectOutput::default()
    }))
}

pub(super) fn delete(
    store: &S3,
    request: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = request.input;
    let id = version_id(input.version_id.as_deref())?;
    let outcome = store.delete(&input.bucket, &[(&input.key, id.as_ref())])?.pop();
    let (id, marker) = match outcome {
        Some(Deleted::Hidden(id)) => (Some(id), true),
        Some(Deleted::Removed { id, marker }) => (Some(id), marker),
        None => (None, false),
    };
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: marker.then_some(true),
        version_id: id.map(|id| id.to_string()),
        ..DeleteObjectOutput::default()
    }))
}
