//! Multipart uploads. They are in memory, and their parts are incomplete bodies: an upload ends with the process.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use http::HeaderMap;
use md5::{Digest, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    ETag, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::body_store::StagedBody;
use super::checksum;
use super::content::{self, BodyExpectations, stored_content_encoding};
use super::errors::internal_error;
use super::objects::is_write_allowed;
use super::store::{NewObject, S3Store};
use super::version::{Attributes, Version};

/// AWS, *Amazon S3 multipart upload limits*: every part except the last has at least 5 MiB.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;
const MAX_PART_NUMBER: i32 = 10_000;

/// The open uploads by id.
pub(crate) type MultipartUploads = HashMap<String, MultipartUpload>;

#[derive(Debug)]
pub(crate) struct MultipartUpload {
    bucket: String,
    key: String,
    attributes: Attributes,
    parts: BTreeMap<i32, Part>,
}

#[derive(Debug)]
struct Part {
    size: u64,
    md5: [u8; 16],
    body: StagedBody,
}

pub(super) fn create_upload(
    store: &S3Store,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let S3Request { input, headers, .. } = request;
    store.check_bucket(&input.bucket)?;
    let attributes = Attributes {
        content_type: input.content_type,
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_encoding: stored_content_encoding(&headers),
        content_language: input.content_language,
        metadata: input.metadata.into_iter().flatten().collect(),
    };
    // The attributes of the object come from this request, not from those of the parts.
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (bucket, key) = (input.bucket.clone(), input.key.clone());
    let upload = MultipartUpload { bucket, key, attributes, parts: BTreeMap::new() };
    store.uploads().insert(id.clone(), upload);
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        key: Some(input.key),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    }))
}

pub(super) async fn upload_part(
    store: &S3Store,
    request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let S3Request { input, headers, trailing_headers, .. } = request;
    if !(1..=MAX_PART_NUMBER).contains(&input.part_number) {
        return Err(s3_error!(
            InvalidArgument,
            "Part number must be an integer between 1 and 10000, inclusive"
        ));
    }
    find_upload(&mut store.uploads(), &input.upload_id, &input.bucket, &input.key)?;
    let expectations = BodyExpectations {
        headers: &headers,
        trailers: trailing_headers.as_ref(),
        length: input.content_length,
    };
    let received = content::receive_body(store, input.body, expectations).await?;
    let part = Part { size: received.size, md5: received.md5, body: received.body };
    // Looked up again: the upload may have ended while the body arrived. A part may be uploaded more than once, and the
    // last one counts.
    find_upload(&mut store.uploads(), &input.upload_id, &input.bucket, &input.key)?
        .parts
        .insert(input.part_number, part);
    let checksum = checksum::to_dto(received.checksum.as_ref());
    Ok(S3Response::new(UploadPartOutput {
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        e_tag: Some(ETag::Strong(hex::encode(received.md5))),
        ..UploadPartOutput::default()
    }))
}

pub(super) async fn complete_upload(
    store: &S3Store,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let S3Request { input, headers, .. } = request;
    let requested = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let upload = {
        let mut uploads = store.uploads();
        validate_parts(find_upload(&mut uploads, &input.upload_id, &input.bucket, &input.key)?, &requested)?;
        // Removed before the parts are assembled, so that a second completion fails with `NoSuchUpload`.
        uploads.remove(&input.upload_id).ok_or_else(no_such_upload)?
    };
    // Concatenating large files would block the runtime.
    let version = {
        let store = store.clone();
        let task = tokio::task::spawn_blocking(move || assemble(&store, upload, &requested, &headers));
        task.await.map_err(|error| internal_error(&io::Error::other(error)))??
    };
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        e_tag: version.content.as_ref().map(|content| ETag::Strong(content.etag.clone())),
        key: Some(input.key),
        version_id: Some(version.id.to_string()),
        ..CompleteMultipartUploadOutput::default()
    }))
}

pub(super) fn abort_upload(
    store: &S3Store,
    input: &AbortMultipartUploadInput,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let mut uploads = store.uploads();
    find_upload(&mut uploads, &input.upload_id, &input.bucket, &input.key)?;
    uploads.remove(&input.upload_id);
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

fn find_upload<'a>(
    uploads: &'a mut MultipartUploads,
    id: &str,
    bucket: &str,
    key: &str,
) -> S3Result<&'a mut MultipartUpload> {
    let found = uploads.get_mut(id).filter(|upload| upload.bucket == bucket && upload.key == key);
    found.ok_or_else(no_such_upload)
}

fn no_such_upload() -> s3s::S3Error {
    s3_error!(NoSuchUpload, "The specified multipart upload does not exist.")
}

/// Checks that the requested parts exist and can become one object.
fn validate_parts(upload: &MultipartUpload, requested: &[CompletedPart]) -> S3Result<()> {
    if requested.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    // The order of uploads does not matter, but the list must be ascending.
    if !requested.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order."));
    }
    for (index, part) in requested.iter().enumerate() {
        let uploaded = part.part_number.and_then(|number| upload.parts.get(&number));
        // The ETag proves that the client means the part that is stored.
        let tag = part.e_tag.as_ref().map(ETag::value);
        let Some(uploaded) = uploaded.filter(|part| tag == Some(&hex::encode(part.md5))) else {
            return Err(s3_error!(InvalidPart, "One or more of the specified parts could not be found."));
        };
        if uploaded.size < MIN_PART_BYTES && index + 1 < requested.len() {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            ));
        }
    }
    Ok(())
}

/// Concatenates the parts into a new version. Uploaded parts that the request does not name are discarded.
fn assemble(
    store: &S3Store,
    mut upload: MultipartUpload,
    requested: &[CompletedPart],
    headers: &HeaderMap,
) -> S3Result<Arc<Version>> {
    let parts: Vec<_> = requested.iter().filter_map(|part| upload.parts.remove(&part.part_number?)).collect();
    let (mut size, mut digest) = (0, Md5::new());
    for part in &parts {
        size += part.size;
        digest.update(part.md5);
    }
    let object = NewObject {
        size,
        // Not the MD5 of the content: the MD5 of the parts' MD5s, and the number of parts.
        etag: format!("{}-{}", hex::encode(digest.finalize()), parts.len()),
        attributes: upload.attributes,
        // S3 would combine the checksums of the parts. Nothing here needs that.
        checksum: None,
        part_sizes: parts.iter().map(|part| part.size).collect(),
        body: concatenate_parts(store, parts).map_err(|error| internal_error(&error))?,
    };
    Ok(store.add_version(&upload.bucket, &upload.key, object, |newest| is_write_allowed(headers, newest))?)
}

fn concatenate_parts(store: &S3Store, mut parts: Vec<Part>) -> io::Result<StagedBody> {
    // A single part needs no copy.
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return Ok(only.body);
    }
    let (mut whole, temporary) = store.bodies().create_temporary()?;
    for part in parts {
        match part.body {
            StagedBody::Inline(bytes) => whole.write_all(&bytes)?,
            StagedBody::File(file) => {
                io::copy(&mut File::open(file.path())?, &mut whole)?;
            }
        }
    }
    Ok(StagedBody::File(temporary))
}
