//! `/packages/proxy/s3`: anybody's presigned URL, across origins.

use aws::Clock;

use crate::app::{ASSETS, Answer, STORAGE, TestApp, encoded, fetch};

async fn asset_link(app: &TestApp, bytes: &[u8]) -> String {
    let package = app.file(None, &crate::app::uuid().to_string(), b"-").await;
    app.asset(&package, "a.bin", bytes);
    let answer = app.get(&app.presign_path(&package, "&path=a.bin"), &app.token("viewer").await).await;
    answer.header("location").to_owned()
}

async fn proxy(app: &TestApp, url: &str) -> Answer {
    app.get(&format!("/packages/proxy/s3?presigned_url={}", encoded(url)), "").await
}

async fn head(app: &TestApp, url: &str, range: Option<&str>) -> Answer {
    app.head(&format!("/packages/proxy/s3?presigned_url={}", encoded(url)), "", range).await
}

#[tokio::test]
async fn a_good_link_to_a_listed_bucket_is_passed_on() {
    let app = TestApp::start().await;
    let url = asset_link(&app, b"0123456789").await;
    let answer = proxy(&app, &url).await;
    assert_eq!(answer.status, 307);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(fetch("GET", answer.header("location")).await.body, "0123456789");
}

#[tokio::test]
async fn head_is_answered_by_the_links_own_signature() {
    let app = TestApp::start().await;
    let url = asset_link(&app, b"0123456789").await;
    let plain = head(&app, &url, None).await;
    assert_eq!((plain.status.as_u16(), plain.header("content-length")), (200, "10"));
    let open = head(&app, &url, Some("bytes=0-")).await;
    assert_eq!((open.status.as_u16(), open.header("content-range")), (206, "bytes 0-9/10"));
    assert_eq!(open.header("content-length"), "10");
    assert_eq!(app.faults.count_requests("HeadObject"), 0, "the service's own credentials vouch for nothing");
    let empty = asset_link(&app, b"").await;
    assert_eq!(head(&app, &empty, None).await.header("content-length"), "0");
}

#[tokio::test]
async fn a_forged_link_learns_nothing() {
    let app = TestApp::start().await;
    let url = asset_link(&app, b"0123456789").await;
    let (unsigned, signature) = url.rsplit_once("X-Amz-Signature=").unwrap();
    let forged = format!("{unsigned}X-Amz-Signature={}", "1".repeat(signature.len()));
    let answer = head(&app, &forged, None).await;
    assert_eq!(answer.status, 403);
    assert!(answer.header("etag").is_empty() && answer.header("last-modified").is_empty());
    let missing = forged.replace("a.bin", "b.bin");
    assert_eq!(head(&app, &missing, None).await.status, 403, "nor whether the object exists");
    assert_eq!(app.faults.count_requests("HeadObject"), 0);
}

#[tokio::test]
async fn only_listed_buckets_pass() {
    let app = TestApp::start().await;
    let package = app.file(None, "secret.txt", b"secret").await;
    let answer = app.get(&app.presign_path(&package, ""), &app.token("viewer").await).await;
    let url = answer.header("location");
    assert!(url.contains(STORAGE));
    let detail = proxy(&app, url).await.problem(400);
    assert!(detail.contains("allowed list"), "{detail}");
    assert_eq!(head(&app, url, None).await.status, 400);
}

#[tokio::test]
async fn a_link_that_has_ended_is_refused_before_s3_is_asked() {
    let mut app = TestApp::start().await;
    app.at(Clock::Fixed(Clock::System.now() - 7200));
    let old = asset_link(&app, b"x").await;
    app.at(Clock::System);
    proxy(&app, &old).await.problem(400);
    assert_eq!(head(&app, &old, None).await.status, 400);
    assert!(app.faults.request_counts().is_empty());
}

#[tokio::test]
async fn what_is_not_a_presigned_s3_url_is_refused() {
    let app = TestApp::start().await;
    let url = asset_link(&app, b"x").await;
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
        url.replace("X-Amz-Expires=3600", "X-Amz-Expires=604801"),
        format!("{url}&X-Amz-Expires=60"),
        format!("{url}&acl="),
        format!("{url}#fragment"),
        format!("http://{host}/{ASSETS}?list-type=2&{query}"),
        url.replace("/a.bin", "/../../other/a.bin"),
    ] {
        let answer = proxy(&app, &bad).await;
        let detail = answer.problem(400);
        assert!(!detail.contains("X-Amz-Signature=") && !detail.contains("evil"), "{detail}");
        assert!(answer.header("location").is_empty());
    }
    assert!(app.faults.request_counts().is_empty(), "nobody was asked");
}

#[tokio::test]
async fn an_unencoded_link_is_recognised_and_explained() {
    let app = TestApp::start().await;
    let url = asset_link(&app, b"x").await;
    let detail = app.get(&format!("/packages/proxy/s3?presigned_url={url}"), "").await.problem(400);
    assert!(detail.contains("percent-encoded"), "{detail}");
}

#[tokio::test]
async fn a_missing_object_and_a_silent_storage_have_answers_of_their_own() {
    let app = TestApp::start().await;
    let package = app.file(None, "p", b"-").await;
    let missing = app.get(&app.presign_path(&package, "&path=gone"), &app.token("viewer").await).await;
    assert_eq!(head(&app, missing.header("location"), None).await.status, 404);
    let url = asset_link(&app, b"x").await;
    app.faults.fail_requests("GetObject", 1, local::faults::InjectedError::InternalError);
    assert_eq!(head(&app, &url, None).await.status, 502);
    app.faults.drop_requests("GetObject", 5);
    assert_eq!(head(&app, &url, None).await.status, 502);
}
