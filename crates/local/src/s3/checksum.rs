//! The checksums that current SDKs send with every upload, in a header or in a trailer.
//!
//! AWS, *Checking object integrity in Amazon S3*.

use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::{S3Result, TrailingHeaders, dto, s3_error};

use super::version::{Algorithm, Checksum};

const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64nvme, Algorithm::Sha1, Algorithm::Sha256];

impl Algorithm {
    const fn header_name(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    fn new_hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(s3s::crypto::Crc32::new()),
            Self::Crc32c => hasher.crc32c = Some(s3s::crypto::Crc32c::new()),
            Self::Crc64nvme => hasher.crc64nvme = Some(s3s::crypto::Crc64Nvme::new()),
            Self::Sha1 => hasher.sha1 = Some(s3s::crypto::Sha1::new()),
            Self::Sha256 => hasher.sha256 = Some(s3s::crypto::Sha256::new()),
        }
        hasher
    }
}

/// The checksum that an upload announces.
pub(super) struct ExpectedChecksum {
    algorithm: Algorithm,
    /// `None` if the value follows in a trailer.
    value: Option<String>,
}

impl ExpectedChecksum {
    /// Finds a checksum among the headers. S3 refuses more than one.
    pub(super) fn from_headers(headers: &HeaderMap) -> S3Result<Option<Self>> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let trailers = text("x-amz-trailer").unwrap_or_default();
        let mut found = ALGORITHMS.into_iter().filter_map(|algorithm| {
            let value = text(algorithm.header_name()).map(str::to_owned);
            let in_trailer =
                trailers.split(',').any(|name| name.trim().eq_ignore_ascii_case(algorithm.header_name()));
            (value.is_some() || in_trailer).then_some(Self { algorithm, value })
        });
        let first = found.next();
        if found.next().is_some() {
            return Err(s3_error!(InvalidRequest, "Expecting a single x-amz-checksum- header"));
        }
        Ok(first)
    }

    pub(super) fn new_hasher(&self) -> ChecksumHasher {
        self.algorithm.new_hasher()
    }

    /// Compares the computed checksum with the announced one. Trailers are complete only after the whole body was read.
    pub(super) fn verify(
        self,
        hasher: ChecksumHasher,
        trailers: Option<&TrailingHeaders>,
    ) -> S3Result<Checksum> {
        let algorithm = self.algorithm;
        // With `aws-chunked` the SDKs know the checksum only after the last chunk.
        let in_trailer =
            || trailers.and_then(|all| all.read(|headers| headers.get(algorithm.header_name()).cloned()))?;
        let expected = self.value.or_else(|| in_trailer()?.to_str().ok().map(str::to_owned));
        let Some(expected) = expected else {
            return Err(s3_error!(InvalidRequest, "The announced checksum is missing from the trailer"));
        };
        let value = computed_value(hasher.finalize()).unwrap_or_default();
        if value != expected.trim() {
            let name = algorithm.header_name();
            return Err(s3_error!(
                BadDigest,
                "The {name} you specified did not match the calculated checksum."
            ));
        }
        Ok(Checksum { algorithm, value })
    }
}

/// A checksum in the format of S3's responses: one field per algorithm.
pub(super) fn to_dto(checksum: Option<&Checksum>) -> dto::Checksum {
    let mut response = dto::Checksum::default();
    if let Some(Checksum { algorithm, value }) = checksum {
        let field = match algorithm {
            Algorithm::Crc32 => &mut response.checksum_crc32,
            Algorithm::Crc32c => &mut response.checksum_crc32c,
            Algorithm::Crc64nvme => &mut response.checksum_crc64nvme,
            Algorithm::Sha1 => &mut response.checksum_sha1,
            Algorithm::Sha256 => &mut response.checksum_sha256,
        };
        *field = Some(value.clone());
    }
    response
}

fn computed_value(computed: dto::Checksum) -> Option<String> {
    let dto::Checksum {
        checksum_crc32,
        checksum_crc32c,
        checksum_crc64nvme,
        checksum_sha1,
        checksum_sha256,
        ..
    } = computed;
    checksum_crc32.or(checksum_crc32c).or(checksum_crc64nvme).or(checksum_sha1).or(checksum_sha256)
}
