//! Pages of keys and versions.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;

use super::{BUCKET, Fixture};

#[tokio::test]
async fn lists_keys_in_pages() {
    let s3 = Fixture::start().await;
    let keys: Vec<_> = (0..25).map(|n| format!("p/{n:02}")).collect();
    for key in &keys {
        s3.store.put(BUCKET, key, "x", "text/plain").unwrap();
    }
    s3.store.put(BUCKET, "q", "x", "text/plain").unwrap();
    s3.store.add_delete_marker(BUCKET, "p/03").unwrap();
    let pages = s3.client.list_objects_v2().bucket(BUCKET).prefix("p/").max_keys(7).into_paginator();
    let pages = pages.send().try_collect().await.unwrap();
    assert_eq!(pages.iter().map(|page| page.contents().len()).collect::<Vec<_>>(), [7, 7, 7, 3]);
    let listed: Vec<_> =
        pages.iter().flat_map(ListObjectsV2Output::contents).map(|object| object.key().unwrap()).collect();
    let expected: Vec<_> = keys.iter().filter(|key| *key != "p/03").collect();
    assert_eq!(listed, expected);
    let after = s3.client.list_objects_v2().bucket(BUCKET).start_after("p/22").send().await.unwrap();
    assert_eq!(after.contents().iter().filter_map(|o| o.key()).collect::<Vec<_>>(), ["p/23", "p/24", "q"]);
    let none = s3.client.list_objects_v2().bucket(BUCKET).max_keys(0).send().await.unwrap();
    assert_eq!((none.contents().len(), none.is_truncated()), (0, Some(false)));
}

#[tokio::test]
async fn a_delimiter_groups_keys() {
    let s3 = Fixture::start().await;
    for key in ["a/1", "a/2", "b", "c/d/1", "c/e", "z"] {
        s3.store.put(BUCKET, key, "x", "text/plain").unwrap();
    }
    s3.store.put(BUCKET, "gone/1", "x", "text/plain").unwrap();
    s3.store.add_delete_marker(BUCKET, "gone/1").unwrap();
    // Pages of one entry, so that each page ends with a key or a common prefix.
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let page = s3.client.list_objects_v2().bucket(BUCKET).delimiter("/").max_keys(1);
        let page = page.set_continuation_token(token).send().await.unwrap();
        assert_eq!(page.key_count(), Some(1));
        seen.extend(page.contents().iter().filter_map(|object| object.key()).map(str::to_owned));
        seen.extend(page.common_prefixes().iter().filter_map(|prefix| prefix.prefix()).map(str::to_owned));
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a/", "b", "c/", "z"]);
    let inner = s3.client.list_objects_v2().bucket(BUCKET).delimiter("/").prefix("c/").send().await.unwrap();
    assert_eq!(inner.common_prefixes()[0].prefix(), Some("c/d/"));
    assert_eq!(inner.contents()[0].key(), Some("c/e"));
}

#[tokio::test]
async fn keys_are_url_encoded_on_request() {
    let s3 = Fixture::start().await;
    s3.store.put(BUCKET, "a b\u{1}/ü+", "x", "text/plain").unwrap();
    let page =
        s3.client.list_objects_v2().bucket(BUCKET).encoding_type(EncodingType::Url).send().await.unwrap();
    assert_eq!(page.contents()[0].key(), Some("a%20b%01/%C3%BC%2B"));
}

#[tokio::test]
async fn lists_versions_newest_first() {
    let s3 = Fixture::start().await;
    let put = |key: &str| s3.store.put(BUCKET, key, "x", "text/plain").unwrap();
    let (a1, b1, a2) = (put("a"), put("b"), put("a"));
    let a3 = s3.store.add_delete_marker(BUCKET, "a").unwrap();
    let listed = s3.client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    let versions: Vec<_> =
        listed.versions().iter().map(|v| (v.version_id().unwrap(), v.is_latest().unwrap())).collect();
    assert_eq!(versions, [(&*a2, false), (&*a1, false), (&*b1, true)]);
    let markers: Vec<_> =
        listed.delete_markers().iter().map(|m| (m.version_id().unwrap(), m.is_latest().unwrap())).collect();
    assert_eq!(markers, [(&*a3, true)]);
    let of_a = s3.client.list_object_versions().bucket(BUCKET).prefix("a").max_keys(1).send().await.unwrap();
    assert_eq!((of_a.versions().len(), of_a.delete_markers().len()), (0, 1));
    assert_eq!((of_a.next_key_marker(), of_a.next_version_id_marker()), (Some("a"), Some(a3.as_str())));
}

#[tokio::test]
async fn a_listing_continues_after_a_deleted_version() {
    let s3 = Fixture::start().await;
    for _ in 0..4 {
        s3.store.put(BUCKET, "a", "x", "text/plain").unwrap();
    }
    s3.store.put(BUCKET, "b", "x", "text/plain").unwrap();
    // A client that empties a bucket page by page deletes the version that the next page starts after.
    let (mut key, mut version, mut removed) = (None, None, 0);
    loop {
        let page = s3.client.list_object_versions().bucket(BUCKET).max_keys(2);
        let page = page.set_key_marker(key).set_version_id_marker(version).send().await.unwrap();
        for found in page.versions() {
            let delete = s3.client.delete_object().bucket(BUCKET).key(found.key().unwrap());
            delete.version_id(found.version_id().unwrap()).send().await.unwrap();
            removed += 1;
        }
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
    }
    assert_eq!(removed, 5);
    assert!(s3.store.list_versions(BUCKET, "a").is_empty());
}

#[tokio::test]
async fn malformed_markers_are_refused() {
    let s3 = Fixture::start().await;
    let list = || s3.client.list_object_versions().bucket(BUCKET);
    let error = list().key_marker("a").version_id_marker("nonsense").send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidArgument"));
    let error = list().version_id_marker("null").send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidArgument"));
    let error = s3.client.list_objects_v2().bucket(BUCKET).continuation_token("?").send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidArgument"));
}
