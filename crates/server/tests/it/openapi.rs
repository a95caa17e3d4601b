//! Responses match the OpenAPI document, where they need a database or S3.

use std::collections::BTreeSet;

use axum::body::Body;
use serde_json::{Value, json};

use crate::app::{STORAGE, TestApp, TestResponse, build_request, percent_encode};

/// Follows a `$ref`; another value is returned as it is.
fn resolve_reference<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"].as_str().map_or(value, |to| document.pointer(&to[1..]).unwrap())
}

fn member_names(value: &Value) -> BTreeSet<&String> {
    value.as_object().unwrap().keys().collect()
}

/// Whether a body has all members that the schema requires, and no undocumented one.
fn has_members_of(schema: &Value, body: &Value) -> bool {
    let names = member_names(body);
    let required = schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
    let mut required = required.map(str::to_owned);
    names.is_subset(&member_names(&schema["properties"])) && required.all(|name| names.contains(&name))
}

/// Asserts that a body has the documented members, recursively.
fn assert_shape(document: &Value, schema: &Value, body: &Value) {
    let schema = resolve_reference(document, schema);
    // `oneOf`: compare with the shape that has these members.
    if let Some(shapes) = schema["oneOf"].as_array() {
        let shapes = shapes.iter().map(|shape| resolve_reference(document, shape));
        let shape = shapes.into_iter().find(|shape| has_members_of(shape, body));
        return assert_shape(document, shape.expect("a documented shape"), body);
    }
    match body {
        // A map: any names, values of one kind.
        Value::Object(members) if schema["additionalProperties"].is_object() => {
            members.values().for_each(|value| assert_shape(document, &schema["additionalProperties"], value));
        }
        Value::Object(_) => {
            assert!(has_members_of(schema, body), "{body} is not {schema}");
            for (name, value) in body.as_object().unwrap() {
                assert_shape(document, &schema["properties"][name], value);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| assert_shape(document, &schema["items"], item)),
        Value::Number(_) => assert!(has_type(schema, "integer")),
        // A nullable member has two types.
        Value::Bool(_) => assert!(has_type(schema, "boolean")),
        Value::Null => assert!(has_type(schema, "null")),
        Value::String(_) => assert!(has_type(schema, "string")),
    }
}

fn has_type(schema: &Value, name: &str) -> bool {
    schema["type"] == name
        || schema["type"].as_array().is_some_and(|types| types.iter().any(|one| one == name))
}

fn assert_described(method: &str, path: &str, status: u16, response: &TestResponse) {
    let document = serde_json::to_value(api::openapi::public_document()).unwrap();
    assert_eq!(response.status, status, "{method} {path}: {:?}", response.body);
    let operation = &document["paths"][path][method];
    let described = resolve_reference(&document, &operation["responses"][status.to_string()]);
    for name in member_names(&described["headers"]) {
        assert!(!response.header(name).is_empty(), "{name} is missing where {method} {path} is {status}");
    }
    let content = &described["content"][response.header("content-type")];
    match (method, content) {
        ("head", _) | (_, Value::Null) => assert!(response.body.is_empty(), "{method} {path} {status}"),
        (_, content) => assert_shape(&document, &content["schema"], &response.json()),
    }
}

#[tokio::test]
async fn links_match_the_document() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "notes.txt", b"first light").await;
    let token = app.create_token("viewer").await;
    let path = app.presign_path(&package, "");

    assert_described("get", "/presign/s3", 307, &app.get(&path, &token).await);
    let json = app.presign_path(&package, "&redirect=false");
    assert_described("get", "/presign/s3", 200, &app.get(&json, &token).await);
    let asset = app.presign_path(&package, "&redirect=false&path=a.png&disposition=inline");
    assert_described("get", "/presign/s3", 200, &app.get(&asset, &token).await);
    let items = json!({"items": [{"package_id": package.node_id}, {"package_id": "N:package:0"}, 7]});
    let batch = format!("/packages/presign/s3?dataset_id={}", app.dataset.node_id);
    let batch = app.send(build_request("POST", &batch, &token, Body::from(items.to_string()))).await;
    assert_described("post", "/presign/s3", 200, &batch);
    for (range, status) in [(None, 200), (Some("bytes=0-3"), 206), (Some("bytes=99-"), 416)] {
        assert_described("head", "/presign/s3", status, &app.head(&path, &token, range).await);
    }
    let sign = app.sign_path(&package, "a.parquet");
    assert_described("get", "/cloudfront/sign", 200, &app.get(&sign, &token).await);
    assert_described("head", "/cloudfront/sign", 200, &app.head(&sign, &token, None).await);
    for directory in ["", "image.ome.zarr/"] {
        let sign = app.sign_path(&package, directory);
        assert_described("get", "/cloudfront/sign", 200, &app.get(&sign, &token).await);
    }
    let missing = sign.replace(package.node_id.as_str(), "N:package:0");
    assert_described("get", "/cloudfront/sign", 404, &app.get(&missing, &token).await);
}

