//! Whatever a client sends, it gets a clear error: no 500, no hang, nothing of ours.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::StreamBody;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, encoded, request};

async fn post(app: &TestApp, token: &str, body: impl Into<Body>) -> Answer {
    let path = format!("/packages/restore?dataset_id={}", app.dataset.node_id);
    app.send(request("POST", &path, token, body.into())).await
}

const TEXTS: [&str; 14] = [
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

#[tokio::test]
async fn odd_parameters_are_client_errors() {
    let app = TestApp::start().await;
    let package = app.file(None, "a", b"-").await;
    let token = app.token("owner").await;
    let long = "x".repeat(8192);
    for text in TEXTS.into_iter().chain([long.as_str()]) {
        let text = encoded(text);
        let (dataset, id) = (&app.dataset.node_id, &package.node_id);
        for path in [
            format!("/packages/presign/s3?dataset_id={text}&package_id={id}"),
            format!("/packages/presign/s3?dataset_id={dataset}&package_id={text}"),
            format!("/packages/cloudfront/sign?dataset_id={dataset}&package_id={text}&path=a"),
            format!("/packages/restore?dataset_id={dataset}&package_id={text}"),
            format!("/packages/restore?dataset_id={text}&package_id={id}"),
            format!("/packages/proxy/s3?presigned_url={text}"),
        ] {
            for token in ["", &token] {
                let answer = app.get(&path, token).await;
                assert!(matches!(answer.status.as_u16(), 400 | 401 | 403 | 404), "{path}: {}", answer.status);
                answer.problem(answer.status.as_u16());
            }
        }
        let path = app.get(&app.presign_path(&package, &format!("&path={text}")), &token).await;
        assert!(matches!(path.status.as_u16(), 307 | 400), "{text}: {}", path.status);
    }
    for raw in ["%", "%zz", "%ff", "%00", "a=1&a=2", "&&&=&", "dataset_id"] {
        let answer = app.get(&format!("/packages/presign/s3?{raw}"), &token).await;
        assert!(answer.status.is_client_error(), "{raw}");
    }
}

#[tokio::test]
async fn a_signed_key_stays_below_its_package() {
    let app = TestApp::start().await;
    let package = app.file(None, "a", b"-").await;
    let token = app.token("viewer").await;
    for path in
        ["../P1/x", "..", "a/../../x", "%2e%2e%2fx", "/x", "a//b", "a\\..\\x", "*", "a?b", "a\0", "a\nb", "."]
    {
        for target in [app.presign_path(&package, ""), app.sign_path(&package, "").replace("&path=", "")] {
            let answer = app.get(&format!("{target}&path={}", encoded(path)), &token).await;
            answer.problem(400);
        }
    }
}

#[tokio::test]
async fn bodies_that_are_no_order_are_explained() {
    let app = TestApp::start().await;
    let token = app.token("editor").await;
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
        let detail = post(&app, &token, body).await.problem(400);
        assert!(body.len() < 4 || !detail.contains(body), "the body is not echoed: {detail}");
    }
    post(&app, &token, vec![0xff, 0xfe, 0x00]).await.problem(400);
    let deep = "[".repeat(100_000);
    post(&app, &token, deep).await.problem(400);
}

#[tokio::test]
async fn what_the_original_accepts_is_accepted() {
    let app = TestApp::start().await;
    let token = app.token("editor").await;
    let nothing = json!({"success": [], "failures": []});
    for body in
        ["null", "{}", "{\"nodeIds\":null}", "{\"nodeIds\":[]}", "{\"userId\":\"N:user:other\",\"x\":1}"]
    {
        let answer = post(&app, &token, body).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, nothing.clone()), "{body}");
    }
    let package = app.file(None, "a", b"-").await;
    app.trash(&package).await;
    let body = json!({"NODEIDS": [package.node_id], "userId": "N:user:somebody-else"}).to_string();
    let answer = post(&app, &token, body).await;
    assert_eq!(answer.json()["success"], json!([package.node_id]));
    let sql = "SELECT user_node_id FROM packages_service.restore_orders WHERE workspace_id = $1";
    let order = app.workspace.client.query_one(sql, &[&app.workspace.id.0]).await.unwrap();
    assert_ne!(order.get::<_, &str>(0), "N:user:somebody-else", "who orders is who the token names");
}

#[tokio::test]
async fn ids_that_are_none_fail_one_by_one() {
    let app = TestApp::start().await;
    let token = app.token("editor").await;
    let package = app.file(None, "a", b"-").await;
    app.trash(&package).await;
    let mut ids: Vec<Value> = TEXTS.iter().map(|text| json!(text)).collect();
    ids.push(json!(app.dataset.node_id));
    ids.push(json!(package.node_id));
    let answer = post(&app, &token, json!({ "nodeIds": ids }).to_string()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["success"], json!([package.node_id]));
    assert_eq!(answer.json()["failures"].as_array().unwrap().len(), ids.len() - 1);
}

#[tokio::test]
async fn too_much_is_refused_with_the_limit() {
    let app = TestApp::start().await;
    let token = app.token("editor").await;
    let ids = |count: usize| {
        json!({"nodeIds": (0..count).map(|n| format!("N:package:{n}")).collect::<Vec<_>>()}).to_string()
    };
    let answer = post(&app, &token, ids(10_000)).await;
    assert_eq!(answer.status, 200);
    assert!(post(&app, &token, ids(10_001)).await.problem(413).contains("10000"));
    post(&app, &token, ids(100_000)).await.problem(413);
    post(&app, &token, vec![b' '; 10 << 20]).await.problem(413);
}

#[tokio::test]
async fn a_body_that_stops_half_way_is_given_up() {
    let app = TestApp::start().await;
    let token = app.token("editor").await;
    let (sender, receiver) =
        tokio::sync::mpsc::unbounded_channel::<Result<http_body::Frame<Bytes>, std::io::Error>>();
    sender.send(Ok(http_body::Frame::data(Bytes::from_static(b"{\"nodeIds\":[")))).unwrap();
    let receiver = tokio::sync::Mutex::new(receiver);
    let frames = futures_util::stream::unfold(receiver, async |receiver| {
        let frame = receiver.lock().await.recv().await?;
        Some((frame, receiver))
    });
    let answer =
        tokio::time::timeout(Duration::from_secs(20), post(&app, &token, Body::new(StreamBody::new(frames))));
    answer.await.expect("no hang").problem(408);
    drop(sender);

    let cut = futures_util::stream::iter([
        Ok(http_body::Frame::data(Bytes::from_static(b"{\"nodeIds\":["))),
        Err(std::io::Error::other("connection reset")),
    ]);
    post(&app, &token, Body::new(StreamBody::new(cut))).await.problem(400);
}

#[tokio::test]
async fn unknown_routes_are_problems_too() {
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
        app.get(path, "").await.problem(404);
    }
}
