use axum::{body::Body, routing::get};
use http::{HeaderMap, StatusCode};
use storage::ObjectHead;
use telemetry::emf::EmfRecorder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;

use super::*;

fn with_layer(router: Router) -> Router {
    let (challenge, timeout) = (HeaderValue::from_static("Bearer"), Duration::from_secs(29));
    add_request_layer(router, LayerConfig { challenge, timeout, metrics: Arc::default() })
}

async fn get_from(router: Router, headers: &[(&str, &str)]) -> (Response, serde_json::Value) {
    let request =
        headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
    let response = with_layer(router).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (Response::from_parts(parts, Body::empty()), serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn every_response_has_the_common_headers() {
    let router = Router::new().route("/", get(async || [(header::CACHE_CONTROL, "max-age=60")]));
    for (router, cache_control) in [(router, "max-age=60"), (Router::new(), "no-store")] {
        let (response, _) = get_from(router, &[("x-request-id", "abc-1")]).await;
        let headers = response.headers();
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap().contains("Content-Range"));
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(headers[header::CACHE_CONTROL], cache_control);
        assert_eq!(headers[REQUEST_ID_HEADER], "abc-1");
    }
}

#[tokio::test]
async fn a_problem_has_the_request_id() {
    let router = Router::new().route("/", get(async || Problem::unauthorized("no token")));
    let (response, body) = get_from(router, &[("x-request-id", "bad id")]).await;
    assert_eq!(response.headers()[REQUEST_ID_HEADER], body["requestId"].as_str().unwrap());
    assert_ne!(body["requestId"], "bad id");
}

#[tokio::test]
async fn a_panic_is_a_problem_without_detail() {
    async fn handler() -> &'static str {
        panic!("hunter2")
    }
    let (response, body) = get_from(Router::new().route("/", get(handler)), &[]).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert!(!body.to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_handler_that_never_responds_times_out() {
    let response = respond_within(Duration::from_millis(20), std::future::pending()).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
}

const ROOT: &str = "Root=1-67891233-abcdef012345678912345678";

/// The trace header that calls to AWS carry during a request.
async fn outgoing_trace(headers: &[(&str, &str)]) -> String {
    let handler = get(async || axum::Json(aws::trace::current_header()));
    let (_, header) = get_from(Router::new().route("/", handler), headers).await;
    header.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn continues_the_trace_of_the_request() {
    for sampled in ["0", "1"] {
        let incoming = format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled={sampled}");
        let outgoing = outgoing_trace(&[("x-amzn-trace-id", &incoming)]).await;
        let parts: Vec<&str> = outgoing.split(';').collect();
        assert_eq!((parts[0], parts[2]), (ROOT, &*format!("Sampled={sampled}")));
        assert!(parts[1].starts_with("Parent=") && parts[1] != "Parent=53995c3f42cd8ad8");
    }
    for headers in [&[][..], &[("x-amzn-trace-id", "Root=hunter2")]] {
        let outgoing = outgoing_trace(headers).await;
        assert!(outgoing.starts_with("Root=1-") && !outgoing.contains("hunter2"), "{outgoing}");
    }
}

#[tokio::test]
async fn metric_labels_never_have_client_input() {
    let emf = EmfRecorder::new("test", "dev");
    let guard = metrics::set_default_local_recorder(&emf);
    let handler = get(async || Problem::forbidden("no"));
    let router = with_layer(Router::new().route("/{name}", handler).fallback(async || Problem::no_route()));
    for (method, path) in [("GET", "/hunter2"), ("GET", "/hunter3"), ("HUNTER2", "/"), ("GET", "/a/hunter2")]
    {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap();
    }
    drop(guard);
    let mut out = Vec::new();
    emf.flush(&mut out, Duration::ZERO).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.to_lowercase().contains("hunter"), "{text}");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |method: &str, route: &str, status: &str| {
        let mut series = lines.iter().filter(|line| line["method"] == method && line["route"] == route);
        series.find(|line| line["status"] == status).map(|line| line["requests_total"].as_f64().unwrap())
    };
    assert_eq!(count("GET", "/{name}", "403"), Some(2.0));
    assert_eq!(count("GET", "none", "404"), Some(1.0));
    assert_eq!(count("other", "none", "404"), Some(1.0));
    let refusals = lines.iter().find(|line| line["reason"] == "forbidden").unwrap();
    assert_eq!(refusals["refusals_total"], 2.0);
    assert!(lines.iter().any(|line| line["request_seconds"].as_array().is_some_and(|all| all.len() == 2)));
}

/// Sends a raw request through hyper and returns the raw response in lower case.
async fn send_raw(router: Router, request: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, with_layer(router)).await });
    stream.write_all(format!("{request}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response.to_ascii_lowercase()
}

#[tokio::test]
async fn hyper_keeps_the_content_length_of_a_head_response() {
    let handler = async |headers: HeaderMap| {
        crate::head::head_response(ObjectHead { length: 1_234_567, headers: HeaderMap::new() }, &headers)
    };
    let router = Router::new().route("/", get(async || "").head(handler));
    let response = send_raw(router, "HEAD / HTTP/1.1\r\nrange: bytes=0-").await;
    assert!(response.starts_with("http/1.1 206 "), "{response}");
    assert_eq!(response.matches("content-length:").count(), 1, "{response}");
    assert!(response.contains("content-length: 1234567\r\n"), "{response}");
    assert!(response.contains("content-range: bytes 0-1234566/1234567\r\n"), "{response}");
    assert!(!response.contains("transfer-encoding"), "{response}");
    assert!(response.ends_with("\r\n\r\n"), "a HEAD has no body");
}

#[tokio::test]
async fn a_preflight_response_has_no_body_and_no_length() {
    let response =
        send_raw(Router::new().route("/", cors::preflight_route("GET")), "OPTIONS / HTTP/1.1").await;
    assert!(response.starts_with("http/1.1 204 "), "{response}");
    assert!(!response.contains("\r\ncontent-length:"), "RFC 9110, section 8.6: {response}");
}
