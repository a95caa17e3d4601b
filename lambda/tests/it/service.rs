//! The API behind the gateway.

use std::collections::BTreeMap;

use local::{closed_port::bind_closed_port, workspace::Package};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    environment::TestEnvironment,
    function::{Function, RESTORE, SERVICE, load_event},
};

/// A response in the gateway's format.
pub(crate) struct GatewayResponse(Value);

impl GatewayResponse {
    pub(crate) fn status(&self) -> i64 {
        self.0["statusCode"].as_i64().unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.0["headers"][name].as_str().unwrap_or_default()
    }

    pub(crate) fn body(&self) -> Value {
        assert_eq!(self.0["isBase64Encoded"], false);
        serde_json::from_str(self.0["body"].as_str().unwrap()).unwrap()
    }

    /// Asserts that this is a problem with this status. Returns its detail.
    pub(crate) fn assert_problem(&self, status: i64) -> String {
        assert_eq!(self.status(), status, "{}", self.0);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.body();
        assert_eq!(problem["requestId"], "JKJaXmPLvHcESHA=", "the id of the gateway");
        problem["detail"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn invoke_service(function: &Function, event: Value) -> GatewayResponse {
    GatewayResponse(function.invoke(event).await.unwrap())
}

/// A recorded event with this query and these claims.
pub(crate) fn build_event(name: &str, query: &str, context: Value) -> Value {
    let mut event = load_event(name);
    event["rawQueryString"] = json!(query);
    event["requestContext"]["authorizer"]["lambda"] = context;
    event
}

pub(crate) fn with_path(mut event: Value, path: &str) -> Value {
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    event
}

fn package_query(environment: &TestEnvironment, package: &Package) -> String {
    format!("dataset_id={}&package_id={}", environment.dataset.node_id, package.node_id).replace(':', "%3A")
}

/// Fetches a link to the local S3. Returns the raw response.
pub(crate) async fn fetch_link(link: &str) -> String {
    let (address, target) = link.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /{target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn presigns_a_link_for_a_viewer() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    let response = invoke_service(
        &function,
        build_event("get", &package_query(&environment, &package), environment.authorizer_context(2)),
    )
    .await;
    assert_eq!(response.status(), 307, "{}", response.0);
    assert_eq!(response.header("x-request-id"), "JKJaXmPLvHcESHA=");
    assert_eq!(response.header("cache-control"), "no-store");
    let got = fetch_link(response.header("location")).await;
    assert!(got.starts_with("HTTP/1.1 200") && got.ends_with("hello"), "{got}");
}

#[tokio::test]
async fn signs_a_link_with_the_configured_key() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    let query = format!("{}&path=a.parquet", package_query(&environment, &package));
    let response = invoke_service(
        &function,
        with_path(build_event("get", &query, environment.authorizer_context(2)), "/cloudfront/sign"),
    )
    .await;
    let link = response.body()["signed_url"].as_str().unwrap().to_owned();
    assert!(link.starts_with("https://d111111abcdef8.cloudfront.net/O"), "{link}");
    assert!(link.contains("Key-Pair-Id=KTEST0000001"), "{link}");
}

#[tokio::test]
async fn invalid_claims_are_403() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    let query = package_query(&environment, &package);
    let good = environment.authorizer_context(2);
    let mut invalid = vec![
        json!(null),
        json!({}),
        json!([]),
        json!("x"),
        json!(7),
        json!({"user_claim": good["user_claim"]}),
    ];
    for claim in ["user_claim", "org_claim", "dataset_claim"] {
        for value in [json!(null), json!("x"), json!([]), json!({}), json!(-1)] {
            let mut context = good.clone();
            context[claim] = value;
            invalid.push(context);
        }
    }
    for (pointer, value) in [
        ("/dataset_claim/Role", json!("3")),
        ("/dataset_claim/Role", json!(3.5)),
        ("/dataset_claim/Role", json!(9)),
        ("/dataset_claim/IntId", json!(1e300)),
        ("/org_claim/IntId", json!("1; DROP")),
        ("/user_claim/NodeId", json!(7)),
        ("/dataset_claim/NodeId", json!("N:dataset:another")),
        ("/team_claims", json!("x")),
    ] {
        let mut context = good.clone();
        *context.pointer_mut(pointer).unwrap() = value;
        invalid.push(context);
    }
    for context in invalid {
        invoke_service(&function, build_event("get", &query, context.clone())).await.assert_problem(403);
    }
    let mut none = build_event("get", &query, json!(null));
    none["requestContext"].as_object_mut().unwrap().remove("authorizer");
    invoke_service(&function, none).await.assert_problem(403);

    let mut floats = good;
    for pointer in ["/user_claim/Id", "/org_claim/IntId", "/dataset_claim/IntId", "/dataset_claim/Role"] {
        let value = floats.pointer_mut(pointer).unwrap();
        *value = json!(value.as_f64().unwrap());
    }
    assert_eq!(invoke_service(&function, build_event("get", &query, floats)).await.status(), 307);
}

#[tokio::test]
async fn rejects_requests_that_the_claims_do_not_cover() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    let query = package_query(&environment, &package);
    invoke_service(&function, build_event("get", &query, environment.authorizer_context(1)))
        .await
        .assert_problem(403);
    let dataset = &environment.dataset.node_id;
    invoke_service(
        &function,
        build_event("post", &format!("dataset_id={dataset}"), environment.authorizer_context(2)),
    )
    .await
    .assert_problem(403);
    // The gateway joins repeated parameters with a comma in `queryStringParameters`; the service reads the raw query.
    let twice = format!("{query}&dataset_id=N%3Adataset%3A41");
    invoke_service(&function, build_event("get", &twice, environment.authorizer_context(2)))
        .await
        .assert_problem(400);
}

#[tokio::test]
async fn accepts_paths_with_and_without_the_mapping_key() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    let mut event =
        build_event("get", &package_query(&environment, &package), environment.authorizer_context(2));
    for path in ["/presign/s3", "/packages/presign/s3"] {
        assert_eq!(invoke_service(&function, with_path(event.clone(), path)).await.status(), 307, "{path}");
    }
    event["requestContext"]["stage"] = json!("dev");
    assert_eq!(invoke_service(&function, with_path(event.clone(), "/dev/presign/s3")).await.status(), 307);
    for path in ["/presign/s3/", "/Presign/s3", "/", "", "/é b", "/../presign/s3"] {
        invoke_service(&function, with_path(event.clone(), path)).await.assert_problem(404);
    }
}

