//! Misbehaviour on order.

use std::time::{Duration, Instant};

use aws_sdk_s3::error::ProvideErrorMetadata;
use local::faults::Failure;

use super::{BUCKET, Fixture, get};

#[tokio::test]
async fn failures_run_out() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    s3.faults.fail("GetObject", 2, Failure::SlowDown);
    let ask = || s3.client.get_object().bucket(BUCKET).key("k").send();
    let failed = ask().await.unwrap_err();
    assert_eq!((failed.code(), failed.raw_response().unwrap().status().as_u16()), (Some("SlowDown"), 503));
    s3.client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert!(ask().await.is_err());
    ask().await.unwrap();
    assert_eq!(
        (s3.faults.count("GetObject"), s3.faults.count("HeadObject"), s3.faults.count("Nothing")),
        (3, 1, 0)
    );
    assert_eq!(s3.faults.counts().keys().collect::<Vec<_>>(), ["GetObject", "HeadObject", "PutObject"]);
    s3.faults.reset();
    assert!(s3.faults.counts().is_empty());
}

#[tokio::test]
async fn a_dropped_connection_did_nothing_and_a_lost_answer_did() {
    let s3 = Fixture::start().await;
    let delete = || s3.client.delete_object().bucket(BUCKET).key("k").send();
    s3.faults.drop_connection("DeleteObject", 1);
    assert!(delete().await.unwrap_err().as_service_error().is_none());
    assert!(s3.store.versions(BUCKET, "k").is_empty());
    s3.faults.lose_answer("DeleteObject", 1);
    assert!(delete().await.unwrap_err().as_service_error().is_none());
    assert_eq!(s3.store.versions(BUCKET, "k").len(), 1);
    delete().await.unwrap();
}

#[tokio::test]
async fn delays() {
    let s3 = Fixture::start().await;
    s3.faults.delay("GetObject", Duration::from_millis(100));
    let begun = Instant::now();
    get(s3.presigned_get("k").await.uri(), &[]).await;
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn the_unsigned_do_not_count() {
    let s3 = Fixture::start().await;
    get(&format!("{}/{BUCKET}/k", s3.server.endpoint()), &[]).await;
    assert!(s3.faults.counts().is_empty());
}
