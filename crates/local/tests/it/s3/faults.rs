//! Fault injection.

use std::time::{Duration, Instant};

use aws_sdk_s3::error::ProvideErrorMetadata;
use local::faults::InjectedError;

use super::{BUCKET, Fixture, get};

#[tokio::test]
async fn requests_fail_as_often_as_configured() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    s3.faults.fail_requests("GetObject", 2, InjectedError::SlowDown);
    let get_object = || s3.client.get_object().bucket(BUCKET).key("k").send();
    let error = get_object().await.unwrap_err();
    assert_eq!((error.code(), error.raw_response().unwrap().status().as_u16()), (Some("SlowDown"), 503));
    s3.client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert!(get_object().await.is_err());
    get_object().await.unwrap();
    let counts = ["GetObject", "HeadObject", "Nothing"].map(|name| s3.faults.count_requests(name));
    assert_eq!(counts, [3, 1, 0]);
    assert_eq!(
        s3.faults.request_counts().keys().collect::<Vec<_>>(),
        ["GetObject", "HeadObject", "PutObject"]
    );
    s3.faults.reset();
    assert!(s3.faults.request_counts().is_empty());
}

#[tokio::test]
async fn a_dropped_request_does_not_run_but_a_dropped_response_was_run() {
    let s3 = Fixture::start().await;
    let delete = || s3.client.delete_object().bucket(BUCKET).key("k").send();
    s3.faults.drop_requests("DeleteObject", 1);
    // The client got no response at all.
    assert!(delete().await.unwrap_err().as_service_error().is_none());
    assert!(s3.store.list_versions(BUCKET, "k").is_empty());
    s3.faults.drop_responses("DeleteObject", 1);
    assert!(delete().await.unwrap_err().as_service_error().is_none());
    assert_eq!(s3.store.list_versions(BUCKET, "k").len(), 1);
    delete().await.unwrap();
}

#[tokio::test]
async fn requests_can_be_delayed() {
    let s3 = Fixture::start().await;
    s3.faults.delay_requests("GetObject", Duration::from_millis(100));
    let started_at = Instant::now();
    get(s3.presigned_get("k").await.uri(), &[]).await;
    assert!(started_at.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn unsigned_requests_do_not_count() {
    let s3 = Fixture::start().await;
    get(&format!("{}/{BUCKET}/k", s3.server.endpoint()), &[]).await;
    assert!(s3.faults.request_counts().is_empty());
}