#[tokio::test]
async fn routes_without_an_authorizer_need_no_claims() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let open = |path, query| with_path(build_event("get", query, json!(null)), path);
    assert_eq!(invoke_service(&function, open("/health", "")).await.status(), 200);
    assert_eq!(invoke_service(&function, open("/ready", "")).await.status(), 200);
    invoke_service(&function, open("/proxy/s3", "presigned_url=x")).await.assert_problem(400);
}

#[tokio::test]
async fn a_head_has_the_length_of_the_object() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    let mut head =
        build_event("head", &package_query(&environment, &package), environment.authorizer_context(2));
    let part = invoke_service(&function, head.clone()).await;
    assert_eq!((part.status(), part.header("content-length")), (206, "5"));
    assert_eq!(part.header("content-range"), "bytes 0-4/5");
    assert_eq!(part.0["body"], "");
    head["headers"].as_object_mut().unwrap().remove("range");
    let whole = invoke_service(&function, head).await;
    assert_eq!((whole.status(), whole.header("content-length")), (200, "5"));
}

#[tokio::test]
async fn decodes_base64_bodies() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let query = format!("dataset_id={}", environment.dataset.node_id);
    for name in ["post", "post-base64"] {
        let response =
            invoke_service(&function, build_event(name, &query, environment.authorizer_context(3))).await;
        assert_eq!(response.status(), 200, "{}", response.0);
        assert_eq!(response.body()["failures"][0]["id"], "N:package:900");
    }
    let mut broken = build_event("post-base64", &query, environment.authorizer_context(3));
    broken["body"] = json!("eyJub2Rl*");
    invoke_service(&function, broken).await.assert_problem(400);
    let mut large = build_event("post", &query, environment.authorizer_context(3));
    large["body"] = json!(" ".repeat(10 * 1024 * 1024));
    invoke_service(&function, large).await.assert_problem(413);
}

