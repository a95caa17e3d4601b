//! The API, behind the gateway.

use std::collections::BTreeMap;

use local::workspace::Package;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    function::{Function, RESTORE, SERVICE, recorded},
    stand::Stand,
};

/// The gateway's answer.
struct Answer(Value);

impl Answer {
    fn status(&self) -> i64 {
        self.0["statusCode"].as_i64().unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.0["headers"][name].as_str().unwrap_or_default()
    }

    fn body(&self) -> Value {
        assert_eq!(self.0["isBase64Encoded"], false);
        serde_json::from_str(self.0["body"].as_str().unwrap()).unwrap()
    }

    /// Asserts that this is a problem with this status, and answers its detail.
    fn problem(&self, status: i64) -> String {
        assert_eq!(self.status(), status, "{}", self.0);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.body();
        assert_eq!(problem["requestId"], "JKJaXmPLvHcESHA=", "the gateway's id");
        problem["detail"].as_str().unwrap().to_owned()
    }
}

async fn ask(function: &Function, event: Value) -> Answer {
    Answer(function.invoke(event).await.unwrap())
}

/// A recorded event, with this query and these claims.
fn event(name: &str, query: &str, context: Value) -> Value {
    let mut event = recorded(name);
    event["rawQueryString"] = json!(query);
    event["requestContext"]["authorizer"]["lambda"] = context;
    event
}

fn at(mut event: Value, path: &str) -> Value {
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    event
}

fn query(stand: &Stand, package: &Package) -> String {
    format!("dataset_id={}&package_id={}", stand.dataset.node_id, package.node_id).replace(':', "%3A")
}

/// What a link to the local S3 leads to.
async fn fetch(link: &str) -> String {
    let (address, target) = link.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /{target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_link_is_presigned_for_a_viewer() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let package = stand.file("a.txt", b"hello").await;
    let answer = ask(&function, event("get", &query(&stand, &package), stand.context(2))).await;
    assert_eq!(answer.status(), 307, "{}", answer.0);
    assert_eq!(answer.header("x-request-id"), "JKJaXmPLvHcESHA=");
    assert_eq!(answer.header("cache-control"), "no-store");
    let got = fetch(answer.header("location")).await;
    assert!(got.starts_with("HTTP/1.1 200") && got.ends_with("hello"), "{got}");
}

#[tokio::test]
async fn a_link_is_signed_with_the_key_of_the_configuration() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let package = stand.file("a.txt", b"hello").await;
    let query = format!("{}&path=a.parquet", query(&stand, &package));
    let answer = ask(&function, at(event("get", &query, stand.context(2)), "/cloudfront/sign")).await;
    let link = answer.body()["signed_url"].as_str().unwrap().to_owned();
    assert!(link.starts_with("https://d111111abcdef8.cloudfront.net/O"), "{link}");
    assert!(link.contains("Key-Pair-Id=KTEST0000001"), "{link}");
}

#[tokio::test]
async fn claims_that_are_not_as_they_should_be_are_403() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let package = stand.file("a.txt", b"hello").await;
    let query = query(&stand, &package);
    let good = stand.context(2);
    let mut odd = vec![
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
            odd.push(context);
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
        odd.push(context);
    }
    for context in odd {
        ask(&function, event("get", &query, context.clone())).await.problem(403);
    }
    let mut none = event("get", &query, json!(null));
    none["requestContext"].as_object_mut().unwrap().remove("authorizer");
    ask(&function, none).await.problem(403);

    let mut floats = good;
    for pointer in ["/user_claim/Id", "/org_claim/IntId", "/dataset_claim/IntId", "/dataset_claim/Role"] {
        let value = floats.pointer_mut(pointer).unwrap();
        *value = json!(value.as_f64().unwrap());
    }
    assert_eq!(ask(&function, event("get", &query, floats)).await.status(), 307);
}

#[tokio::test]
async fn what_the_claims_do_not_cover_is_refused() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let package = stand.file("a.txt", b"hello").await;
    let query = query(&stand, &package);
    ask(&function, event("get", &query, stand.context(1))).await.problem(403);
    let dataset = &stand.dataset.node_id;
    ask(&function, event("post", &format!("dataset_id={dataset}"), stand.context(2))).await.problem(403);
    // The gateway's own reading of a repeated parameter, in queryStringParameters, is one text with a comma.
    let twice = format!("{query}&dataset_id=N%3Adataset%3A41");
    ask(&function, event("get", &twice, stand.context(2))).await.problem(400);
}

#[tokio::test]
async fn a_path_leads_there_with_or_without_its_mapping() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let package = stand.file("a.txt", b"hello").await;
    let mut event = event("get", &query(&stand, &package), stand.context(2));
    for path in ["/presign/s3", "/packages/presign/s3"] {
        assert_eq!(ask(&function, at(event.clone(), path)).await.status(), 307, "{path}");
    }
    event["requestContext"]["stage"] = json!("dev");
    assert_eq!(ask(&function, at(event.clone(), "/dev/presign/s3")).await.status(), 307);
    for path in ["/presign/s3/", "/Presign/s3", "/", "", "/é b", "/../presign/s3"] {
        ask(&function, at(event.clone(), path)).await.problem(404);
    }
}

