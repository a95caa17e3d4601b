//! Any input gets a clear client error: no 500, the service must respond, no internal detail.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::StreamBody;
use serde_json::{Value, json};

use crate::{
    app::{TestApp, TestResponse, build_request, percent_encode},
    routes::private_requests,
};

async fn post_restore(app: &TestApp, token: &str, body: impl Into<Body>) -> TestResponse {
    let path = format!("/packages/restore?dataset_id={}", app.dataset.node_id);
    app.send(build_request("POST", &path, token, body.into())).await
}

const HOSTILE_TEXTS: [&str; 14] = [
    "'",
    "''; DROP TABLE packages; --",
    "\"",
    "\\",
    "\0",
    "\u{7f}",
    "..",
    "%2e%2e%2f",
    "../../etc/passwd",
    "é",
    "🎉",
    "{}",
    "N:package:'",
    "N:dataset:1\0",
];

/// Parameters that no hostile text is valid for.
const IDS: [&str; 3] = ["dataset_id", "package_id", "parent"];

#[tokio::test]
async fn invalid_parameters_are_client_errors() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let token = app.create_token("owner").await;
    let long = "x".repeat(8192);
    for text in HOSTILE_TEXTS.into_iter().chain([long.as_str()]) {
        let text = percent_encode(text);
        for request in private_requests(&app, &package) {
            for parameter in &request.parameters {
                let request = request.with_parameter(parameter, &text);
                let is_id = IDS.contains(&parameter.as_str());
                assert_client_error(&app, request.build(""), true).await;
                assert_client_error(&app, request.build(&token), is_id).await;
            }
        }
        let proxy = format!("/packages/proxy/s3?presigned_url={text}");
        assert_client_error(&app, build_request("GET", &proxy, "", Body::empty()), true).await;
        let path = app.get(&app.presign_path(&package, &format!("&path={text}")), &token).await;
        assert!(matches!(path.status.as_u16(), 307 | 400), "{text}: {}", path.status);
    }
    for raw in ["%", "%zz", "%ff", "%00", "a=1&a=2", "&&&=&", "dataset_id"] {
        let response = app.get(&format!("/packages/presign/s3?{raw}"), &token).await;
        assert!(response.status.is_client_error(), "{raw}");
    }
}

/// Asserts that a request gets a client error, or a success if that is allowed.
async fn assert_client_error(app: &TestApp, request: Request<Body>, must_fail: bool) {
    let (method, path) = (request.method().clone(), request.uri().clone());
    let response = app.send(request).await;
    let status = response.status.as_u16();
    let is_success = matches!(status, 200 | 307) && !must_fail;
    assert!(is_success || matches!(status, 400 | 401 | 403 | 404), "{method} {path}: {status}");
    if !is_success && method != Method::HEAD {
        response.assert_problem(status);
    }
}

#[tokio::test]
async fn a_signed_key_stays_inside_its_package() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let token = app.create_token("viewer").await;
    for path in
        ["../P1/x", "..", "a/../../x", "%2e%2e%2fx", "/x", "a//b", "a\\..\\x", "*", "a?b", "a\0", "a\nb", "."]
    {
        for target in [app.presign_path(&package, ""), app.sign_path(&package, "").replace("&path=", "")] {
            let response = app.get(&format!("{target}&path={}", percent_encode(path)), &token).await;
            response.assert_problem(400);
        }
    }
}

#[tokio::test]
async fn invalid_bodies_are_explained() {
    let app = TestApp::start().await;
    let token = app.create_token("editor").await;
    for body in [
        "",
        "{",
        "[]",
        "\"x\"",
        "1",
        "true",
        "{\"nodeIds\":\"N:package:1\"}",
        "{\"nodeIds\":{}}",
        "{\"nodeIds\":[1]}",
        "{\"nodeIds\":[[\"N:package:1\"]]}",
        "{\"nodeIds\":[\"N:package:1\"]",
        "\u{feff}{}x",
        "{\"nodeIds\":[\"\\ud800\"]}",
    ] {
        let detail = post_restore(&app, &token, body).await.assert_problem(400);
        assert!(body.len() < 4 || !detail.contains(body), "the body is not echoed: {detail}");
    }
    post_restore(&app, &token, vec![0xff, 0xfe, 0x00]).await.assert_problem(400);
    let deep = "[".repeat(100_000);
    post_restore(&app, &token, deep).await.assert_problem(400);
}