#[tokio::test]
async fn an_order_is_recorded_when_the_queue_refuses_it() {
    let environment = TestEnvironment::start_with_own_database().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    environment.trash_package(&package).await;
    let mut post = build_event(
        "post",
        &format!("dataset_id={}", environment.dataset.node_id),
        environment.authorizer_context(3),
    );
    post["body"] = json!(json!({"nodeIds": [package.node_id]}).to_string());
    let response = invoke_service(&function, post).await.body();
    assert_eq!(response["success"], json!([package.node_id]), "{response}");
    assert_eq!(environment.load_state(&package).await, "RESTORING");
    // The schedule runs the order once it is overdue.
    environment.make_due().await;
    let restore = Function::start(RESTORE, &environment.variables).await;
    restore.invoke(json!({"task": "resume"})).await.unwrap();
    assert_eq!(environment.load_state(&package).await, "READY");
}

#[tokio::test]
async fn an_invalid_event_fails_and_the_next_one_succeeds() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    for invalid in [json!({"hunter2": 1}), json!("hunter2"), json!({"headers": {"authorization": 7}})] {
        let error = function.invoke(invalid).await.unwrap_err();
        assert_eq!(error["errorMessage"], "the event is not an HTTP API request of payload format 2.0");
    }
    let health = with_path(build_event("get", "", json!(null)), "/health");
    assert_eq!(invoke_service(&function, health).await.status(), 200);
    assert!(!function.stdout().contains("hunter2"));
}

#[tokio::test]
async fn does_not_repeat_the_text_of_a_panic() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let mut health = with_path(build_event("get", "", json!(null)), "/health");
    // More headers than `http::HeaderMap` can hold.
    let headers: BTreeMap<_, _> = (0..40_000).map(|n| (format!("x-{n}"), "hunter2")).collect();
    health["headers"] = json!(headers);
    assert_eq!(function.invoke(health.clone()).await.unwrap_err()["errorMessage"], "the function panicked");
    health["headers"] = json!({});
    assert_eq!(invoke_service(&function, health).await.status(), 200);
    let places = function.log().into_iter().filter(|line| line["target"] == "panic");
    assert_eq!(places.count(), 1);
    assert!(!function.stdout().contains("MAX_SIZE"));
}

#[tokio::test]
async fn logs_a_line_for_each_request_and_no_secret() {
    let environment = TestEnvironment::start().await;
    let mut variables = environment.variables.clone();
    variables.insert("LOG_LEVEL", "trace".to_owned());
    let function = Function::start(SERVICE, &variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    for _ in 0..2 {
        invoke_service(
            &function,
            build_event("get", &package_query(&environment, &package), environment.authorizer_context(2)),
        )
        .await;
    }
    let log = function.log();
    let lines: Vec<&Value> = log.iter().filter(|line| line["message"] == "request completed").collect();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!(line["requestId"], "JKJaXmPLvHcESHA=");
        assert_eq!((&line["route"], &line["status"]), (&json!("/packages/presign/s3"), &json!(307)));
    }
    assert_eq!((&lines[0]["coldStart"], &lines[1]["coldStart"]), (&json!(true), &json!(null)));
    for secret in ["eyJ", "X-Amz-Signature", "local-secret-key", "PRIVATE KEY"] {
        assert!(!function.stdout().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn finds_a_database_that_starts_later() {
    let environment = TestEnvironment::start().await;
    let (host, port) = (&environment.variables["POSTGRES_HOST"], &environment.variables["POSTGRES_PORT"]);
    let database = format!("{host}:{port}");
    let closed = bind_closed_port().unwrap();
    let address = closed.local_addr().unwrap();
    let mut variables = environment.variables.clone();
    variables
        .extend([("POSTGRES_HOST", "127.0.0.1".to_owned()), ("POSTGRES_PORT", address.port().to_string())]);
    let function = Function::start(SERVICE, &variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    let get = build_event("get", &package_query(&environment, &package), environment.authorizer_context(2));
    invoke_service(&function, get.clone()).await.assert_problem(503);

    let listener = closed.listen(16).unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&database).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    assert_eq!(invoke_service(&function, get).await.status(), 307);
}