#[tokio::test]
async fn proxied_links_match_the_document() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "image.czi", b"-").await;
    app.put_asset(&package, "a.parquet", b"PAR1");
    let link = app.presign_path(&package, "&redirect=false&path=a.parquet");
    let link = app.get(&link, &app.create_token("viewer").await).await.json();
    let url = link["presigned_url"].as_str().unwrap();
    let proxy = |url: &str| format!("/packages/proxy/s3?presigned_url={}", percent_encode(url));
    let path = proxy(url);

    assert_described("get", "/proxy/s3", 307, &app.get(&path, "").await);
    for (range, status) in [(None, 200), (Some("bytes=0-3"), 206), (Some("bytes=99-"), 416)] {
        assert_described("head", "/proxy/s3", status, &app.head(&path, "", range).await);
    }
    let forged = app.head(&proxy(&url.replace("Expires=3900", "Expires=3899")), "", None).await;
    assert_described("head", "/proxy/s3", 403, &forged);
}

#[tokio::test]
async fn the_trash_matches_the_document() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let path = format!("/packages/trash?dataset_id={}", app.dataset.node_id);
    assert_described("get", "/trash", 200, &app.get(&path, &token).await);
    let folder = app.create_folder(None, "folder").await;
    let file = app.create_file(Some(&folder), "file", b"1").await;
    app.trash_package(&file).await;
    assert_described("get", "/trash", 200, &app.get(&format!("{path}&outlook=true"), &token).await);
    assert_described("head", "/trash", 200, &app.head(&path, &token, None).await);
    assert_described("get", "/trash", 404, &app.get(&format!("{path}&parent=N:collection:0"), &token).await);
    assert_described("get", "/trash", 400, &app.get(&format!("{path}&limit=0"), &token).await);
}

#[tokio::test]
async fn restores_match_the_document() {
    let app = TestApp::start().await;
    let gone = app.create_file(None, "gone.txt", b"x").await;
    app.trash_package(&gone).await;
    let key = app.load_keys(&gone).await.remove(0);
    for version in app.store.list_versions(STORAGE, &key) {
        app.store.delete_version(STORAGE, &key, &version.id).unwrap();
    }
    let live = app.create_file(None, "live.txt", b"x").await;
    let token = app.create_token("editor").await;

    let response = app.order_restore(&token, &[&gone.node_id, &live.node_id]).await;
    assert_eq!(response.json()["success"].as_array().unwrap().len(), 1);
    assert_described("post", "/restore", 200, &response);
    app.run_orders().await;
    let (dataset, package) = (&app.dataset.node_id, &gone.node_id);
    let path = format!("/packages/restore?dataset_id={dataset}&package_id={package}");
    let response = app.get(&path, &token).await;
    assert_eq!(response.json()["failed"].as_array().unwrap().len(), 1);
    assert_described("get", "/restore", 200, &response);
    assert_described("head", "/restore", 200, &app.head(&path, &token, None).await);
}

#[tokio::test]
async fn health_matches_the_document() {
    let app = TestApp::start().await;
    for path in ["/health", "/ready"] {
        assert_described("get", path, 200, &app.get(&format!("/packages{path}"), "").await);
    }
}
