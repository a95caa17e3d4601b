//! Multipart uploads.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use super::{BUCKET, Fixture};

const MIB: usize = 1024 * 1024;

async fn create_upload(s3: &Fixture) -> String {
    let request = s3.client.create_multipart_upload().bucket(BUCKET).key("k").content_type("image/tiff");
    request.send().await.unwrap().upload_id().unwrap().to_owned()
}

async fn upload_part(s3: &Fixture, upload: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let request = s3.client.upload_part().bucket(BUCKET).key("k").upload_id(upload).part_number(number);
    let output = request.body(ByteStream::from(body)).send().await.unwrap();
    CompletedPart::builder().part_number(number).set_e_tag(output.e_tag).build()
}

async fn complete_upload(
    s3: &Fixture,
    upload: &str,
    parts: Vec<CompletedPart>,
) -> Result<String, aws_sdk_s3::Error> {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let request = s3.client.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(upload);
    Ok(request.multipart_upload(parts).send().await?.e_tag.unwrap())
}

#[tokio::test]
async fn parts_become_one_object() {
    let s3 = Fixture::start().await;
    let upload = create_upload(&s3).await;
    // Out of order, and one of them twice. The last upload of a part counts.
    let third = upload_part(&s3, &upload, 3, vec![3; 10]).await;
    upload_part(&s3, &upload, 2, vec![0; 6 * MIB]).await;
    let (first, second) = (
        upload_part(&s3, &upload, 1, vec![1; 5 * MIB]).await,
        upload_part(&s3, &upload, 2, vec![2; 5 * MIB]).await,
    );
    let etag = complete_upload(&s3, &upload, vec![first, second, third]).await.unwrap();
    // The ETag of a multipart upload ends with the number of parts.
    assert!(etag.ends_with("-3\""), "{etag}");
    let got = s3.get("k").await;
    assert_eq!(got.len(), 10 * MIB + 10);
    assert_eq!((got[0], got[5 * MIB], got[10 * MIB]), (1, 2, 3));
    let output = s3.client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(output.content_type(), Some("image/tiff"));
    assert_eq!(complete_upload(&s3, &upload, Vec::new()).await.unwrap_err().code(), Some("NoSuchUpload"));
}

#[tokio::test]
async fn a_part_can_be_read_alone_but_not_a_range_of_it() {
    let s3 = Fixture::start().await;
    let upload = create_upload(&s3).await;
    let parts = vec![
        upload_part(&s3, &upload, 4, vec![1; 5 * MIB]).await,
        upload_part(&s3, &upload, 7, vec![2; 10]).await,
    ];
    complete_upload(&s3, &upload, parts).await.unwrap();
    s3.put("single", "hello").await;
    let get = |key: &str, part: i32| s3.client.get_object().bucket(BUCKET).key(key).part_number(part);
    // Parts are counted from 1 after the upload.
    for (key, part, range) in [
        ("k", 1, "bytes 0-5242879/5242890"),
        ("k", 2, "bytes 5242880-5242889/5242890"),
        ("single", 1, "bytes 0-4/5"),
    ] {
        let output = get(key, part).send().await.unwrap();
        assert_eq!(output.content_range(), Some(range), "{key} {part}");
        let head = s3.client.head_object().bucket(BUCKET).key(key).part_number(part).send().await.unwrap();
        assert_eq!(head.content_range(), Some(range), "{key} {part}");
    }
    for (key, part) in [("k", 3), ("k", 0), ("single", 2)] {
        let refused = get(key, part).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidPartNumber"), "{key} {part}");
    }
    let refused = get("k", 1).range("bytes=0-0").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidRequest"));
}

#[tokio::test]
async fn invalid_parts_are_refused() {
    let s3 = Fixture::start().await;
    let upload = create_upload(&s3).await;
    let (one, two) =
        (upload_part(&s3, &upload, 1, vec![1; 10]).await, upload_part(&s3, &upload, 2, vec![2; 10]).await);
    let error_code =
        async |parts| complete_upload(&s3, &upload, parts).await.unwrap_err().code().map(str::to_owned);
    assert_eq!(error_code(vec![two.clone(), one.clone()]).await.as_deref(), Some("InvalidPartOrder"));
    assert_eq!(error_code(vec![one.clone(), two]).await.as_deref(), Some("EntityTooSmall"));
    let wrong = CompletedPart::builder().part_number(1).e_tag("\"0\"").build();
    assert_eq!(error_code(vec![wrong]).await.as_deref(), Some("InvalidPart"));
    // The upload is still open after the errors. A single small part is the last one.
    complete_upload(&s3, &upload, vec![one]).await.unwrap();
}

#[tokio::test]
async fn an_aborted_upload_leaves_no_object() {
    let s3 = Fixture::start().await;
    let upload = create_upload(&s3).await;
    let one = upload_part(&s3, &upload, 1, vec![1; 10]).await;
    let abort = || s3.client.abort_multipart_upload().bucket(BUCKET).key("k").upload_id(&upload).send();
    abort().await.unwrap();
    assert_eq!(abort().await.unwrap_err().code(), Some("NoSuchUpload"));
    assert_eq!(complete_upload(&s3, &upload, vec![one]).await.unwrap_err().code(), Some("NoSuchUpload"));
    assert!(s3.store.list_versions(BUCKET, "k").is_empty());
}
