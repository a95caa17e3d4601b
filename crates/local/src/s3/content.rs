//! Body streams: from a client to a staged body, and from a stored body to a client.

use std::io::{self, SeekFrom};
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, StatusCode, header};
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::dto::StreamingBlob;
use s3s::{S3Result, TrailingHeaders, s3_error};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::S3Store;
use super::body_store::{MAX_INLINE_BYTES, StagedBody, TemporaryFile};
use super::checksum::ExpectedChecksum;
use super::errors::{custom_error, internal_error};
use super::version::{Body, Checksum, Content, Version};

/// Size of one chunk of a body that is read from a file.
const CHUNK_BYTES: usize = 64 * 1024;

/// A complete and verified body.
pub(super) struct ReceivedBody {
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    pub(super) checksum: Option<Checksum>,
    pub(super) body: StagedBody,
}

/// What the client announced about the body.
pub(super) struct BodyExpectations<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) trailers: Option<&'a TrailingHeaders>,
    /// Bytes without the framing of `aws-chunked`.
    pub(super) length: Option<i64>,
}

/// Reads a body to its end and verifies its length, `Content-MD5` and `x-amz-checksum-*`.
pub(super) async fn receive_body(
    store: &S3Store,
    mut body: Option<StreamingBlob>,
    expectations: BodyExpectations<'_>,
) -> S3Result<ReceivedBody> {
    let Some(length) = expectations.length.and_then(|length| u64::try_from(length).ok()) else {
        // S3 requires the length in advance, also for `aws-chunked`.
        return Err(s3_error!(MissingContentLength));
    };
    let expected = ExpectedChecksum::from_headers(expectations.headers)?;
    let hasher = expected.as_ref().map(ExpectedChecksum::new_hasher);
    let mut writer = BodyWriter { hasher, ..BodyWriter::default() };
    while let Some(chunk) = next_chunk(&mut body).await {
        let chunk = chunk.map_err(|error| stream_error(&error.to_string()))?;
        writer.write(store, &chunk).await.map_err(|error| internal_error(&error))?;
    }
    if writer.size != length {
        return Err(s3_error!(IncompleteBody));
    }
    let md5: [u8; 16] = writer.md5.finalize_reset().into();
    verify_md5(expectations.headers, md5)?;
    let checksum = match (expected, writer.hasher.take()) {
        (Some(expected), Some(hasher)) => Some(expected.verify(hasher, expectations.trailers)?),
        _ => None,
    };
    Ok(ReceivedBody {
        size: writer.size,
        md5,
        checksum,
        body: writer.finish().await.map_err(|error| internal_error(&error))?,
    })
}

async fn next_chunk(body: &mut Option<StreamingBlob>) -> Option<Result<Bytes, s3s::StdError>> {
    body.as_mut()?.next().await
}

/// The streams of the protocol crate verify hashes and chunk signatures, but report their errors only as text.
fn stream_error(error: &str) -> s3s::S3Error {
    if error.contains("Sha256Mismatch") {
        custom_error(
            "XAmzContentSHA256Mismatch",
            StatusCode::BAD_REQUEST,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    } else if error.contains("SignatureMismatch") {
        s3_error!(SignatureDoesNotMatch)
    } else {
        s3_error!(IncompleteBody)
    }
}

pub(super) fn verify_md5(headers: &HeaderMap, md5: [u8; 16]) -> S3Result<()> {
    let Some(value) = headers.get("content-md5") else { return Ok(()) };
    let expected = STANDARD.decode(value.as_bytes()).ok().filter(|bytes| bytes.len() == md5.len());
    match expected {
        None => Err(s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid.")),
        Some(expected) if expected == md5 => Ok(()),
        Some(_) => Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received.")),
    }
}

/// Keeps a small body in memory and writes a larger one to a file.
#[derive(Default)]
struct BodyWriter {
    size: u64,
    md5: Md5,
    hasher: Option<ChecksumHasher>,
    buffer: BytesMut,
    file: Option<(File, TemporaryFile)>,
}

impl BodyWriter {
    async fn write(&mut self, store: &S3Store, chunk: &[u8]) -> io::Result<()> {
        self.size += chunk.len() as u64;
        self.md5.update(chunk);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
        // The first chunk over the limit moves the buffered bytes to a file.
        if self.file.is_none() && self.buffer.len() + chunk.len() > MAX_INLINE_BYTES {
            let (file, temporary) = store.bodies().create_temporary()?;
            let (file, _) = self.file.insert((File::from_std(file), temporary));
            file.write_all(&self.buffer).await?;
        }
        let Some((file, _)) = &mut self.file else {
            self.buffer.extend_from_slice(chunk);
            return Ok(());
        };
        file.write_all(chunk).await
    }

    async fn finish(self) -> io::Result<StagedBody> {
        match self.file {
            None => Ok(StagedBody::Inline(self.buffer.freeze())),
            Some((mut file, temporary)) => {
                file.flush().await?;
                Ok(StagedBody::File(temporary))
            }
        }
    }
}

/// Opens a range of a version's content. The range must lie within the content.
///
/// # Errors
///
/// `NotFound` if the version was removed after the caller looked it up.
pub(crate) async fn read_range(
    store: &S3Store,
    version: &Version,
    content: &Content,
    range: Range<u64>,
) -> io::Result<StreamingBlob> {
    let body = match &content.body {
        Body::Inline(bytes) => s3s::Body::from(slice_bytes(bytes, &range)),
        Body::File => {
            let mut file = File::open(store.bodies().body_path(&version.id)).await?;
            file.seek(SeekFrom::Start(range.start)).await?;
            let reader = RangeReader { file, remaining: range.end - range.start };
            return Ok(StreamingBlob::wrap(stream::try_unfold(reader, RangeReader::read_chunk)));
        }
    };
    Ok(StreamingBlob::from(body))
}

fn slice_bytes(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let index =
        |position: u64| usize::try_from(position).map_or(bytes.len(), |position| position.min(bytes.len()));
    bytes.slice(index(range.start)..index(range.end))
}

struct RangeReader {
    file: File,
    remaining: u64,
}

impl RangeReader {
    async fn read_chunk(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.remaining == 0 {
            return Ok(None);
        }
        let limit = self.remaining.min(CHUNK_BYTES as u64);
        let mut chunk = BytesMut::with_capacity(usize::try_from(limit).unwrap_or(CHUNK_BYTES));
        let count = (&mut self.file).take(limit).read_buf(&mut chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.remaining -= count as u64;
        Ok(Some((chunk.freeze(), self)))
    }
}

/// The `Content-Type` that S3 returns for an object without one.
pub(crate) const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// `Content-Encoding` without `aws-chunked`, which describes the transfer and not the object.
pub(super) fn stored_content_encoding(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_ENCODING)?.to_str().ok()?;
    let codings: Vec<_> = value
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && *coding != "aws-chunked")
        .collect();
    (!codings.is_empty()).then(|| codings.join(","))
}
