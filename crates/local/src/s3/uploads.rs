//! Multipart uploads. They live in memory, their parts among the arriving bodies: an upload ends with the process.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};

use http::HeaderMap;
use md5::{Digest, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    ETag, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::bodies::Staged;
use super::checksum;
use super::content::{self, Promise, stored_encoding};
use super::errors::broken_store;
use super::objects::may_replace;
use super::store::{NewObject, S3};
use super::version::Attributes;

/// AWS, *Amazon S3 multipart upload limits*: every part but the last has at least 5 MiB.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
const MOST_PARTS: i32 = 10_000;

/// The uploads that are under way, by their ids.
pub(crate) type Uploads = HashMap<String, Upload>;

#[derive(Debug)]
pub(crate) struct Upload {
    bucket: String,
    key: String,
    attributes: Attributes,
    parts: BTreeMap<i32, Part>,
}

#[derive(Debug)]
struct Part {
    size: u64,
    md5: [u8; 16],
    body: Staged,
}

pub(super) fn create(
    store: &S3,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let S3Request { input, headers, .. } = request;
    store.read(&input.bucket, |_| ())?;
    let attributes = Attributes {
        content_type: input.content_type,
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_encoding: stored_encoding(&headers),
        content_language: input.content_language,
        metadata: input.metadata.into_iter().flatten().collect(),
    };
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (bucket, key) = (input.bucket.clone(), input.key.clone());
    store.uploads().insert(id.clone(), Upload { bucket, key, attributes, parts: BTreeMap::new() });
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        key: Some(input.key),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    }))
}

pub(super) async fn part(
    store: &S3,
    request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let S3Request { input, headers, trailing_headers, .. } = request;
    if !(1..=MOST_PARTS).contains(&input.part_number) {
        return Err(s3_error!(
            InvalidArgument,
            "Part number must be an integer between 1 and 10000, inclusive"
        ));
    }
    find(&mut store.uploads(), &input.upload_id, &input.bucket, &input.key)?;
    let promise =
        Promise { headers: &headers, trailers: trailing_headers.as_ref(), length: input.content_length };
    let received = content::receive(store, input.body, promise).await?;
    let part = Part { size: received.size, md5: received.md5, body: received.body };
    find(&mut store.uploads(), &input.upload_id, &input.bucket, &input.key)?
        .parts
        .insert(input.part_number, part);
    let checksum = checksum::shown(received.checksum.as_ref());
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

pub(super) async fn complete(
    store: &S3,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let S3Request { input, headers, .. } = request;
    let asked = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let upload = {
        let mut uploads = store.uploads();
        check(find(&mut uploads, &input.upload_id, &input.bucket, &input.key)?, &asked)?;
        uploads.remove(&input.upload_id).ok_or_else(no_such_upload)?
    };
    let version = {
        let store = store.clone();
        let joining = tokio::task::spawn_blocking(move || join(&store, upload, &asked, &headers));
        joining.await.map_err(|error| broken_store(&io::Error::other(error)))??
    };
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        e_tag: version.content.as_ref().map(|content| ETag::Strong(content.etag.clone())),
        key: Some(input.key),
        version_id: Some(version.id.to_string()),
        ..CompleteMultipartUploadOutput::default()
    }))
}

pub(super) fn abort(
    store: &S3,
    input: &AbortMultipartUploadInput,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let mut uploads = store.uploads();
    find(&mut uploads, &input.upload_id, &input.bucket, &input.key)?;
    uploads.remove(&input.upload_id);
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

fn find<'a>(uploads: &'a mut Uploads, id: &str, bucket: &str, key: &str) -> S3Result<&'a mut Upload> {
    let found = uploads.get_mut(id).filter(|upload| upload.bucket == bucket && upload.key == key);
    found.ok_or_else(no_such_upload)
}

fn no_such_upload() -> s3s::S3Error {
    s3_error!(NoSuchUpload, "The specified multipart upload does not exist.")
}

/// Whether these parts, in this order, make an object.
fn check(upload: &Upload, asked: &[CompletedPart]) -> S3Result<()> {
    if asked.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    if !asked.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order."));
    }
    for (at, part) in asked.iter().enumerate() {
        let kept = part.part_number.and_then(|number| upload.parts.get(&number));
        let tag = part.e_tag.as_ref().map(ETag::value);
        let Some(kept) = kept.filter(|kept| tag == Some(&hex::encode(kept.md5))) else {
            return Err(s3_error!(InvalidPart, "One or more of the specified parts could not be found."));
        };
        if kept.size < SMALLEST_PART && at + 1 < asked.len() {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            ));
        }
    }
    Ok(())
}

/// Puts the parts one after another and makes them a version.
fn join(
    store: &S3,
    mut upload: Upload,
    asked: &[CompletedPart],
    headers: &HeaderMap,
) -> S3Result<std::sync::Arc<super::version::Version>> {
    let chosen = asked.iter().filter_map(|part| upload.parts.remove(&part.part_number?)).collect::<Vec<_>>();
    let (mut size, mut tags) = (0, Md5::new());
    for part in &chosen {
        size += part.size;
        tags.update(part.md5);
    }
    let object = NewObject {
        size,
        etag: format!("{}-{}", hex::encode(tags.finalize()), chosen.len()),
        attributes: upload.attributes,
        checksum: None,
        body: concatenate(store, chosen).map_err(|error| broken_store(&error))?,
    };
    Ok(store.add(&upload.bucket, &upload.key, object, |newest| may_replace(headers, newest))?)
}

fn concatenate(store: &S3, mut parts: Vec<Part>) -> io::Result<Staged> {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return Ok(only.body);
    }
    let (mut whole, temporary) = store.bodies().arrive()?;
    for part in parts {
        match part.body {
            Staged::Inline(bytes) => whole.write_all(&bytes)?,
            Staged::File(file) => {
                io::copy(&mut File::open(file.path())?, &mut whole)?;
            }
        }
    }
    Ok(Staged::File(temporary))
}
