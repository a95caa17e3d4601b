//! The edge over real sockets, with links that are signed as in the service.

#![expect(clippy::unwrap_used, reason = "a test stops at an unexpected result")]

use aws::Clock;
use http::Method;
use local::edge::{EdgeConfig, EdgeServer};
use local::s3::{Attributes, S3Store};
use signing::cloudfront::{CustomPolicy, HashAlgorithm, KeyPairId, PrivateKey, Signer, Verifier};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::s3::{PlainResponse, get, head, send};

const NOW: u64 = 1_700_000_000;
const BUCKET: &str = "viewer-assets";

struct Fixture {
    store: S3Store,
    signer: Signer,
    server: EdgeServer,
    _dir: TempDir,
}

impl Fixture {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = S3Store::open(dir.path(), Clock::Fixed(NOW)).unwrap();
        store.create_bucket(BUCKET).unwrap();
        let key = PrivateKey::generate_p256().unwrap();
        let id = KeyPairId::new("KLOCAL").unwrap();
        let verifier = Verifier::new().with_key(id.clone(), key.public_key().unwrap());
        let config = EdgeConfig {
            store: store.clone(),
            bucket: BUCKET.to_owned(),
            address: "127.0.0.1:0".parse().unwrap(),
            verifier,
            clock: Clock::Fixed(NOW),
        };
        let server = EdgeServer::start(config).await.unwrap();
        Self { store, signer: Signer::new(id, key, HashAlgorithm::Sha256), server, _dir: dir }
    }

    fn put(&self, key: &str, body: &'static str) {
        self.store.put(BUCKET, key, body, "text/plain").unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.endpoint())
    }

    /// A link that is valid for one minute.
    fn sign_url(&self, path: &str) -> String {
        self.signer.sign_canned_url(&self.url(path), NOW + 60).unwrap()
    }

    fn new_policy(&self, path: &str) -> CustomPolicy {
        CustomPolicy::new(self.url(path), NOW + 60).unwrap()
    }
}