#[tokio::test]
async fn routes_without_an_authorizer_need_no_claims() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let open = |path, query| at(event("get", query, json!(null)), path);
    assert_eq!(ask(&function, open("/health", "")).await.status(), 200);
    assert_eq!(ask(&function, open("/ready", "")).await.status(), 200);
    ask(&function, open("/proxy/s3", "presigned_url=x")).await.problem(400);
}

#[tokio::test]
async fn a_head_tells_the_objects_length() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let package = stand.file("a.txt", b"hello").await;
    let mut head = event("head", &query(&stand, &package), stand.context(2));
    let part = ask(&function, head.clone()).await;
    assert_eq!((part.status(), part.header("content-length")), (206, "5"));
    assert_eq!(part.header("content-range"), "bytes 0-4/5");
    assert_eq!(part.0["body"], "");
    head["headers"].as_object_mut().unwrap().remove("range");
    let whole = ask(&function, head).await;
    assert_eq!((whole.status(), whole.header("content-length")), (200, "5"));
}

#[tokio::test]
async fn a_body_may_be_base64_and_must_then_be() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let query = format!("dataset_id={}", stand.dataset.node_id);
    for name in ["post", "post-base64"] {
        let answer = ask(&function, event(name, &query, stand.context(3))).await;
        assert_eq!(answer.status(), 200, "{}", answer.0);
        assert_eq!(answer.body()["failures"][0]["id"], "N:package:900");
    }
    let mut broken = event("post-base64", &query, stand.context(3));
    broken["body"] = json!("eyJub2Rl*");
    ask(&function, broken).await.problem(400);
    let mut large = event("post", &query, stand.context(3));
    large["body"] = json!(" ".repeat(10 * 1024 * 1024));
    ask(&function, large).await.problem(413);
}

#[tokio::test]
async fn an_order_that_the_queue_did_not_take_is_on_record() {
    let stand = Stand::start_alone().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let package = stand.file("a.txt", b"hello").await;
    stand.trash(&package).await;
    let mut post = event("post", &format!("dataset_id={}", stand.dataset.node_id), stand.context(3));
    post["body"] = json!(json!({"nodeIds": [package.node_id]}).to_string());
    let answer = ask(&function, post).await.body();
    assert_eq!(answer["success"], json!([package.node_id]), "{answer}");
    assert_eq!(stand.state(&package).await, "RESTORING");
    // The schedule finds it, once it is overdue.
    stand.make_due().await;
    let restore = Function::start(RESTORE, &stand.variables).await;
    restore.invoke(json!({"task": "resume"})).await.unwrap();
    assert_eq!(stand.state(&package).await, "READY");
}

#[tokio::test]
async fn an_event_that_is_no_request_fails_and_the_next_one_does_not() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    for odd in [json!({"hunter2": 1}), json!("hunter2"), json!({"headers": {"authorization": 7}})] {
        let error = function.invoke(odd).await.unwrap_err();
        assert_eq!(error["errorMessage"], "the event is not an HTTP API request of payload format 2.0");
    }
    let health = at(event("get", "", json!(null)), "/health");
    assert_eq!(ask(&function, health).await.status(), 200);
    assert!(!function.stdout().contains("hunter2"));
}

#[tokio::test]
async fn what_a_panic_says_is_not_repeated() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let mut health = at(event("get", "", json!(null)), "/health");
    // More than the crate `http` has room for.
    let headers: BTreeMap<_, _> = (0..40_000).map(|n| (format!("x-{n}"), "hunter2")).collect();
    health["headers"] = json!(headers);
    assert_eq!(function.invoke(health.clone()).await.unwrap_err()["errorMessage"], "the function panicked");
    health["headers"] = json!({});
    assert_eq!(ask(&function, health).await.status(), 200);
    let places = function.log().into_iter().filter(|line| line["target"] == "panic");
    assert_eq!(places.count(), 1);
    assert!(!function.stdout().contains("MAX_SIZE"));
}

#[tokio::test]
async fn the_log_has_a_line_for_each_request_and_no_secret() {
    let stand = Stand::start().await;
    let mut variables = stand.variables.clone();
    variables.insert("LOG_LEVEL", "trace".to_owned());
    let function = Function::start(SERVICE, &variables).await;
    let package = stand.file("a.txt", b"hello").await;
    for _ in 0..2 {
        ask(&function, event("get", &query(&stand, &package), stand.context(2))).await;
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
async fn a_database_that_comes_late_is_found() {
    let stand = Stand::start().await;
    let (host, port) = (&stand.variables["POSTGRES_HOST"], &stand.variables["POSTGRES_PORT"]);
    let database = format!("{host}:{port}");
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let mut variables = stand.variables.clone();
    variables
        .extend([("POSTGRES_HOST", "127.0.0.1".to_owned()), ("POSTGRES_PORT", address.port().to_string())]);
    let function = Function::start(SERVICE, &variables).await;
    let package = stand.file("a.txt", b"hello").await;
    let get = event("get", &query(&stand, &package), stand.context(2));
    ask(&function, get.clone()).await.problem(503);

    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&database).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    assert_eq!(ask(&function, get).await.status(), 307);
}
