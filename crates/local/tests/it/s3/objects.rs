//! The operations on objects and their headers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, MetadataDirective};

use super::{BUCKET, Fixture, get, head, one_minute};

#[tokio::test]
async fn returns_what_was_stored() {
    let s3 = Fixture::start().await;
    // Bodies of up to 1,024 bytes are in the journal, larger ones in files.
    for size in [0, 1, 1_023, 1_024, 1_025, 200_000] {
        let body: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0]).collect();
        s3.put("some/key", body.clone()).await;
        assert_eq!(s3.get("some/key").await, body, "{size} bytes");
    }
}

#[tokio::test]
async fn keys_are_not_normalized() {
    let s3 = Fixture::start().await;
    for key in ["a b+c&d=e%2F?#.txt", "../../etc/passwd", "ünï/çødé", "a//b/", "./x", "quote\"'<>&"] {
        s3.put(key, key.to_owned()).await;
        assert_eq!(s3.get(key).await, key.as_bytes(), "{key}");
    }
}

#[tokio::test]
async fn an_object_keeps_its_headers() {
    let s3 = Fixture::start().await;
    let put = s3.client.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"hello"));
    let put = put.content_type("text/csv").cache_control("max-age=9").content_encoding("gzip");
    let put = put
        .content_disposition("attachment; filename=\"x.csv\"")
        .content_language("en")
        .metadata("who", "me");
    put.send().await.unwrap();
    let got = s3.client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(got.content_type(), Some("text/csv"));
    assert_eq!(got.cache_control(), Some("max-age=9"));
    assert_eq!(got.content_encoding(), Some("gzip"));
    assert_eq!(got.content_disposition(), Some("attachment; filename=\"x.csv\""));
    assert_eq!(got.content_language(), Some("en"));
    assert_eq!(got.metadata().unwrap()["who"], "me");
    assert_eq!(got.content_length(), Some(5));
    assert_eq!(got.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert!(got.last_modified().is_some());
}

#[tokio::test]
async fn a_request_can_override_response_headers() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let request = s3.client.get_object().bucket(BUCKET).key("k").response_content_type("text/plain");
    let request = request.response_content_disposition("attachment").response_cache_control("no-store");
    let got = request.send().await.unwrap();
    assert_eq!(got.content_type(), Some("text/plain"));
    assert_eq!(got.content_disposition(), Some("attachment"));
    assert_eq!(got.cache_control(), Some("no-store"));
    let request = s3.client.head_object().bucket(BUCKET).key("k").response_content_type("text/plain");
    assert_eq!(request.send().await.unwrap().content_type(), Some("text/plain"));
}

#[tokio::test]
async fn serves_ranges() {
    let s3 = Fixture::start().await;
    for size in [100_usize, 100_000] {
        let body: Vec<u8> = (0..=255).cycle().take(size).collect();
        s3.put("k", body.clone()).await;
        let url = s3.presigned_get("k").await.uri().to_owned();
        let last = size - 1;
        let cases = [
            ("bytes=0-0", 0..1),
            ("bytes=10-19", 10..20),
            ("bytes=90-", 90..size),
            ("bytes=-7", size - 7..size),
            ("bytes=-999999", 0..size),
            ("bytes=50-999999", 50..size),
        ];
        for (range, part) in cases {
            let got = get(&url, &[("range", range)]).await;
            assert_eq!(got.status, 206, "{range}");
            assert_eq!(got.body, body[part.clone()], "{range}");
            assert_eq!(got.header("content-range"), format!("bytes {}-{}/{size}", part.start, part.end - 1));
            assert_eq!(got.header("content-length"), part.len().to_string());
        }
        let beyond = get(&url, &[("range", &format!("bytes={}-", last + 1))]).await;
        assert_eq!(
            (beyond.status.as_u16(), beyond.header("content-range")),
            (416, &*format!("bytes */{size}"))
        );
        assert!(beyond.text().contains("<Code>InvalidRange</Code>"));
        for unsupported in ["bytes=5-2", "lines=1-2", "bytes=0-1,5-6"] {
            let got = get(&url, &[("range", unsupported)]).await;
            assert_eq!((got.status.as_u16(), got.body.len()), (200, size), "{unsupported}");
        }
    }
}

