//! `/packages/proxy/s3`: presigned URLs of any signer, across origins.

use aws::Clock;

use crate::app::{ASSETS, STORAGE, TestApp, TestResponse, fetch_url, percent_encode};

async fn create_asset_link(app: &TestApp, bytes: &[u8]) -> String {
    let package = app.create_file(None, &crate::app::new_uuid().to_string(), b"-").await;
    app.put_asset(&package, "a.bin", bytes);
    let response =
        app.get(&app.presign_path(&package, "&path=a.bin"), &app.create_token("viewer").await).await;
    response.header("location").to_owned()
}

async fn get_through_proxy(app: &TestApp, url: &str) -> TestResponse {
    app.get(&format!("/packages/proxy/s3?presigned_url={}", percent_encode(url)), "").await
}

async fn head_through_proxy(app: &TestApp, url: &str, range: Option<&str>) -> TestResponse {
    app.head(&format!("/packages/proxy/s3?presigned_url={}", percent_encode(url)), "", range).await
}

#[tokio::test]
async fn redirects_to_a_valid_link_of_a_listed_bucket() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"0123456789").await;
    let response = get_through_proxy(&app, &url).await;
    assert_eq!(response.status, 307);
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(fetch_url("GET", response.header("location")).await.body, "0123456789");
}

#[tokio::test]
async fn head_uses_the_signature_of_the_link() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"0123456789").await;
    let plain = head_through_proxy(&app, &url, None).await;
    assert_eq!((plain.status.as_u16(), plain.header("content-length")), (200, "10"));
    let open = head_through_proxy(&app, &url, Some("bytes=0-")).await;
    assert_eq!((open.status.as_u16(), open.header("content-range")), (206, "bytes 0-9/10"));
    assert_eq!(open.header("content-length"), "10");
    assert_eq!(app.faults.count_requests("HeadObject"), 0, "the service does not use its own credentials");
    let empty = create_asset_link(&app, b"").await;
    assert_eq!(head_through_proxy(&app, &empty, None).await.header("content-length"), "0");
}

#[tokio::test]
async fn a_forged_link_gets_no_information() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"0123456789").await;
    let (unsigned, signature) = url.rsplit_once("X-Amz-Signature=").unwrap();
    let forged = format!("{unsigned}X-Amz-Signature={}", "1".repeat(signature.len()));
    let response = head_through_proxy(&app, &forged, None).await;
    assert_eq!(response.status, 403);
    assert!(response.header("etag").is_empty() && response.header("last-modified").is_empty());
    let missing = forged.replace("a.bin", "b.bin");
    assert_eq!(
        head_through_proxy(&app, &missing, None).await.status,
        403,
        "the status does not tell whether the object exists"
    );
    assert_eq!(app.faults.count_requests("HeadObject"), 0);
}

#[tokio::test]
async fn only_listed_buckets_are_allowed() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "secret.txt", b"secret").await;
    let response = app.get(&app.presign_path(&package, ""), &app.create_token("viewer").await).await;
    let url = response.header("location");
    assert!(url.contains(STORAGE));
    let detail = get_through_proxy(&app, url).await.assert_problem(400);
    assert!(detail.contains("allowed list"), "{detail}");
    assert_eq!(head_through_proxy(&app, url, None).await.status, 400);
}

#[tokio::test]
async fn rejects_an_expired_link_without_calling_s3() {
    let mut app = TestApp::start().await;
    app.set_clock(Clock::Fixed(Clock::System.now() - 7200));
    let old = create_asset_link(&app, b"x").await;
    app.set_clock(Clock::System);
    get_through_proxy(&app, &old).await.assert_problem(400);
    assert_eq!(head_through_proxy(&app, &old, None).await.status, 400);
    assert!(app.faults.request_counts().is_empty());
}

#[tokio::test]
async fn rejects_urls_that_are_not_presigned_s3_urls() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"x").await;
    let query = url.split_once('?').unwrap().1.to_owned();
    let host = url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    for bad in [
        String::new(),
        "not a url".to_owned(),
        "javascript:alert(1)".to_owned(),
        "//evil.example/".to_owned(),
        format!("https://evil.example/{ASSETS}/a.bin?{query}"),
        format!("https://{ASSETS}.s3.amazonaws.com.evil.example/a.bin?{query}"),
        format!("https://{ASSETS}.s3-evil.example/a.bin?{query}"),
        format!("https://{ASSETS}.s3.amazonaws.com:8443/a.bin?{query}"),
        format!("https://user@{ASSETS}.s3.amazonaws.com/a.bin?{query}"),
        format!("https://{ASSETS}.s3.amazonaws.com@evil.example/a.bin?{query}"),
        format!("https://{ASSETS}.s3.amazonaws.com\\@evil.example/a.bin?{query}"),
        format!("https://{ASSETS}.s3.amazonaws.com./a.bin?{query}"),
        format!("http://{ASSETS}.s3.amazonaws.com/a.bin?{query}"),
        url.replace(&host, "127.0.0.1:1"),
        url.replace(&host, &format!("{host}@evil.example")),
        url.replace("http://", "https://"),
        url.replace("X-Amz-Signature", "X-Amz-Sign"),
        url.replace("X-Amz-Credential", "X-Amz-Creds"),
        url.replace("X-Amz-Expires=3900", "X-Amz-Expires=604801"),
        format!("{url}&X-Amz-Expires=60"),
        format!("{url}&acl="),
        format!("{url}#fragment"),
        format!("http://{host}/{ASSETS}?list-type=2&{query}"),
        url.replace("/a.bin", "/../../other/a.bin"),
    ] {
        let response = get_through_proxy(&app, &bad).await;
        let detail = response.assert_problem(400);
        assert!(!detail.contains("X-Amz-Signature=") && !detail.contains("evil"), "{detail}");
        assert!(response.header("location").is_empty());
    }
    assert!(app.faults.request_counts().is_empty(), "S3 was not called");
}

#[tokio::test]
async fn explains_that_a_link_must_be_encoded() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"x").await;
    let detail = app.get(&format!("/packages/proxy/s3?presigned_url={url}"), "").await.assert_problem(400);
    assert!(detail.contains("percent-encoded"), "{detail}");
}

#[tokio::test]
async fn a_missing_object_is_404_and_unavailable_storage_is_502() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "p", b"-").await;
    let missing = app.get(&app.presign_path(&package, "&path=gone"), &app.create_token("viewer").await).await;
    assert_eq!(head_through_proxy(&app, missing.header("location"), None).await.status, 404);
    let url = create_asset_link(&app, b"x").await;
    app.faults.fail_requests("GetObject", 1, local::faults::InjectedError::InternalError);
    assert_eq!(head_through_proxy(&app, &url, None).await.status, 502);
    app.faults.drop_requests("GetObject", 5);
    assert_eq!(head_through_proxy(&app, &url, None).await.status, 502);
}
