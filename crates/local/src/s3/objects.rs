//! The operations on objects: get, head, put, copy and delete.

use std::ops::Range;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput, DeleteObjectOutput,
    ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, MetadataDirective,
    PutObjectInput, PutObjectOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::checksum;
use super::conditions::matches_etag;
use super::content::{self, BodyExpectations, DEFAULT_CONTENT_TYPE, stored_content_encoding};
use super::errors::{StoreError, internal_error};
use super::ranges::{Selection, select_bytes};
use super::state::DeleteOutcome;
use super::store::{DeleteTarget, NewObject, S3Store};
use super::version::{Attributes, Content, Version, VersionId, to_timestamp};

pub(super) async fn get_object(
    store: &S3Store,
    request: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let input = &request.input;
    let version = find_version(store, &input.bucket, &input.key, input.version_id.as_deref())?;
    let content = require_content(&version)?;
    let selection =
        Selection { headers: &request.headers, range: input.range, part_number: input.part_number };
    let part = select_bytes(&version, content, &selection)?;
    // The checksum covers the whole object, so a partial response has none.
    let with_checksum = input.checksum_mode.is_some() && part.is_none();
    let range = part.clone().unwrap_or(0..content.size);
    let body = content::read_range(store, &version, content, range).await;
    let head = head_output(&version, content, part, with_checksum);
    Ok(S3Response::new(GetObjectOutput {
        body: Some(body.map_err(|error| internal_error(&error))?),
        ..get_output(head)
    }))
}

pub(super) fn head_object(
    store: &S3Store,
    request: &S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = &request.input;
    let version = find_version(store, &input.bucket, &input.key, input.version_id.as_deref())?;
    let content = require_content(&version)?;
    // S3 applies `Range` to a HEAD too, and answers 206.
    let selection =
        Selection { headers: &request.headers, range: input.range, part_number: input.part_number };
    let part = select_bytes(&version, content, &selection)?;
    let with_checksum = input.checksum_mode.is_some() && part.is_none();
    let output = head_output(&version, content, part, with_checksum);
    Ok(S3Response::with_headers(output, response_overrides(input)?))
}

/// The newest version, or the version with this id.
fn find_version(store: &S3Store, bucket: &str, key: &str, id: Option<&str>) -> S3Result<Arc<Version>> {
    Ok(store.find_version(bucket, key, parse_version_id(id)?.as_ref())?)
}

pub(super) fn parse_version_id(text: Option<&str>) -> S3Result<Option<VersionId>> {
    let parsed = text
        .map(|text| VersionId::parse(text).ok_or(s3_error!(InvalidArgument, "Invalid version id specified")));
    parsed.transpose()
}

fn require_content(version: &Version) -> S3Result<&Content> {
    version.content.as_deref().ok_or_else(|| StoreError::NoSuchVersion.into())
}

fn head_output(
    version: &Version,
    content: &Content,
    part: Option<Range<u64>>,
    with_checksum: bool,
) -> HeadObjectOutput {
    let attributes = content.attributes.clone();
    let checksum = checksum::to_dto(content.checksum.as_ref().filter(|_| with_checksum));
    let length = part.as_ref().map_or(content.size, |part| part.end - part.start);
    let range =
        part.map(|part| format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), content.size));
    HeadObjectOutput {
        // Tells clients that they may read ranges.
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
        content_type: Some(attributes.content_type.unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned())),
        e_tag: Some(ETag::Strong(content.etag.clone())),
        last_modified: to_timestamp(version.modified),
        metadata: Some(attributes.metadata.into_iter().collect()),
        version_id: Some(version.id.to_string()),
        ..HeadObjectOutput::default()
    }
}

