//! CORS: preflights, and headers that scripts may read, on errors too.

use axum::body::Body;

use crate::app::{TestApp, build_request};

#[tokio::test]
async fn a_preflight_is_answered_without_a_token() {
    let app = TestApp::start().await;
    for (path, methods) in [
        ("/packages/restore", "POST"),
        ("/packages/presign/s3", "HEAD"),
        ("/packages/cloudfront/sign", "GET"),
        ("/packages/proxy/s3", "HEAD"),
    ] {
        let response = app.send(build_request("OPTIONS", path, "", Body::empty())).await;
        assert_eq!(response.status, 204, "{path}");
        assert_eq!(response.header("access-control-allow-origin"), "*");
        assert!(response.header("access-control-allow-methods").contains(methods), "{path}");
        // A `*` stands for all headers, those of tracing scripts too, but not for this one.
        assert_eq!(response.header("access-control-allow-headers"), "*, Authorization");
        assert_eq!(response.header("access-control-max-age"), "3600");
        assert!(response.header("location").is_empty(), "a preflight must not be redirected");
    }
}

#[tokio::test]
async fn every_response_is_readable_across_origins() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let viewer = app.create_token("viewer").await;
    for (response, status) in [
        (app.get(&app.presign_path(&package, ""), &viewer).await, 307),
        (app.get(&app.presign_path(&package, ""), "").await, 401),
        (app.get("/packages/proxy/s3", "").await, 400),
        (app.get("/packages/nowhere", "").await, 404),
        (app.get("/", "").await, 404),
        (app.send(build_request("DELETE", "/packages/presign/s3", "", Body::empty())).await, 405),
        (app.get("/packages/health", "").await, 200),
    ] {
        assert_eq!(response.status, status);
        assert_eq!(response.header("access-control-allow-origin"), "*");
        let exposed = response.header("access-control-expose-headers").to_ascii_lowercase();
        assert_eq!(response.header("cross-origin-resource-policy"), "cross-origin");
        let names = ["content-length", "content-range", "etag", "accept-ranges", "last-modified"];
        for name in names.into_iter().chain(["x-amz-storage-class", "x-amz-restore"]) {
            assert!(exposed.contains(name), "{name} in {exposed}");
        }
        assert!(response.headers.get("access-control-allow-credentials").is_none());
    }
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let app = TestApp::start().await;
    let token = app.create_token("owner").await;
    for (method, path, allowed) in [
        ("PUT", "/packages/restore", vec!["GET", "POST"]),
        ("PUT", "/packages/presign/s3", vec!["GET", "HEAD", "POST"]),
        ("DELETE", "/packages/cloudfront/sign", vec!["GET"]),
        ("PATCH", "/packages/proxy/s3", vec!["GET", "HEAD"]),
    ] {
        for token in ["", &token] {
            let response = app.send(build_request(method, path, token, Body::empty())).await;
            response.assert_problem(405);
            let allow = response.header("allow");
            assert!(allowed.iter().all(|method| allow.contains(method)), "{path}: {allow}");
        }
    }
}

#[tokio::test]
async fn health_and_readiness_are_200() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/packages/health", "").await.status, 200);
    assert_eq!(app.get("/packages/ready", "").await.status, 200);
}
