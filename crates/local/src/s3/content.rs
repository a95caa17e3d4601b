//! Streams: bytes from a client to a staged body, and from a body to a client.

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

use super::S3;
use super::bodies::{INLINE_LIMIT, Staged, Temporary};
use super::checksum::Announced;
use super::errors::{self, broken_store};
use super::version::{Body, Checksum, Content, Version};

/// Bytes per piece of a body that is read from a file.
const PIECE: usize = 64 * 1024;

/// A body that arrived whole and is what its sender said it would be.
pub(super) struct Received {
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    pub(super) checksum: Option<Checksum>,
    pub(super) body: Staged,
}

/// What the sender said about the body.
pub(super) struct Promise<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) trailers: Option<&'a TrailingHeaders>,
    /// Bytes, without the framing of `aws-chunked`.
    pub(super) length: Option<i64>,
}

/// Reads a body to its end and checks its length, `Content-MD5` and `x-amz-checksum-`.
pub(super) async fn receive(
    store: &S3,
    mut body: Option<StreamingBlob>,
    promise: Promise<'_>,
) -> S3Result<Received> {
    let Some(length) = promise.length.and_then(|length| u64::try_from(length).ok()) else {
        return Err(s3_error!(MissingContentLength));
    };
    let announced = Announced::find(promise.headers)?;
    let mut sink = Sink { hasher: announced.as_ref().map(Announced::hasher), ..Sink::default() };
    while let Some(piece) = next(&mut body).await {
        let piece = piece.map_err(|error| broken(&error.to_string()))?;
        sink.write(store, &piece).await.map_err(|error| broken_store(&error))?;
    }
    if sink.size != length {
        return Err(s3_error!(IncompleteBody));
    }
    let md5: [u8; 16] = sink.md5.finalize_reset().into();
    check_md5(promise.headers, md5)?;
    let checksum = match (announced, sink.hasher.take()) {
        (Some(announced), Some(hasher)) => Some(announced.check(hasher, promise.trailers)?),
        _ => None,
    };
    Ok(Received {
        size: sink.size,
        md5,
        checksum,
        body: sink.finish().await.map_err(|error| broken_store(&error))?,
    })
}

async fn next(body: &mut Option<StreamingBlob>) -> Option<Result<Bytes, s3s::StdError>> {
    body.as_mut()?.next().await
}

/// The protocol crate's streams check hashes and signatures as they go, but name their errors only in words.
fn broken(error: &str) -> s3s::S3Error {
    if error.contains("Sha256Mismatch") {
        errors::named(
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

pub(super) fn check_md5(headers: &HeaderMap, md5: [u8; 16]) -> S3Result<()> {
    let Some(value) = headers.get("content-md5") else { return Ok(()) };
    let expected = STANDARD.decode(value.as_bytes()).ok().filter(|bytes| bytes.len() == md5.len());
    match expected {
        None => Err(s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid.")),
        Some(expected) if expected == md5 => Ok(()),
        Some(_) => Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received.")),
    }
}

/// Keeps a small body in memory and lets a larger one spill into a file.
#[derive(Default)]
struct Sink {
    size: u64,
    md5: Md5,
    hasher: Option<ChecksumHasher>,
    small: BytesMut,
    file: Option<(File, Temporary)>,
}

impl Sink {
    async fn write(&mut self, store: &S3, piece: &[u8]) -> io::Result<()> {
        self.size += piece.len() as u64;
        self.md5.update(piece);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        }
        if self.file.is_none() && self.small.len() + piece.len() > INLINE_LIMIT {
            let (file, temporary) = store.bodies().arrive()?;
            let (file, _) = self.file.insert((File::from_std(file), temporary));
            file.write_all(&self.small).await?;
        }
        let Some((file, _)) = &mut self.file else {
            self.small.extend_from_slice(piece);
            return Ok(());
        };
        file.write_all(piece).await
    }

    async fn finish(self) -> io::Result<Staged> {
        match self.file {
            None => Ok(Staged::Inline(self.small.freeze())),
            Some((mut file, temporary)) => {
                file.flush().await?;
                Ok(Staged::File(temporary))
            }
        }
    }
}

/// Opens a part of a version's content, which must lie within it.
///
/// # Errors
///
/// `NotFound` if the version was removed since it was looked up.
pub(crate) async fn read(
    store: &S3,
    version: &Version,
    content: &Content,
    part: Range<u64>,
) -> io::Result<StreamingBlob> {
    let body = match &content.body {
        Body::Inline(bytes) => s3s::Body::from(slice(bytes, &part)),
        Body::File => {
            let mut file = File::open(store.bodies().path(&version.id)).await?;
            file.seek(SeekFrom::Start(part.start)).await?;
            let pieces = stream::try_unfold((file, part.end - part.start), read_piece);
            return Ok(StreamingBlob::wrap(pieces));
        }
    };
    Ok(StreamingBlob::from(body))
}

fn slice(bytes: &Bytes, part: &Range<u64>) -> Bytes {
    let at =
        |position: u64| usize::try_from(position).map_or(bytes.len(), |position| position.min(bytes.len()));
    bytes.slice(at(part.start)..at(part.end))
}

async fn read_piece((mut file, left): (File, u64)) -> io::Result<Option<(Bytes, (File, u64))>> {
    if left == 0 {
        return Ok(None);
    }
    let want = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
    let mut piece = BytesMut::with_capacity(want);
    let got = (&mut file).take(left.min(PIECE as u64)).read_buf(&mut piece).await?;
    if got == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((piece.freeze(), (file, left - got as u64))))
}

/// `Content-Type` of what was stored without one.
pub(crate) const DEFAULT_TYPE: &str = "binary/octet-stream";

/// `Content-Encoding` without `aws-chunked`, which is about the transfer and not about the object.
pub(super) fn stored_encoding(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_ENCODING)?.to_str().ok()?;
    let kept: Vec<_> = value
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && *coding != "aws-chunked")
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}