#[tokio::test]
async fn a_head_with_a_range_is_partial() {
    let s3 = Fixture::start().await;
    s3.put("k", "0123456789").await;
    let signed = s3.client.head_object().bucket(BUCKET).key("k").presigned(one_minute()).await.unwrap();
    let whole = head(signed.uri(), &[]).await;
    assert_eq!((whole.status.as_u16(), whole.header("content-length")), (200, "10"));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let part = head(signed.uri(), &[("range", "bytes=0-")]).await;
    assert_eq!((part.status.as_u16(), part.header("content-range")), (206, "bytes 0-9/10"));
    assert_eq!(part.header("content-length"), "10");
}

#[tokio::test]
async fn evaluates_conditions() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    let etag = "\"5d41402abc4b2a76b9719d911017c592\"";
    let cached = get(&url, &[("if-none-match", etag)]).await;
    assert_eq!((cached.status.as_u16(), cached.body.len(), cached.header("etag")), (304, 0, etag));
    let modified = get(&url, &[]).await.header("last-modified").to_owned();
    assert_eq!(get(&url, &[("if-modified-since", &modified)]).await.status, 304);
    assert_eq!(get(&url, &[("if-match", etag)]).await.status, 200);
    assert_eq!(get(&url, &[("if-match", "\"0\"")]).await.status, 412);
    assert_eq!(get(&url, &[("if-none-match", "\"0\"")]).await.status, 200);
}

#[tokio::test]
async fn evaluates_conditions_of_writes() {
    let s3 = Fixture::start().await;
    let put = |body: &'static str| {
        s3.client.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(body.as_bytes()))
    };
    let first = put("one").if_none_match("*").send().await.unwrap();
    let again = put("two").if_none_match("*").send().await.unwrap_err();
    assert_eq!(again.code(), Some("PreconditionFailed"));
    put("two").if_match(first.e_tag().unwrap()).send().await.unwrap();
    assert_eq!(
        put("three").if_match(first.e_tag().unwrap()).send().await.unwrap_err().code(),
        Some("PreconditionFailed")
    );
    // A key behind a delete marker counts as absent.
    s3.store.add_delete_marker(BUCKET, "k").unwrap();
    put("four").if_none_match("*").send().await.unwrap();
}

#[tokio::test]
async fn checksums_are_verified_and_returned() {
    let s3 = Fixture::start().await;
    let algorithms = [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ];
    for algorithm in algorithms {
        let put = s3.client.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"hello"));
        put.checksum_algorithm(algorithm.clone()).send().await.unwrap();
        let got = s3.client.head_object().bucket(BUCKET).key("k").checksum_mode(ChecksumMode::Enabled);
        let got = got.send().await.unwrap();
        let all = [
            got.checksum_crc32(),
            got.checksum_crc32_c(),
            got.checksum_crc64_nvme(),
            got.checksum_sha1(),
            got.checksum_sha256(),
        ];
        assert_eq!(all.iter().flatten().count(), 1, "{algorithm}");
        // The SDK verifies the checksum of the body.
        assert_eq!(s3.get("k").await, b"hello");
    }
}

/// The SDK reads a file only once, so it sends `aws-chunked` with the checksum in a trailer.
#[tokio::test]
async fn a_checksum_may_be_in_a_trailer() {
    let s3 = Fixture::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32C, ChecksumAlgorithm::Sha256] {
        let body: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        std::fs::write(file.path(), &body).unwrap();
        let stream = ByteStream::from_path(file.path()).await.unwrap();
        let put = s3.client.put_object().bucket(BUCKET).key("k").body(stream).checksum_algorithm(algorithm);
        let chunked = Arc::new(AtomicBool::new(false));
        let is_chunked = Arc::clone(&chunked);
        let put = put.customize().map_request(move |request| {
            is_chunked.store(request.headers().contains_key("x-amz-trailer"), Ordering::Relaxed);
            Ok::<_, std::io::Error>(request)
        });
        let output = put.send().await.unwrap();
        assert!(chunked.load(Ordering::Relaxed));
        let sums = [output.checksum_crc32(), output.checksum_crc32_c(), output.checksum_sha256()];
        assert_eq!(sums.iter().flatten().count(), 1);
        assert_eq!(s3.get("k").await, body);
        let described = s3.client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
        // `aws-chunked` is not stored.
        assert_eq!(described.content_encoding(), None);
    }
}

