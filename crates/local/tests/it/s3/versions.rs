//! Versions and delete markers.

use aws_sdk_s3::error::ProvideErrorMetadata;
use http::Method;

use super::{BUCKET, Fixture, get, head, one_minute, send};

#[tokio::test]
async fn every_put_creates_a_version() {
    let s3 = Fixture::start().await;
    let (one, two) = (s3.put("k", "one").await, s3.put("k", "two").await);
    assert_eq!(s3.get("k").await, b"two");
    for (id, body) in [(&one, "one"), (&two, "two")] {
        let got = s3.client.get_object().bucket(BUCKET).key("k").version_id(id).send().await.unwrap();
        assert_eq!(got.version_id(), Some(id.as_str()));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), body.as_bytes());
    }
    let ids: Vec<_> = s3.store.list_versions(BUCKET, "k").into_iter().map(|version| version.id).collect();
    assert_eq!(ids, [two, one]);
}

#[tokio::test]
async fn removing_a_delete_marker_restores_the_object() {
    let s3 = Fixture::start().await;
    let id = s3.put("k", "one").await;
    let deleted = s3.client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    let marker = deleted.version_id().unwrap().to_owned();
    assert_eq!(
        s3.client.get_object().bucket(BUCKET).key("k").send().await.unwrap_err().code(),
        Some("NoSuchKey")
    );
    let versions = s3.store.list_versions(BUCKET, "k");
    assert_eq!(
        versions.iter().map(|v| (v.id.as_str(), v.delete_marker)).collect::<Vec<_>>(),
        [(&*marker, true), (&*id, false)]
    );
    let removed = s3.client.delete_object().bucket(BUCKET).key("k").version_id(&marker).send().await.unwrap();
    assert_eq!((removed.delete_marker(), removed.version_id()), (Some(true), Some(marker.as_str())));
    assert_eq!(s3.get("k").await, b"one");
    // S3 reports success for a version that does not exist.
    let again = s3.client.delete_object().bucket(BUCKET).key("k").version_id(&marker).send().await.unwrap();
    assert_eq!((again.delete_marker(), again.version_id()), (None, Some(marker.as_str())));
}

#[tokio::test]
async fn deleting_a_version_is_permanent() {
    let s3 = Fixture::start().await;
    let (one, two) = (s3.put("k", vec![1; 3_000]).await, s3.put("k", vec![2; 3_000]).await);
    s3.client.delete_object().bucket(BUCKET).key("k").version_id(&two).send().await.unwrap();
    assert_eq!(s3.get("k").await, vec![1; 3_000]);
    let error = s3.client.get_object().bucket(BUCKET).key("k").version_id(&two).send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchVersion"));
    s3.client.delete_object().bucket(BUCKET).key("k").version_id(&one).send().await.unwrap();
    assert!(s3.store.list_versions(BUCKET, "k").is_empty());
}

#[tokio::test]
async fn a_version_id_of_another_key_deletes_nothing() {
    let s3 = Fixture::start().await;
    s3.put("mine", vec![1; 3_000]).await;
    let other = s3.put("other", vec![2; 3_000]).await;
    s3.client.delete_object().bucket(BUCKET).key("mine").version_id(&other).send().await.unwrap();
    assert_eq!(s3.get("mine").await, vec![1; 3_000]);
    assert_eq!(s3.get("other").await, vec![2; 3_000]);
}

#[tokio::test]
async fn the_version_id_of_a_delete_marker_is_405() {
    let s3 = Fixture::start().await;
    s3.put("k", "one").await;
    let marker = s3.store.add_delete_marker(BUCKET, "k").unwrap();
    let signed = s3.client.get_object().bucket(BUCKET).key("k").version_id(&marker);
    let got = get(signed.presigned(one_minute()).await.unwrap().uri(), &[]).await;
    assert_eq!(got.status, 405);
    assert!(got.text().contains("<Code>MethodNotAllowed</Code>"));
    let signed = s3.client.head_object().bucket(BUCKET).key("k").version_id(&marker);
    let headed = head(signed.presigned(one_minute()).await.unwrap().uri(), &[]).await;
    assert_eq!((headed.status.as_u16(), headed.body.len()), (405, 0));
    for response in [got, headed] {
        assert_eq!(response.header("x-amz-delete-marker"), "true");
        assert_eq!(response.header("x-amz-version-id"), marker);
        assert_eq!(response.header("allow"), "DELETE");
        assert!(response.header("last-modified").ends_with(" GMT"));
    }
}

#[tokio::test]
async fn a_hidden_key_is_404_and_names_its_delete_marker() {
    let s3 = Fixture::start().await;
    s3.put("k", "one").await;
    let marker = s3.store.add_delete_marker(BUCKET, "k").unwrap();
    // The headers tell a deleted key from one that never existed.
    let response = get(s3.presigned_get("k").await.uri(), &[]).await;
    assert_eq!((response.status.as_u16(), response.header("x-amz-delete-marker")), (404, "true"));
    assert_eq!(response.header("x-amz-version-id"), marker);
    let signed = s3.client.head_object().bucket(BUCKET).key("k").presigned(one_minute()).await.unwrap();
    let response = head(signed.uri(), &[]).await;
    assert_eq!((response.status.as_u16(), response.header("x-amz-delete-marker")), (404, "true"));
    let signed = s3.client.head_object().bucket(BUCKET).key("never").presigned(one_minute()).await.unwrap();
    let response = head(signed.uri(), &[]).await;
    assert_eq!((response.status.as_u16(), response.header("x-amz-delete-marker")), (404, ""));
}

#[tokio::test]
async fn a_malformed_version_id_is_400() {
    let s3 = Fixture::start().await;
    s3.put("k", "one").await;
    let error =
        s3.client.get_object().bucket(BUCKET).key("k").version_id("nonsense").send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidArgument"));
    let error = s3.client.get_object().bucket(BUCKET).key("k").version_id("null").send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchVersion"));
}

#[tokio::test]
async fn a_presigned_url_of_a_version_serves_that_version() {
    let s3 = Fixture::start().await;
    let one = s3.put("k", "one").await;
    s3.put("k", "two").await;
    let signed = s3
        .client
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(&one)
        .presigned(one_minute())
        .await
        .unwrap();
    assert_eq!(get(signed.uri(), &[]).await.body, "one");
    let deleting = s3
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(&one)
        .presigned(one_minute())
        .await
        .unwrap();
    assert_eq!(send(Method::DELETE, deleting.uri(), &[], b"").await.status, 204);
    assert_eq!(get(signed.uri(), &[]).await.status, 404);
}
