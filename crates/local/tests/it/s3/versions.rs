//! Versions and delete markers.

use aws_sdk_s3::error::ProvideErrorMetadata;
use http::Method;

use super::{BUCKET, Fixture, for_a_minute, get, head, send};

#[tokio::test]
async fn every_put_is_a_version() {
    let s3 = Fixture::start().await;
    let (one, two) = (s3.put("k", "one").await, s3.put("k", "two").await);
    assert_eq!(s3.get("k").await, b"two");
    for (id, body) in [(&one, "one"), (&two, "two")] {
        let got = s3.client.get_object().bucket(BUCKET).key("k").version_id(id).send().await.unwrap();
        assert_eq!(got.version_id(), Some(id.as_str()));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), body.as_bytes());
    }
    let ids: Vec<_> = s3.store.versions(BUCKET, "k").into_iter().map(|version| version.id).collect();
    assert_eq!(ids, [two, one]);
}

#[tokio::test]
async fn a_delete_hides_and_removing_the_marker_brings_back() {
    let s3 = Fixture::start().await;
    let id = s3.put("k", "one").await;
    let deleted = s3.client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    let marker = deleted.version_id().unwrap().to_owned();
    assert_eq!(
        s3.client.get_object().bucket(BUCKET).key("k").send().await.unwrap_err().code(),
        Some("NoSuchKey")
    );
    let versions = s3.store.versions(BUCKET, "k");
    assert_eq!(
        versions.iter().map(|v| (v.id.as_str(), v.delete_marker)).collect::<Vec<_>>(),
        [(&*marker, true), (&*id, false)]
    );
    let removed = s3.client.delete_object().bucket(BUCKET).key("k").version_id(&marker).send().await.unwrap();
    assert_eq!((removed.delete_marker(), removed.version_id()), (Some(true), Some(marker.as_str())));
    assert_eq!(s3.get("k").await, b"one");
    // Once more: already gone is as good as done.
    let again = s3.client.delete_object().bucket(BUCKET).key("k").version_id(&marker).send().await.unwrap();
    assert_eq!((again.delete_marker(), again.version_id()), (None, Some(marker.as_str())));
}

#[tokio::test]
async fn deleting_a_version_is_for_good() {
    let s3 = Fixture::start().await;
    let (one, two) = (s3.put("k", vec![1; 3_000]).await, s3.put("k", vec![2; 3_000]).await);
    s3.client.delete_object().bucket(BUCKET).key("k").version_id(&two).send().await.unwrap();
    assert_eq!(s3.get("k").await, vec![1; 3_000]);
    let gone = s3.client.get_object().bucket(BUCKET).key("k").version_id(&two).send().await.unwrap_err();
    assert_eq!(gone.code(), Some("NoSuchVersion"));
    s3.client.delete_object().bucket(BUCKET).key("k").version_id(&one).send().await.unwrap();
    assert!(s3.store.versions(BUCKET, "k").is_empty());
}

#[tokio::test]
async fn a_version_id_of_another_key_touches_nothing() {
    let s3 = Fixture::start().await;
    s3.put("mine", vec![1; 3_000]).await;
    let other = s3.put("other", vec![2; 3_000]).await;
    s3.client.delete_object().bucket(BUCKET).key("mine").version_id(&other).send().await.unwrap();
    assert_eq!(s3.get("mine").await, vec![1; 3_000]);
    assert_eq!(s3.get("other").await, vec![2; 3_000]);
}

#[tokio::test]
async fn a_delete_marker_by_its_id_is_405() {
    let s3 = Fixture::start().await;
    s3.put("k", "one").await;
    let marker = s3.store.delete_marker(BUCKET, "k").unwrap();
    let signed = s3.client.get_object().bucket(BUCKET).key("k").version_id(&marker);
    let answer = get(signed.presigned(for_a_minute()).await.unwrap().uri(), &[]).await;
    assert_eq!(answer.status, 405);
    assert!(answer.text().contains("<Code>MethodNotAllowed</Code>"));
    let signed = s3.client.head_object().bucket(BUCKET).key("k").version_id(&marker);
    let asked = head(signed.presigned(for_a_minute()).await.unwrap().uri(), &[]).await;
    assert_eq!((asked.status.as_u16(), asked.body.len()), (405, 0));
    for answer in [answer, asked] {
        assert_eq!(answer.header("x-amz-delete-marker"), "true");
        assert_eq!(answer.header("x-amz-version-id"), marker);
        assert_eq!(answer.header("allow"), "DELETE");
        assert!(answer.header("last-modified").ends_with(" GMT"));
    }
}

#[tokio::test]
async fn a_hidden_key_is_404_and_says_why() {
    let s3 = Fixture::start().await;
    s3.put("k", "one").await;
    let marker = s3.store.delete_marker(BUCKET, "k").unwrap();
    let answer = get(s3.presigned_get("k").await.uri(), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-amz-delete-marker")), (404, "true"));
    assert_eq!(answer.header("x-amz-version-id"), marker);
    let signed = s3.client.head_object().bucket(BUCKET).key("k").presigned(for_a_minute()).await.unwrap();
    let answer = head(signed.uri(), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-amz-delete-marker")), (404, "true"));
    let signed = s3.client.head_object().bucket(BUCKET).key("never").presigned(for_a_minute()).await.unwrap();
    let answer = head(signed.uri(), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-amz-delete-marker")), (404, ""));
}

#[tokio::test]
async fn an_id_that_could_not_be_one_is_400() {
    let s3 = Fixture::start().await;
    s3.put("k", "one").await;
    let code =
        s3.client.get_object().bucket(BUCKET).key("k").version_id("nonsense").send().await.unwrap_err();
    assert_eq!(code.code(), Some("InvalidArgument"));
    let code = s3.client.get_object().bucket(BUCKET).key("k").version_id("null").send().await.unwrap_err();
    assert_eq!(code.code(), Some("NoSuchVersion"));
}

#[tokio::test]
async fn a_url_for_one_version_serves_that_version() {
    let s3 = Fixture::start().await;
    let one = s3.put("k", "one").await;
    s3.put("k", "two").await;
    let signed = s3
        .client
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(&one)
        .presigned(for_a_minute())
        .await
        .unwrap();
    assert_eq!(get(signed.uri(), &[]).await.body, "one");
    let deleting = s3
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(&one)
        .presigned(for_a_minute())
        .await
        .unwrap();
    assert_eq!(send(Method::DELETE, deleting.uri(), &[], b"").await.status, 204);
    assert_eq!(get(signed.uri(), &[]).await.status, 404);
}