#[tokio::test]
async fn accepts_every_body_that_the_original_accepts() {
    let app = TestApp::start().await;
    let token = app.create_token("editor").await;
    let nothing = json!({"success": [], "failures": []});
    for body in
        ["null", "{}", "{\"nodeIds\":null}", "{\"nodeIds\":[]}", "{\"userId\":\"N:user:other\",\"x\":1}"]
    {
        let response = post_restore(&app, &token, body).await;
        assert_eq!((response.status.as_u16(), response.json()), (200, nothing.clone()), "{body}");
    }
    let package = app.create_file(None, "a", b"-").await;
    app.trash_package(&package).await;
    let body = json!({"NODEIDS": [package.node_id], "userId": "N:user:somebody-else"}).to_string();
    let response = post_restore(&app, &token, body).await;
    assert_eq!(response.json()["success"], json!([package.node_id]));
    let sql = "SELECT user_node_id FROM packages_service.restore_orders WHERE workspace_id = $1";
    let order = app.workspace.client.query_one(sql, &[&app.workspace.id.0]).await.unwrap();
    assert_ne!(order.get::<_, &str>(0), "N:user:somebody-else", "the user of an order comes from the token");
}

#[tokio::test]
async fn invalid_ids_fail_one_by_one() {
    let app = TestApp::start().await;
    let token = app.create_token("editor").await;
    let package = app.create_file(None, "a", b"-").await;
    app.trash_package(&package).await;
    let mut ids: Vec<Value> = HOSTILE_TEXTS.iter().map(|text| json!(text)).collect();
    ids.push(json!(app.dataset.node_id));
    ids.push(json!(package.node_id));
    let response = post_restore(&app, &token, json!({ "nodeIds": ids }).to_string()).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["success"], json!([package.node_id]));
    assert_eq!(response.json()["failures"].as_array().unwrap().len(), ids.len() - 1);
}

#[tokio::test]
async fn rejects_bodies_over_the_limit() {
    let app = TestApp::start().await;
    let token = app.create_token("editor").await;
    let ids = |count: usize| {
        json!({"nodeIds": (0..count).map(|n| format!("N:package:{n}")).collect::<Vec<_>>()}).to_string()
    };
    let response = post_restore(&app, &token, ids(10_000)).await;
    assert_eq!(response.status, 200);
    assert!(post_restore(&app, &token, ids(10_001)).await.assert_problem(413).contains("10000"));
    post_restore(&app, &token, ids(100_000)).await.assert_problem(413);
    post_restore(&app, &token, vec![b' '; 10 << 20]).await.assert_problem(413);
}

#[tokio::test]
async fn a_body_that_stops_halfway_times_out() {
    let app = TestApp::start().await;
    let token = app.create_token("editor").await;
    let (sender, receiver) =
        tokio::sync::mpsc::unbounded_channel::<Result<http_body::Frame<Bytes>, std::io::Error>>();
    sender.send(Ok(http_body::Frame::data(Bytes::from_static(b"{\"nodeIds\":[")))).unwrap();
    let receiver = tokio::sync::Mutex::new(receiver);
    let frames = futures_util::stream::unfold(receiver, async |receiver| {
        let frame = receiver.lock().await.recv().await?;
        Some((frame, receiver))
    });
    let response = tokio::time::timeout(
        Duration::from_secs(20),
        post_restore(&app, &token, Body::new(StreamBody::new(frames))),
    );
    response.await.expect("the service must respond").assert_problem(408);
    drop(sender);

    let cut = futures_util::stream::iter([
        Ok(http_body::Frame::data(Bytes::from_static(b"{\"nodeIds\":["))),
        Err(std::io::Error::other("connection reset")),
    ]);
    post_restore(&app, &token, Body::new(StreamBody::new(cut))).await.assert_problem(400);
}

#[tokio::test]
async fn unknown_routes_are_problems() {
    let app = TestApp::start().await;
    for path in [
        "/",
        "/packages",
        "/packages/",
        "/packages/restore/",
        "/restore",
        "/packages/../packages/restore",
        "/packages/%2e%2e",
        "//packages/restore",
    ] {
        app.get(path, "").await.assert_problem(404);
    }
}