fn get_output(head: HeadObjectOutput) -> GetObjectOutput {
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

/// The `response-*` parameters of a HEAD. The protocol crate applies those of a GET.
fn response_overrides(input: &HeadObjectInput) -> S3Result<HeaderMap> {
    let parameters = [
        (header::CONTENT_TYPE, &input.response_content_type),
        (header::CONTENT_LANGUAGE, &input.response_content_language),
        (header::CACHE_CONTROL, &input.response_cache_control),
        (header::CONTENT_DISPOSITION, &input.response_content_disposition),
        (header::CONTENT_ENCODING, &input.response_content_encoding),
    ];
    let present = parameters.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    present.map(|(name, value)| parse_override(name, value)).collect()
}

fn parse_override(name: HeaderName, value: &str) -> S3Result<(HeaderName, HeaderValue)> {
    let value =
        HeaderValue::from_str(value).map_err(|_| s3_error!(InvalidArgument, "Invalid value for {name}"))?;
    Ok((name, value))
}

pub(super) async fn put_object(
    store: &S3Store,
    request: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let S3Request { input, headers, trailing_headers, .. } = request;
    // Checked before the body is read, so that a missing bucket is reported at once.
    store.check_bucket(&input.bucket)?;
    let expectations = BodyExpectations {
        headers: &headers,
        trailers: trailing_headers.as_ref(),
        length: input.content_length,
    };
    let received = content::receive_body(store, input.body, expectations).await?;
    let checksum = checksum::to_dto(received.checksum.as_ref());
    let object = NewObject {
        size: received.size,
        etag: hex::encode(received.md5),
        attributes: Attributes {
            content_type: input.content_type,
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: stored_content_encoding(&headers),
            content_language: input.content_language,
            metadata: input.metadata.into_iter().flatten().collect(),
        },
        checksum: received.checksum,
        part_sizes: Vec::new(),
        body: received.body,
    };
    let etag = object.etag.clone();
    let version =
        store.add_version(&input.bucket, &input.key, object, |newest| is_write_allowed(&headers, newest))?;
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

/// Conditional writes: AWS, *How to prevent object overwrites with conditional writes*. A key behind a delete marker counts
/// as absent.
pub(super) fn is_write_allowed(headers: &HeaderMap, newest: Option<&Content>) -> bool {
    let tags = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let matches = |tags: &str| newest.is_some_and(|content| matches_etag(tags, &content.etag));
    tags(header::IF_MATCH).is_none_or(matches) && !tags(header::IF_NONE_MATCH).is_some_and(matches)
}

pub(super) fn copy_object(
    store: &S3Store,
    request: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let S3Request { input, .. } = request;
    // The source may name a version: `bucket/key?versionId=…`.
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
        return Err(s3_error!(NotImplemented, "The source of a copy must be a bucket"));
    };
    let source = find_version(store, bucket, key, version_id.as_deref())?;
    let content = require_content(&source)?;
    let replace = input.metadata_directive.as_ref().is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
    // AWS, `CopyObject`: the directive is COPY by default, and then the attributes of the request are ignored.
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
        // The copy keeps the ETag, too, which has the number of parts. S3 would make one piece of it.
        part_sizes: content.part_sizes.clone(),
        body: store
            .bodies()
            .stage_existing(&source.id, &content.body)
            .map_err(|error| internal_error(&error))?,
    };
    let version = store.add_version(&input.bucket, &input.key, object, |_| true)?;
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            e_tag: Some(ETag::Strong(content.etag.clone())),
            last_modified: to_timestamp(version.modified),
            ..CopyObjectResult::default()
        }),
        copy_source_version_id: Some(source.id.to_string()),
        version_id: Some(version.id.to_string()),
        ..CopyObjectOutput::default()
    }))
}

pub(super) fn delete_object(
    store: &S3Store,
    request: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = request.input;
    let id = parse_version_id(input.version_id.as_deref())?;
    let target = DeleteTarget { key: &input.key, version_id: id.as_ref() };
    // `delete_marker` means that one was added, or that the removed version was one.
    let (id, is_marker) = match store.delete(&input.bucket, &[target])?.pop() {
        Some(DeleteOutcome::MarkerAdded(id)) => (Some(id), true),
        Some(DeleteOutcome::VersionRemoved { id, was_marker }) => (Some(id), was_marker),
        None => (None, false),
    };
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: is_marker.then_some(true),
        version_id: id.map(|id| id.to_string()),
        ..DeleteObjectOutput::default()
    }))
}