#[tokio::test]
async fn a_body_that_differs_from_its_checksum_is_refused() {
    let s3 = Fixture::start().await;
    let put = || s3.client.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"hello"));
    let code =
        |error: aws_sdk_s3::error::SdkError<_>| aws_sdk_s3::Error::from(error).code().map(str::to_owned);
    let wrong = put().checksum_crc32("AAAAAA==").send().await.unwrap_err();
    assert_eq!(code(wrong).as_deref(), Some("BadDigest"));
    let wrong =
        put().checksum_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=").send().await.unwrap_err();
    assert_eq!(code(wrong).as_deref(), Some("BadDigest"));
    let wrong = put().content_md5("1B2M2Y8AsgTpgAmY7PhCfg==").send().await.unwrap_err();
    assert_eq!(code(wrong).as_deref(), Some("BadDigest"));
    let wrong = put().content_md5("nonsense").send().await.unwrap_err();
    assert_eq!(code(wrong).as_deref(), Some("InvalidDigest"));
    assert!(s3.store.list_versions(BUCKET, "k").is_empty());
    put().content_md5("XUFAKrxLKna5cZ2REBfFkg==").send().await.unwrap();
}

#[tokio::test]
async fn copies_a_version_and_its_attributes() {
    let s3 = Fixture::start().await;
    let big = vec![7; 5_000];
    let put = s3.client.put_object().bucket(BUCKET).key("a b/ü").body(ByteStream::from(big.clone()));
    let first = put.content_type("text/csv").send().await.unwrap();
    s3.put("a b/ü", "newer").await;
    let source = format!("{BUCKET}/a%20b/%C3%BC?versionId={}", first.version_id().unwrap());
    s3.client.copy_object().bucket(BUCKET).key("copy").copy_source(&source).send().await.unwrap();
    assert_eq!(s3.get("copy").await, big);
    let copied = s3.client.head_object().bucket(BUCKET).key("copy").send().await.unwrap();
    assert_eq!(copied.content_type(), Some("text/csv"));
    let copy =
        s3.client.copy_object().bucket(BUCKET).key("copy").copy_source(&source).content_type("text/plain");
    copy.metadata_directive(MetadataDirective::Replace).send().await.unwrap();
    let copied = s3.client.head_object().bucket(BUCKET).key("copy").send().await.unwrap();
    assert_eq!(copied.content_type(), Some("text/plain"));
}

#[tokio::test]
async fn missing_objects_and_buckets_have_their_error_codes() {
    let s3 = Fixture::start().await;
    let get = |bucket: &str, key: &str| s3.client.get_object().bucket(bucket).key(key).send();
    assert_eq!(get(BUCKET, "none").await.unwrap_err().code(), Some("NoSuchKey"));
    assert_eq!(get("nowhere", "none").await.unwrap_err().code(), Some("NoSuchBucket"));
    let put =
        s3.client.put_object().bucket("nowhere").key("k").body(ByteStream::from_static(b"x")).send().await;
    assert_eq!(put.unwrap_err().code(), Some("NoSuchBucket"));
    let missing = s3.client.head_object().bucket(BUCKET).key("none").send().await.unwrap_err();
    assert!(missing.into_service_error().is_not_found());
    let missing = s3.client.head_bucket().bucket("nowhere").send().await.unwrap_err();
    assert!(missing.into_service_error().is_not_found());
}

#[tokio::test]
async fn creates_lists_and_deletes_buckets() {
    let s3 = Fixture::start().await;
    // In us-east-1 the second creation succeeds.
    s3.client.create_bucket().bucket("second").send().await.unwrap();
    s3.client.create_bucket().bucket("second").send().await.unwrap();
    s3.client.head_bucket().bucket("second").send().await.unwrap();
    let listed = s3.client.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(names, ["second", BUCKET]);
    let versioning = s3.client.get_bucket_versioning().bucket("second").send().await.unwrap();
    assert_eq!(versioning.status().unwrap().as_str(), "Enabled");
    s3.store.put("second", "k", "x", "text/plain").unwrap();
    let full = s3.client.delete_bucket().bucket("second").send().await.unwrap_err();
    assert_eq!(full.code(), Some("BucketNotEmpty"));
    let id = s3.store.list_versions("second", "k")[0].id.clone();
    s3.client.delete_object().bucket("second").key("k").version_id(id).send().await.unwrap();
    s3.client.delete_bucket().bucket("second").send().await.unwrap();
}
