//! The router without a database: which requests are refused, and how.

use std::sync::{Arc, Mutex};

use ::restore::queue::WorkerQueue;
use aws::{Clock, HttpClient};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::{Extension, body::Body, extract::Request, middleware, response::Response};
use database::Db;
use http::{Method, StatusCode, header};
use packages::{
    access::{Claims, Member},
    link_period::LinkWindow,
};
use serde_json::{Value, json};
use signing::s3::{Bucket, Region};
use signing::{
    cloudfront::{HashAlgorithm, KeyPairId, PrivateKey, Signer},
    s3::{Credentials as Keys, Endpoint, Method as Signed, PresignRequest, Presigner},
};
use storage::{ObjectStore, StorageConfig};
use telemetry::logs::{self, JsonLayer};
use tower::ServiceExt;
use tracing::{Dispatch, subscriber::NoSubscriber};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt};

use super::*;

const NOW: u64 = 1_767_200_000;

/// The documented paths with `GET`, each with whether that needs a token.
fn documented_paths() -> Vec<(String, bool)> {
    let document = serde_json::to_value(openapi::public_document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let is_private = |item: &Value| item["get"]["security"] != json!([]);
    let readable = paths.iter().filter(|(_, item)| item.get("get").is_some());
    readable.map(|(path, item)| (format!("/packages{path}"), is_private(item))).collect()
}

fn private_paths() -> Vec<String> {
    let private: Vec<String> =
        documented_paths().into_iter().filter(|(_, is_private)| *is_private).map(|(path, _)| path).collect();
    assert!(private.contains(&"/packages/restore".to_owned()), "{private:?}");
    private
}

/// A database at a port where nothing listens.
fn unreachable_db() -> Db {
    let config = "host=127.0.0.1 port=1 user=nobody connect_timeout=1".parse().unwrap();
    Db::new(config, 1).unwrap()
}

pub(crate) fn app() -> App {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let settings = StorageConfig {
        endpoint: None,
        region: Region::new("us-east-1").unwrap(),
        credentials: SharedCredentialsProvider::new(credentials),
    };
    let key = PrivateKey::generate_p256().unwrap();
    let signer = Signer::new(KeyPairId::new("K2JCJMDEHXQW5F").unwrap(), key, HashAlgorithm::Sha256);
    App {
        db: unreachable_db(),
        objects: ObjectStore::new(settings, HttpClient::new().unwrap()),
        viewer_assets: bucket("viewer-assets"),
        cdn: Cdn::new("https://d111111abcdef8.cloudfront.net/", signer),
        proxy: ProxyPolicy::new(vec![bucket("open-data")], Region::new("us-east-1").unwrap(), None),
        link_window: LinkWindow::default(),
        max_response_bytes: None,
        queue: WorkerQueue::Local(std::sync::Arc::default()),
        clock: Clock::Fixed(NOW),
        realm: Realm::new("example.org").unwrap(),
        limits: RequestLimits::default(),
        path_prefix: PathPrefix::default(),
    }
}

/// The user of [`claims`] without a dataset.
fn member() -> Member {
    let Claims { user, workspace, .. } = claims(1);
    Member { user, workspace, any_workspace: true }
}

fn bucket(name: &str) -> Bucket {
    Bucket::new(name).unwrap()
}

/// The claims of a user with a role in dataset 41.
fn claims(role: u8) -> Claims {
    let context = json!({
        "user_claim": {"Id": 7, "NodeId": "N:user:7"},
        "org_claim": {"Role": 8, "IntId": 2, "NodeId": "N:organization:2"},
        "dataset_claim": {"Role": role, "NodeId": "N:dataset:41", "IntId": 41},
    });
    Claims::from_context(&context).unwrap()
}

async fn send(router: Router, method: Method, uri: &str, body: impl Into<Body>) -> (Response, Value) {
    let request = Request::builder().method(method).uri(uri).body(body.into()).unwrap();
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (Response::from_parts(parts, Body::empty()), serde_json::from_slice(&body).unwrap_or_default())
}

pub(crate) async fn send_anonymous(method: Method, uri: &str) -> (Response, Value) {
    send(router(app(), |routes, _| routes), method, uri, Body::empty()).await
}

pub(crate) async fn send_as_member(role: u8, method: Method, uri: &str, body: &str) -> (Response, Value) {
    let router =
        router(app(), |routes, _| routes.layer(Extension(member())).layer(Extension(Arc::new(claims(role)))));
    send(router, method, uri, body.to_owned()).await
}

#[tokio::test]
async fn unknown_paths_are_404() {
    for path in ["/", "/packages", "/packages/restore/", "/restore", "/packages/presign"] {
        let (response, body) = send_anonymous(Method::GET, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(body["type"], "urn:packages-service:problem:no-such-route");
    }
}

#[tokio::test]
async fn disallowed_methods_are_405_without_authentication() {
    for (path, allowed) in [
        ("/packages/restore", "GET,HEAD,POST,OPTIONS"),
        ("/packages/presign/s3", "GET,HEAD,POST,OPTIONS"),
        ("/packages/presign/s3/scan.bam", "GET,HEAD,OPTIONS"),
        ("/packages/cloudfront/sign", "GET,HEAD,OPTIONS"),
        ("/packages/proxy/s3", "GET,HEAD,OPTIONS"),
        ("/packages/health", "GET,HEAD,OPTIONS"),
    ] {
        let (response, body) = send_anonymous(Method::DELETE, path).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let mut found: Vec<&str> = response.headers()[header::ALLOW].to_str().unwrap().split(',').collect();
        let mut allowed: Vec<&str> = allowed.split(',').collect();
        found.sort_unstable();
        allowed.sort_unstable();
        assert_eq!(found, allowed, "{path}");
        assert_eq!(body["status"], 405);
    }
}

#[tokio::test]
async fn preflights_need_no_authentication() {
    let refuse = async |_: Request, _: middleware::Next| Problem::unauthorized("no token");
    let router = router(app(), |routes, _| routes.layer(middleware::from_fn(refuse)));
    for (path, _) in documented_paths() {
        let (response, _) = send(router.clone(), Method::OPTIONS, &path, Body::empty()).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT, "{path}");
        let headers = response.headers();
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(headers[header::ACCESS_CONTROL_MAX_AGE], "3600");
        assert!(headers[header::ACCESS_CONTROL_ALLOW_METHODS].to_str().unwrap().contains("OPTIONS"));
        assert!(headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().contains("Authorization"));
    }
    let (response, _) = send(router.clone(), Method::GET, "/packages/restore", Body::empty()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let (response, _) = send(router, Method::PUT, "/packages/restore", Body::empty()).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn private_routes_need_authentication() {
    for path in private_paths() {
        let (response, body) = send_anonymous(Method::GET, &format!("{path}?dataset_id=%")).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"example.org\"");
        assert_eq!(body["message"], body["detail"]);
    }
}

#[tokio::test]
async fn a_role_without_the_permission_is_403() {
    // Each member may list datasets: those that they have a role in.
    for path in private_paths().into_iter().filter(|path| path != "/packages/datasets") {
        let (response, _) =
            send_as_member(1, Method::GET, &format!("{path}?dataset_id=N:dataset:41"), "").await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let (response, _) =
        send_as_member(2, Method::POST, "/packages/restore?dataset_id=N:dataset:41", "").await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn errors_name_missing_and_invalid_parameters() {
    for (uri, detail) in [
        ("/packages/presign/s3?dataset_id=N:dataset:41", "missing required 'package_id' query parameter"),
        ("/packages/presign/s3?package_id=N:package:1", "missing required 'dataset_id' query parameter"),
        (
            "/packages/presign/s3?dataset_id=N:dataset:41&package_id=1",
            "query parameter 'package_id' is not a node id of the form N:package:… or N:collection:…",
        ),
        (
            "/packages/cloudfront/sign?dataset_id=N:dataset:41&package_id=N:package:1&path=a&cookies=set",
            "cookies are set for a directory: end 'path' with a slash",
        ),
        (
            "/packages/cloudfront/sign?dataset_id=N:dataset:41&package_id=N:package:1&cookies=yes",
            "query parameter 'cookies' must be 'set'",
        ),
        (
            "/packages/cloudfront/sign?dataset_id=N:dataset:41&package_id=N:package:1&path=%2F",
            "the path has an empty segment (a leading, trailing or doubled slash)",
        ),
        (
            "/packages/presign/s3?dataset_id=N:dataset:41&package_id=N:package:1&path=..%2Fx",
            "the path has a '.' or '..' segment",
        ),
        ("/packages/restore?dataset_id=N:dataset:41&a=1&a=2", "query parameter 'a' is given more than once"),
    ] {
        let (response, body) = send_as_member(5, Method::GET, uri, "").await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{uri}");
        assert_eq!(body["detail"], detail);
    }
}

#[tokio::test]
async fn invalid_bodies_never_reach_the_database() {
    const URI: &str = "/packages/restore?dataset_id=N:dataset:41";
    let many = json!({ "nodeIds": vec!["N:package:1"; 10_001] }).to_string();
    let long = " ".repeat(1024 * 1024 + 1);
    for (body, status) in [("", 400), ("{", 400), (r#"{"nodeIds":7}"#, 400), (&many, 413), (&long, 413)] {
        let (response, _) = send_as_member(3, Method::POST, URI, body).await;
        assert_eq!(response.status().as_u16(), status);
    }
}

#[tokio::test]
async fn an_unreachable_database_is_503_with_retry_after() {
    const QUERY: &str = "dataset_id=N:dataset:41&package_id=N:package:1";
    for path in private_paths().into_iter().chain(["/packages/ready".to_owned()]) {
        let uri = format!("{path}?{QUERY}");
        let (response, body) = send_as_member(3, Method::GET, &uri, "").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{uri}");
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        assert!(!body.to_string().to_lowercase().contains("connection"), "no driver text: {body}");
    }
    let (response, _) = send_anonymous(Method::GET, "/packages/health").await;
    assert_eq!(response.status(), StatusCode::OK);
}

fn presign_url(bucket: &Bucket) -> String {
    let request = PresignRequest {
        method: Signed::Get,
        region: &Region::new("us-east-1").unwrap(),
        bucket,
        key: "a b/東.parquet",
        query: &[],
        expires_in: 600,
    };
    Presigner::new(Endpoint::Aws)
        .presign(&request, &Keys::new("AKIDEXAMPLE", "secret", None, None), NOW)
        .unwrap()
}

fn percent_encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn the_proxy_redirects_to_allowed_buckets_only() {
    let url = presign_url(&bucket("open-data"));
    let (response, _) =
        send_anonymous(Method::GET, &format!("/packages/proxy/s3?presigned_url={}", percent_encode(&url)))
            .await;
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(response.headers()[header::LOCATION], url.as_str());
    assert!(response.headers()[header::LOCATION].is_sensitive());
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");

    let url = presign_url(&bucket("private-data"));
    for method in [Method::GET, Method::HEAD] {
        let (response, body) = send_anonymous(
            method.clone(),
            &format!("/packages/proxy/s3?presigned_url={}", percent_encode(&url)),
        )
        .await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        if method == Method::GET {
            assert_eq!(
                body["detail"],
                "bucket private-data is not in the allowed list (PROXY_ALLOWED_BUCKETS)"
            );
        }
    }
}

#[tokio::test]
async fn proxy_errors_never_repeat_the_url() {
    let url = presign_url(&bucket("open-data"));
    for (query, part) in [
        (String::new(), "missing required 'presigned_url'"),
        (format!("presigned_url={url}"), "percent-encoded"),
        (format!("presigned_url={}&redirect=false", percent_encode(&url)), "only query parameter"),
        (
            format!("presigned_url={}", percent_encode("https://evil.example/hunter2")),
            "invalid presigned URL",
        ),
        ("presigned_url=hunter2".to_owned(), "invalid presigned URL"),
    ] {
        let (response, body) = send_anonymous(Method::GET, &format!("/packages/proxy/s3?{query}")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{detail}");
        assert!(!body.to_string().contains("hunter2") && !body.to_string().contains("Signature="), "{body}");
    }
}

/// Captures the log of the current thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The second subscriber discards everything. With a single subscriber, tracing caches for each callsite whether it
    /// is enabled on the thread that reaches it first. The threads of other tests have no subscriber, so the callsite
    /// could stay disabled.
    fn capture(&self) -> (tracing::subscriber::DefaultGuard, Dispatch) {
        let discarding = Dispatch::new(NoSubscriber::default());
        let log = self.clone();
        let filter = logs::log_filter("trace", &["api", "audit", "packages"]);
        let json = JsonLayer::new(move || log.clone(), &Arc::default()).with_filter(filter);
        (tracing::subscriber::set_default(Registry::default().with(json)), discarding)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_ids_and_never_client_input() {
    let log = Log::default();
    let guard = log.capture();
    send_anonymous(Method::GET, "/packages/proxy/s3?presigned_url=https%3A%2F%2Fhunter2").await;
    send_anonymous(Method::GET, "/packages/hunter2").await;
    send_as_member(1, Method::GET, "/packages/presign/s3?dataset_id=N:dataset:41&path=hunter2", "").await;
    send_as_member(
        3,
        Method::POST,
        "/packages/restore?dataset_id=N:dataset:41",
        r#"{"nodeIds":["hunter2"]}"#,
    )
    .await;
    send_as_member(2, Method::GET, "/packages/restore?dataset_id=N:dataset:41&package_id=N:package:1", "")
        .await;
    for path in ["hunter2%2F", "hunter2", "..%2Fhunter2%2F"] {
        let uri =
            format!("/packages/cloudfront/sign?dataset_id=N:dataset:41&package_id=N:package:1&path={path}");
        send_as_member(2, Method::GET, &uri, "").await;
    }
    send_as_member(2, Method::GET, "/packages/restore?dataset_id=N:dataset:41&package_id=N:package:1", "")
        .await;
    drop(guard);

    let log = log.text();
    assert!(!log.contains("hunter2"), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let completed: Vec<_> = lines.iter().filter(|line| line["message"] == "request completed").collect();
    let routes: Vec<_> = completed.iter().map(|line| (&line["route"], &line["status"])).collect();
    assert_eq!(
        json!(routes),
        json!([
            ["/packages/proxy/s3", 400],
            ["none", 404],
            ["/packages/presign/s3", 403],
            ["/packages/restore", 503],
            ["/packages/restore", 503],
            ["/packages/cloudfront/sign", 503],
            ["/packages/cloudfront/sign", 503],
            ["/packages/cloudfront/sign", 400],
            ["/packages/restore", 503]
        ])
    );
    let refusal = lines.iter().find(|line| line["target"] == "audit").unwrap();
    assert_eq!(refusal["user"], "N:user:7");
    let cause = lines.iter().rfind(|line| line["level"] == "ERROR").unwrap();
    assert_eq!((&cause["dataset"], &cause["package"]), (&json!("N:dataset:41"), &json!("N:package:1")));
    let last = completed.last().unwrap();
    assert_eq!(cause["requestId"], last["requestId"]);
    assert!(last["traceId"].as_str().unwrap().starts_with("1-"));
    assert_eq!((&last["method"], &last["statements"]), (&json!("GET"), &json!(0)));
    assert!(last["duration_ms"].is_u64());
}
