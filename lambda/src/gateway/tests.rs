use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::json;

use super::*;

fn event(path: &str, stage: &str, query: &str) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": query, "isBase64Encoded": false,
        "requestContext": {"requestId": "JKJaXmPLvHcESHA=", "stage": stage, "http": {"method": "GET", "path": path}},
    })
}

fn target(path: &str, stage: &str, query: &str) -> String {
    request_from_event(event(path, stage, query), None).unwrap().uri().to_string()
}

async fn read_body(event: Value) -> Result<Vec<u8>, axum::Error> {
    let body = request_from_event(event, None).unwrap().into_body().collect().await;
    body.map(|body| body.to_bytes().to_vec())
}

#[test]
fn every_path_gets_the_base_path() {
    for (path, stage) in [
        ("/presign/s3", "$default"),
        ("/packages/presign/s3", "$default"),
        ("/dev/presign/s3", "dev"),
        ("/dev/packages/presign/s3", "dev"),
        ("/presign/s3", "dev"),
        ("/presign/s3", ""),
    ] {
        assert_eq!(target(path, stage, ""), "/packages/presign/s3", "{path} {stage}");
    }
    assert_eq!(target("/packagesx", "$default", ""), "/packages/packagesx");
    assert_eq!(target("/development", "dev", ""), "/packages/development");
    assert_eq!(target("/packages", "$default", ""), "/packages");
    assert_eq!(target("", "$default", ""), "/packages");
}

#[test]
fn keeps_the_query_byte_for_byte() {
    for query in [
        "dataset_id=N%3Adataset%3A1&dataset_id=N:dataset:2",
        "path=a%20b%2Bc+d&&=&x",
        "presigned_url=https%3A%2F%2Fb.s3.amazonaws.com%2Fk%3FX-Amz-Signature%3D0a",
        "a=1,2&b='(*)!;[]'",
    ] {
        assert_eq!(target("/proxy/s3", "$default", query), format!("/packages/proxy/s3?{query}"));
    }
}

#[test]
fn encodes_bytes_that_a_uri_cannot_contain() {
    assert_eq!(target("/a b/é?#", "$default", "x=\" é"), "/packages/a%20b/%C3%A9%3F%23?x=%22%20%C3%A9");
    assert_eq!(request_from_event(event(&"x".repeat(70_000), "", ""), None).unwrap_err(), InvalidEvent);
}

#[test]
fn the_gateways_ids_replace_the_clients() {
    let mut event = event("/health", "$default", "");
    event["headers"] =
        json!({"x-request-id": "mine", "x-amzn-trace-id": "Root=1-0", "accept": "*/*", "bad name": "x"});
    event["cookies"] = json!(["a=1", "b=2"]);
    let request = request_from_event(event, Some("Root=1-1;Parent=2;Sampled=1")).unwrap();
    let headers = request.headers();
    assert_eq!(headers["x-request-id"], "JKJaXmPLvHcESHA=");
    assert_eq!(headers["x-amzn-trace-id"], "Root=1-1;Parent=2;Sampled=1");
    assert_eq!(headers["accept"], "*/*");
    assert_eq!(headers["cookie"], "a=1; b=2");
    assert_eq!(headers.len(), 4);
}

#[tokio::test]
async fn reads_text_and_base64_bodies() {
    let mut event = event("/restore", "$default", "");
    assert_eq!(read_body(event.clone()).await.unwrap(), b"");
    event["body"] = json!("{\"nodeIds\":[]}");
    assert_eq!(read_body(event.clone()).await.unwrap(), b"{\"nodeIds\":[]}");
    event["isBase64Encoded"] = json!(true);
    assert!(read_body(event.clone()).await.is_err());
    event["body"] = json!("eyJub2RlSWRzIjpbXX0=");
    assert_eq!(read_body(event).await.unwrap(), b"{\"nodeIds\":[]}");
}

#[tokio::test]
async fn null_members_count_as_absent() {
    let event = json!({
        "version": null, "routeKey": null, "rawPath": null, "rawQueryString": null, "cookies": null,
        "headers": null, "queryStringParameters": null, "pathParameters": null, "stageVariables": null,
        "body": null, "isBase64Encoded": null,
        "requestContext": {
            "requestId": null, "stage": null, "authorizer": null, "accountId": null, "authentication": null,
            "http": {"method": "GET", "path": null, "sourceIp": null},
        },
    });
    let made = request_from_event(event.clone(), None).unwrap();
    assert_eq!(made.uri(), "/packages");
    assert_eq!(made.headers().len(), 1, "the gateway's id, which is empty");
    assert_eq!(made.extensions().get::<AuthorizerContext>().unwrap().0, Value::Null);
    let mut partly = event.clone();
    partly["headers"] = json!({"accept": null, "range": "bytes=0-1"});
    partly["requestContext"]["authorizer"] = json!({"lambda": null});
    let made = request_from_event(partly, None).unwrap();
    assert_eq!(
        (made.headers().get("accept"), &made.headers()["range"]),
        (None, &"bytes=0-1".parse().unwrap())
    );
    assert_eq!(read_body(event).await.unwrap(), b"");
    // The method is required.
    for context in [json!(null), json!({"http": null}), json!({"http": {"method": null}})] {
        assert_eq!(request_from_event(json!({ "requestContext": context }), None).unwrap_err(), InvalidEvent);
    }
}

#[test]
fn rejects_other_events() {
    for event in [
        json!(null),
        json!([]),
        json!("Bearer eyJ"),
        json!({}),
        json!({"Records": []}),
        json!({"headers": {"authorization": 7}}),
        json!({"requestContext": {"http": {"method": "", "path": "/"}}}),
        json!({"requestContext": {"http": {"method": "GET /", "path": "/"}}}),
    ] {
        assert_eq!(request_from_event(event, None).unwrap_err(), InvalidEvent);
    }
}

#[tokio::test]
async fn the_response_keeps_all_headers() {
    let headers = [("vary", "Origin"), ("vary", "Range"), ("set-cookie", "a=1"), ("set-cookie", "b=2")];
    let mut response = (StatusCode::PARTIAL_CONTENT, [("content-length", "1234567")]).into_response();
    for (name, value) in headers {
        response.headers_mut().append(name, HeaderValue::from_static(value));
    }
    let response = serde_json::to_value(GatewayResponse::from_response(response).await.unwrap()).unwrap();
    let headers = json!({"content-length": "1234567", "vary": "Origin, Range"});
    let cookies = json!(["a=1", "b=2"]);
    assert_eq!(
        response,
        json!({"statusCode": 206, "headers": headers, "cookies": cookies, "body": "", "isBase64Encoded": false})
    );
}

#[tokio::test]
async fn binary_bodies_become_base64() {
    let binary = GatewayResponse::from_response(vec![0xff, 0x00].into_response()).await.unwrap();
    assert!(binary.is_base64_encoded);
    assert_eq!(binary.body, "/wA=");
    let text = GatewayResponse::from_response("é".into_response()).await.unwrap();
    assert!(!text.is_base64_encoded);
    assert_eq!(text.body, "é");
}
