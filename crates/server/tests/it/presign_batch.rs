//! `POST /packages/presign/s3`: links to many files in one call.

use axum::body::Body;
use http::Request;
use local::workspace::Package;
use serde_json::{Value, json};

use crate::app::{STORAGE, TestApp, TestResponse, build_request, fetch_url};

fn batch_request(app: &TestApp, token: &str, body: &Value) -> Request<Body> {
    let path = format!("/packages/presign/s3?dataset_id={}", app.dataset.node_id);
    build_request("POST", &path, token, Body::from(body.to_string()))
}

async fn presign_batch(app: &TestApp, token: &str, items: &[Value]) -> TestResponse {
    app.send(batch_request(app, token, &json!({ "items": items }))).await
}

fn item(package: &Package) -> Value {
    json!({"package_id": package.node_id})
}

#[tokio::test]
async fn each_item_has_its_link_or_its_problem() {
    let mut app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let notes = app.create_file(None, "notes.txt", b"first light").await;
    let image = app.create_file(None, "image.czi", b"-").await;
    let folder = app.create_folder(None, "folder").await;
    app.put_asset(&image, "preview.png", b"png");
    let (_, foreign) = app.trash_in_other_dataset().await;

    let items = [
        item(&notes),
        item(&folder),
        json!({"package_id": image.node_id, "path": "preview.png", "disposition": "inline"}),
        item(&foreign),
        json!({"package_id": image.node_id, "path": "../P1/x"}),
        json!(7),
        item(&notes),
        json!({"package_id": image.node_id, "disposition": "inline"}),
    ];
    let response = presign_batch(&app, &token, &items).await;
    assert_eq!(response.status, 200, "{:?}", response.body);
    let answers = response.json()["items"].as_array().unwrap().clone();
    let statuses: Vec<_> =
        answers.iter().map(|answer| answer.pointer("/problem/status").and_then(Value::as_u64)).collect();
    let (ok, invalid, missing) = (None, Some(400), Some(404));
    assert_eq!(statuses, [ok, missing, ok, missing, invalid, invalid, ok, invalid]);

    let fetch = async |answer: &Value| fetch_url("GET", answer["presigned_url"].as_str().unwrap()).await;
    let (file, asset) = (fetch(&answers[0]).await, fetch(&answers[2]).await);
    assert_eq!(file.body, "first light");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"notes.txt\"");
    assert_eq!((&asset.body[..], asset.header("content-type")), (&b"png"[..], "image/png"));
    assert_eq!(answers[0], answers[6], "a repeated item has the same link");
    assert_eq!(answers[0]["size"], 11);
    let problem = answers[3]["problem"].as_object().unwrap();
    assert_eq!(
        problem["detail"],
        answers[1]["problem"]["detail"].as_str().map_or("", |_| "package not found in this dataset")
    );
    assert!(problem.contains_key("type") && problem.contains_key("title"));
}

#[tokio::test]
async fn a_thousand_links_cost_one_statement() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    let files = app.create_files(&folder, 1000).await;
    let items: Vec<Value> = files.iter().map(item).collect();
    let before = app.app.db.statement_count();
    let response = presign_batch(&app, &token, &items).await.json();
    // One more statement decides who the caller is and what they may do.
    assert_eq!(app.app.db.statement_count() - before, 1 + 1);
    let links = response["items"].as_array().unwrap();
    assert_eq!(links.len(), 1000);
    for number in [0, 1, 499, 999] {
        let key = &app.load_keys(&files[number]).await[0];
        assert!(links[number]["presigned_url"].as_str().unwrap().contains(key), "{number}");
    }
    assert_eq!(presign_batch(&app, &token, &vec![json!(0); 1001]).await.status, 413);
}

#[tokio::test]
async fn bodies_that_are_no_batch_are_400() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    for body in [json!(null), json!([]), json!({}), json!({"items": 7}), json!({"items": {"0": {}}})] {
        app.send(batch_request(&app, &token, &body)).await.assert_problem(400);
    }
    let large = json!({"items": [], "filler": "x".repeat(10 << 20)});
    app.send(batch_request(&app, &token, &large)).await.assert_problem(413);
    let empty = app.send(batch_request(&app, &token, &json!({"items": []}))).await;
    assert_eq!(empty.json(), json!({"items": []}));
}

#[tokio::test]
async fn a_guest_gets_no_links_and_an_unsafe_file_has_none() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "notes.txt", b"-").await;
    presign_batch(&app, &app.create_token("guest").await, &[item(&package)]).await.assert_problem(403);
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".files SET scan_status = 'infected' WHERE s3_bucket = '{STORAGE}'"#
    ))
    .await;
    let response = presign_batch(&app, &app.create_token("viewer").await, &[item(&package)]).await.json();
    assert_eq!(response["items"][0]["problem"]["status"], 403);
}