fn assert_refused(response: &PlainResponse, code: &str) {
    assert_eq!(response.status, 403);
    assert!(response.text().contains(&format!("<Code>{code}</Code>")), "{}", response.text());
    assert_eq!(response.header("x-cache"), "Error from cloudfront");
    assert_eq!(response.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn a_canned_policy_allows_one_object() {
    let edge = Fixture::start().await;
    edge.put("O1/a b/ü.txt", "hello");
    edge.put("O1/other.txt", "secret");
    let url = edge.sign_url("/O1/a%20b/%C3%BC.txt");
    let response = get(&url, &[]).await;
    assert_eq!((response.status.as_u16(), response.text()), (200, "hello"));
    assert_eq!(response.header("content-type"), "text/plain");
    assert_eq!(response.header("access-control-allow-origin"), "*");
    assert!(response.header("access-control-expose-headers").contains("Content-Range"));
    assert_eq!(response.header("cross-origin-resource-policy"), "cross-origin");
    // The edge has no TLS, so a browser must not remember one for this host.
    assert_eq!(response.header("strict-transport-security"), "");
    assert_refused(&get(&url.replace("/O1/a%20b/%C3%BC.txt", "/O1/other.txt"), &[]).await, "AccessDenied");
    // The signature covers the expiry.
    assert_refused(&get(&url.replace("Expires=1", "Expires=2"), &[]).await, "AccessDenied");
}

#[tokio::test]
async fn a_custom_policy_allows_a_folder() {
    let edge = Fixture::start().await;
    edge.put("zarr/0/0", "chunk");
    edge.put("other", "secret");
    let query = edge.signer.sign_custom_query(&edge.new_policy("/zarr/*")).unwrap();
    let response = get(&edge.url(&format!("/zarr/0/0?{query}")), &[]).await;
    assert_eq!((response.status.as_u16(), response.text()), (200, "chunk"));
    // Zarr readers take 404 for a chunk of fill values, and any other error for a failure.
    let missing = get(&edge.url(&format!("/zarr/0/1?{query}")), &[]).await;
    assert_eq!((missing.status.as_u16(), missing.header("x-cache")), (404, "Error from cloudfront"));
    assert_eq!(missing.header("access-control-allow-origin"), "*");
    assert_eq!(missing.header("cross-origin-resource-policy"), "cross-origin");
    assert_refused(&get(&edge.url(&format!("/other?{query}")), &[]).await, "AccessDenied");
}

#[tokio::test]
async fn cookies_allow_what_their_policy_allows() {
    let edge = Fixture::start().await;
    edge.put("zarr/0/0", "chunk");
    edge.put("one", "file");
    let header = |cookies: Vec<(&str, String)>| {
        let pairs: Vec<_> = cookies.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("theme=dark; {}", pairs.join("; "))
    };
    let cookies = header(edge.signer.sign_custom_cookies(&edge.new_policy("/zarr/*")).unwrap());
    let response = get(&edge.url("/zarr/0/0?plain=1"), &[("cookie", &cookies)]).await;
    assert_eq!((response.status.as_u16(), response.text()), (200, "chunk"));
    assert_refused(&get(&edge.url("/one"), &[("cookie", &cookies)]).await, "AccessDenied");
    let cookies = header(edge.signer.sign_canned_cookies(&edge.url("/one"), NOW + 60).unwrap());
    assert_eq!(get(&edge.url("/one"), &[("cookie", &cookies)]).await.text(), "file");
}

#[tokio::test]
async fn unsigned_expired_and_forged_requests_are_refused() {
    let edge = Fixture::start().await;
    edge.put("k", "hello");
    assert_refused(&get(&edge.url("/k"), &[]).await, "MissingKey");
    assert_refused(&get(&edge.url("/none"), &[("cookie", "theme=dark")]).await, "MissingKey");
    let expired = edge.signer.sign_canned_url(&edge.url("/k"), NOW - 1).unwrap();
    assert_refused(&get(&expired, &[]).await, "AccessDenied");
    let not_yet_valid = edge.new_policy("/k").with_start(NOW + 30);
    assert_refused(
        &get(&edge.signer.sign_custom_url(&edge.url("/k"), &not_yet_valid).unwrap(), &[]).await,
        "AccessDenied",
    );
    let unknown_id = Signer::new(
        KeyPairId::new("KOTHER").unwrap(),
        PrivateKey::generate_p256().unwrap(),
        HashAlgorithm::Sha256,
    );
    assert_refused(
        &get(&unknown_id.sign_canned_url(&edge.url("/k"), NOW + 60).unwrap(), &[]).await,
        "InvalidKey",
    );
    let wrong_key = Signer::new(
        KeyPairId::new("KLOCAL").unwrap(),
        PrivateKey::generate_p256().unwrap(),
        HashAlgorithm::Sha256,
    );
    assert_refused(
        &get(&wrong_key.sign_canned_url(&edge.url("/k"), NOW + 60).unwrap(), &[]).await,
        "AccessDenied",
    );
    // A HEAD has no body, also if it is refused.
    let refused = head(&edge.url("/k"), &[]).await;
    assert_eq!((refused.status.as_u16(), refused.body.len()), (403, 0));
}

#[tokio::test]
async fn only_reading_methods_are_allowed() {
    let edge = Fixture::start().await;
    edge.put("k", "hello");
    for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
        assert_refused(&send(method, &edge.sign_url("/k"), &[], b"").await, "InvalidRequest");
    }
    let headers = [("origin", "null"), ("access-control-request-headers", "range")];
    let preflight = send(Method::OPTIONS, &edge.url("/k"), &headers, b"").await;
    assert_eq!((preflight.status.as_u16(), preflight.header("access-control-allow-headers")), (204, "range"));
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn serves_ranges() {
    let edge = Fixture::start().await;
    edge.put("k", "0123456789");
    let url = edge.sign_url("/k");
    let cases = [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ];
    for (range, body, content_range) in cases {
        let part = get(&url, &[("range", range)]).await;
        assert_eq!(
            (part.status.as_u16(), part.text(), part.header("content-range")),
            (206, body, content_range)
        );
        assert_eq!(part.header("content-length"), body.len().to_string());
    }
    let beyond = get(&url, &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, "bytes */10"));
    for unsupported in ["bytes=4-2", "bytes=0-1,4-5", "pages=1"] {
        assert_eq!(get(&url, &[("range", unsupported)]).await.status, 200, "{unsupported}");
    }
    // RFC 9110, section 14.2: a range applies to GET only.
    let response = head(&url, &[("range", "bytes=0-1")]).await;
    assert_eq!(
        (response.status.as_u16(), response.header("content-length"), response.body.len()),
        (200, "10", 0)
    );
}

#[tokio::test]
async fn evaluates_conditions() {
    let edge = Fixture::start().await;
    edge.put("k", "hello");
    let url = edge.sign_url("/k");
    let first = get(&url, &[]).await;
    let (etag, modified) = (first.header("etag"), first.header("last-modified"));
    assert_eq!((etag, modified), ("\"5d41402abc4b2a76b9719d911017c592\"", "Tue, 14 Nov 2023 22:13:20 GMT"));
    let cached = get(&url, &[("if-none-match", etag)]).await;
    assert_eq!((cached.status.as_u16(), cached.body.len(), cached.header("etag")), (304, 0, etag));
    assert_eq!(get(&url, &[("if-modified-since", modified)]).await.status, 304);
    // Another version than the client expects.
    assert_eq!(get(&url, &[("if-match", "\"0\"")]).await.status, 412);
    // If-Range: only an exact validator allows a part of the object.
    for (validator, status) in [(etag, 206), (modified, 206), ("\"0\"", 200), ("W/\"0\"", 200)] {
        assert_eq!(
            get(&url, &[("range", "bytes=0-0"), ("if-range", validator)]).await.status,
            status,
            "{validator}"
        );
    }
}

#[tokio::test]
async fn sets_cache_control() {
    let edge = Fixture::start().await;
    edge.put("a.parquet", "x");
    edge.put("a.json", "x");
    let with_header = Attributes { cache_control: Some("no-cache".to_owned()), ..Attributes::default() };
    edge.store.put_with(BUCKET, "own.parquet", "x", with_header).unwrap();
    let cases = [
        ("/a.parquet", "public, max-age=2592000"),
        ("/a.json", "public, max-age=86400"),
        ("/own.parquet", "no-cache"),
    ];
    for (path, expected) in cases {
        assert_eq!(get(&edge.sign_url(path), &[]).await.header("cache-control"), expected, "{path}");
    }
}

#[tokio::test]
async fn serves_the_newest_version_unless_it_is_a_delete_marker() {
    let edge = Fixture::start().await;
    edge.put("k", "one");
    edge.put("k", "two");
    let url = edge.sign_url("/k");
    assert_eq!(get(&url, &[]).await.text(), "two");
    edge.store.add_delete_marker(BUCKET, "k").unwrap();
    assert_eq!(get(&url, &[]).await.status, 404);
}

#[tokio::test]
async fn shuts_down_gracefully() {
    let edge = Fixture::start().await;
    edge.put("k", "hello");
    assert_eq!(get(&edge.sign_url("/k"), &[]).await.status, 200);
    edge.server.shutdown().await;
}

/// Sends a request head as it is. Returns the status and the rest.
async fn send_raw(edge: &Fixture, head: &str) -> (u16, String) {
    let address = edge.server.endpoint().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

#[tokio::test]
async fn a_host_cannot_move_the_path_of_a_signature() {
    let edge = Fixture::start().await;
    edge.put("O1/D1/P5/own", "mine");
    edge.put("O9/D9/P9/secret", "theirs");
    let host = edge.server.endpoint().replace("http://", "");
    let query = edge.signer.sign_custom_query(&edge.new_policy("/O1/D1/P5/*")).unwrap();
    let line = |path: &str| format!("GET {path}?{query} HTTP/1.1\r\n");
    let own = send_raw(&edge, &format!("{}host: {host}\r\n", line("/O1/D1/P5/own"))).await;
    assert!(own.0 == 200 && own.1.ends_with("mine"), "{}", own.1);

    let secret = line("/O9/D9/P9/secret");
    for hosts in [
        format!("host: {host}/O1/D1/P5\r\n"),
        format!("host: {host}/O1/D1/P5?x=\r\n"),
        format!("host: x@{host}/O1/D1/P5\r\n"),
        format!("host: {host}\r\nhost: {host}/O1/D1/P5\r\n"),
        format!("host: {host}\r\nhost: {host}\r\n"),
        String::new(),
    ] {
        let (status, text) = send_raw(&edge, &format!("{secret}{hosts}")).await;
        assert_eq!(status, 400, "{hosts}: {text}");
    }
    assert_eq!(send_raw(&edge, &format!("{secret}host: {host}\r\n")).await.0, 403);
}

/// RFC 9112, section 3.2.2: the host of the target counts, and not that of the header.
#[tokio::test]
async fn a_target_in_absolute_form_names_the_host() {
    let edge = Fixture::start().await;
    edge.put("O1/D1/P5/own", "mine");
    let url = edge.sign_url("/O1/D1/P5/own");
    let status = async |target: &str, host: &str| {
        send_raw(&edge, &format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n")).await.0
    };
    assert_eq!(status(&url, "elsewhere.example").await, 200);
    assert_eq!(status(&url.replace("127.0.0.1", "elsewhere.example"), "127.0.0.1").await, 403);
    assert_eq!(status(&url.replace("http://", "https://"), "127.0.0.1").await, 400);
    assert_eq!(status(&url.replace("http://", "http://user@"), "127.0.0.1").await, 400);
    assert_eq!(status(&url, "a/b").await, 400);
}
