//! What is answered is what the API's description says, where it takes a database and S3.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::app::{Answer, STORAGE, TestApp, encoded};

/// What a reference in the document leads to, or what stands there itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"].as_str().map_or(value, |to| document.pointer(&to[1..]).unwrap())
}

fn members(value: &Value) -> BTreeSet<&String> {
    value.as_object().unwrap().keys().collect()
}

/// Asserts that a described body has exactly the members that it is described with, all the way down.
fn assert_shape(document: &Value, schema: &Value, body: &Value) {
    let schema = resolved(document, schema);
    // One of several shapes: the one that has these members.
    if let Some(shapes) = schema["oneOf"].as_array() {
        let shapes = shapes.iter().map(|shape| resolved(document, shape));
        let shape = shapes.into_iter().find(|shape| members(body) == members(&shape["properties"]));
        return assert_shape(document, shape.expect("a shape that is described"), body);
    }
    match body {
        Value::Object(_) => {
            assert_eq!(members(body), members(&schema["properties"]));
            for (name, value) in body.as_object().unwrap() {
                assert_shape(document, &schema["properties"][name], value);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| assert_shape(document, &schema["items"], item)),
        Value::Number(_) => assert!(has_type(schema, "integer")),
        // A member that may be null has two types.
        Value::Bool(_) => assert!(has_type(schema, "boolean")),
        Value::Null => assert!(has_type(schema, "null")),
        Value::String(_) => assert!(has_type(schema, "string")),
    }
}

fn has_type(schema: &Value, name: &str) -> bool {
    schema["type"] == name
        || schema["type"].as_array().is_some_and(|types| types.iter().any(|one| one == name))
}

fn assert_described(method: &str, path: &str, status: u16, answer: &Answer) {
    let document = serde_json::to_value(api::openapi::public_document()).unwrap();
    assert_eq!(answer.status, status, "{method} {path}: {:?}", answer.body);
    let operation = &document["paths"][path][method];
    let described = resolved(&document, &operation["responses"][status.to_string()]);
    for name in members(&described["headers"]) {
        assert!(!answer.header(name).is_empty(), "{name} is missing where {method} {path} is {status}");
    }
    let content = &described["content"][answer.header("content-type")];
    match (method, content) {
        ("head", _) | (_, Value::Null) => assert!(answer.body.is_empty(), "{method} {path} {status}"),
        (_, content) => assert_shape(&document, &content["schema"], &answer.json()),
    }
}

#[tokio::test]
async fn links_are_as_described() {
    let app = TestApp::start().await;
    let package = app.file(None, "notes.txt", b"first light").await;
    let token = app.token("viewer").await;
    let path = app.presign_path(&package, "");

    assert_described("get", "/presign/s3", 307, &app.get(&path, &token).await);
    let json = app.presign_path(&package, "&redirect=false");
    assert_described("get", "/presign/s3", 200, &app.get(&json, &token).await);
    for (range, status) in [(None, 200), (Some("bytes=0-3"), 206), (Some("bytes=99-"), 416)] {
        assert_described("head", "/presign/s3", status, &app.head(&path, &token, range).await);
    }
    let sign = app.sign_path(&package, "a.parquet");
    assert_described("get", "/cloudfront/sign", 200, &app.get(&sign, &token).await);
    assert_described("head", "/cloudfront/sign", 200, &app.head(&sign, &token, None).await);
    let missing = sign.replace(package.node_id.as_str(), "N:package:0");
    assert_described("get", "/cloudfront/sign", 404, &app.get(&missing, &token).await);
}

#[tokio::test]
async fn proxied_links_are_as_described() {
    let app = TestApp::start().await;
    let package = app.file(None, "image.czi", b"-").await;
    app.asset(&package, "a.parquet", b"PAR1");
    let link = app.presign_path(&package, "&redirect=false&path=a.parquet");
    let link = app.get(&link, &app.token("viewer").await).await.json();
    let url = link["presigned_url"].as_str().unwrap();
    let proxy = |url: &str| format!("/packages/proxy/s3?presigned_url={}", encoded(url));
    let path = proxy(url);

    assert_described("get", "/proxy/s3", 307, &app.get(&path, "").await);
    for (range, status) in [(None, 200), (Some("bytes=0-3"), 206), (Some("bytes=99-"), 416)] {
        assert_described("head", "/proxy/s3", status, &app.head(&path, "", range).await);
    }
    let forged = app.head(&proxy(&url.replace("Expires=3600", "Expires=3599")), "", None).await;
    assert_described("head", "/proxy/s3", 403, &forged);
}

#[tokio::test]
async fn the_trash_is_as_described() {
    let app = TestApp::start().await;
    let token = app.token("viewer").await;
    let path = format!("/packages/trash?dataset_id={}", app.dataset.node_id);
    assert_described("get", "/trash", 200, &app.get(&path, &token).await);
    let folder = app.folder(None, "folder").await;
    let file = app.file(Some(&folder), "file", b"1").await;
    app.trash(&file).await;
    assert_described("get", "/trash", 200, &app.get(&format!("{path}&outlook=true"), &token).await);
    assert_described("head", "/trash", 200, &app.head(&path, &token, None).await);
    assert_described("get", "/trash", 404, &app.get(&format!("{path}&parent=N:collection:0"), &token).await);
    assert_described("get", "/trash", 400, &app.get(&format!("{path}&limit=0"), &token).await);
}

#[tokio::test]
async fn restores_are_as_described() {
    let app = TestApp::start().await;
    let gone = app.file(None, "gone.txt", b"x").await;
    app.trash(&gone).await;
    let key = app.keys(&gone).await.remove(0);
    for version in app.store.list_versions(STORAGE, &key) {
        app.store.delete_version(STORAGE, &key, &version.id).unwrap();
    }
    let live = app.file(None, "live.txt", b"x").await;
    let token = app.token("editor").await;

    let answer = app.order(&token, &[&gone.node_id, &live.node_id]).await;
    assert_eq!(answer.json()["success"].as_array().unwrap().len(), 1);
    assert_described("post", "/restore", 200, &answer);
    app.work().await;
    let (dataset, package) = (&app.dataset.node_id, &gone.node_id);
    let path = format!("/packages/restore?dataset_id={dataset}&package_id={package}");
    let answer = app.get(&path, &token).await;
    assert_eq!(answer.json()["failed"].as_array().unwrap().len(), 1);
    assert_described("get", "/restore", 200, &answer);
    assert_described("head", "/restore", 200, &app.head(&path, &token, None).await);
}

#[tokio::test]
async fn health_is_as_described() {
    let app = TestApp::start().await;
    for path in ["/health", "/ready"] {
        assert_described("get", path, 200, &app.get(&format!("/packages{path}"), "").await);
    }
}
