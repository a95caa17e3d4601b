//! The edge over real sockets, with links signed as the service signs them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use http::Method;
use local::edge::{Edge, EdgeConfig};
use local::s3::{Attributes, S3};
use packages::clock::Clock;
use signing::cloudfront::{CustomPolicy, Hash, KeyPairId, PrivateKey, Signer, Verifier};
use tempfile::TempDir;

use super::s3::{Answer, get, head, send};

const NOW: u64 = 1_700_000_000;
const BUCKET: &str = "viewer-assets";

struct Fixture {
    store: S3,
    signer: Signer,
    edge: Edge,
    _dir: TempDir,
}

impl Fixture {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = S3::open(dir.path(), Clock::At(NOW)).unwrap();
        store.create_bucket(BUCKET).unwrap();
        let key = PrivateKey::generate_p256().unwrap();
        let id = KeyPairId::new("KLOCAL").unwrap();
        let verifier = Verifier::new().with_key(id.clone(), key.public_key().unwrap());
        let config = EdgeConfig {
            store: store.clone(),
            bucket: BUCKET.to_owned(),
            address: "127.0.0.1:0".parse().unwrap(),
            verifier,
            clock: Clock::At(NOW),
        };
        let edge = Edge::start(config).await.unwrap();
        Self { store, signer: Signer::new(id, key, Hash::Sha256), edge, _dir: dir }
    }

    fn put(&self, key: &str, body: &'static str) {
        self.store.put(BUCKET, key, body, "text/plain").unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.edge.endpoint())
    }

    /// A link that lives a minute.
    fn signed(&self, path: &str) -> String {
        self.signer.sign_canned(&self.url(path), NOW + 60).unwrap()
    }

    fn policy(&self, path: &str) -> CustomPolicy {
        CustomPolicy::new(self.url(path), NOW + 60).unwrap()
    }
}

fn assert_refused(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains(&format!("<Code>{code}</Code>")), "{}", answer.text());
    assert_eq!(answer.header("x-cache"), "Error from cloudfront");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn a_canned_link_opens_one_object() {
    let cdn = Fixture::start().await;
    cdn.put("O1/a b/ü.txt", "hello");
    cdn.put("O1/other.txt", "secret");
    let url = cdn.signed("/O1/a%20b/%C3%BC.txt");
    let answer = get(&url, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "hello"));
    assert_eq!(answer.header("content-type"), "text/plain");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-expose-headers").contains("Content-Range"));
    assert_eq!(answer.header("strict-transport-security"), "");
    assert_refused(&get(&url.replace("/O1/a%20b/%C3%BC.txt", "/O1/other.txt"), &[]).await, "AccessDenied");
    assert_refused(&get(&url.replace("Expires=1", "Expires=2"), &[]).await, "AccessDenied");
}

#[tokio::test]
async fn a_custom_policy_opens_a_folder() {
    let cdn = Fixture::start().await;
    cdn.put("zarr/0/0", "chunk");
    cdn.put("other", "secret");
    let query = cdn.signer.custom_query(&cdn.policy("/zarr/*")).unwrap();
    let answer = get(&cdn.url(&format!("/zarr/0/0?{query}")), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "chunk"));
    // A missing chunk is a hole in the array, not a refusal.
    let missing = get(&cdn.url(&format!("/zarr/0/1?{query}")), &[]).await;
    assert_eq!((missing.status.as_u16(), missing.header("x-cache")), (404, "Error from cloudfront"));
    assert_eq!(missing.header("access-control-allow-origin"), "*");
    assert_refused(&get(&cdn.url(&format!("/other?{query}")), &[]).await, "AccessDenied");
}

#[tokio::test]
async fn cookies_open_what_their_policy_says() {
    let cdn = Fixture::start().await;
    cdn.put("zarr/0/0", "chunk");
    cdn.put("one", "file");
    let line = |cookies: Vec<(&str, String)>| {
        let pairs: Vec<_> = cookies.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("theme=dark; {}", pairs.join("; "))
    };
    let cookies = line(cdn.signer.custom_cookies(&cdn.policy("/zarr/*")).unwrap());
    let answer = get(&cdn.url("/zarr/0/0?plain=1"), &[("cookie", &cookies)]).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "chunk"));
    assert_refused(&get(&cdn.url("/one"), &[("cookie", &cookies)]).await, "AccessDenied");
    let cookies = line(cdn.signer.canned_cookies(&cdn.url("/one"), NOW + 60).unwrap());
    assert_eq!(get(&cdn.url("/one"), &[("cookie", &cookies)]).await.text(), "file");
}

#[tokio::test]
async fn nothing_is_served_unsigned_or_late() {
    let cdn = Fixture::start().await;
    cdn.put("k", "hello");
    assert_refused(&get(&cdn.url("/k"), &[]).await, "MissingKey");
    assert_refused(&get(&cdn.url("/none"), &[("cookie", "theme=dark")]).await, "MissingKey");
    let late = cdn.signer.sign_canned(&cdn.url("/k"), NOW - 1).unwrap();
    assert_refused(&get(&late, &[]).await, "AccessDenied");
    let early = cdn.policy("/k").starts_at(NOW + 30);
    assert_refused(&get(&cdn.signer.sign_custom(&cdn.url("/k"), &early).unwrap(), &[]).await, "AccessDenied");
    let stranger =
        Signer::new(KeyPairId::new("KOTHER").unwrap(), PrivateKey::generate_p256().unwrap(), Hash::Sha256);
    assert_refused(&get(&stranger.sign_canned(&cdn.url("/k"), NOW + 60).unwrap(), &[]).await, "InvalidKey");
    let forger =
        Signer::new(KeyPairId::new("KLOCAL").unwrap(), PrivateKey::generate_p256().unwrap(), Hash::Sha256);
    assert_refused(&get(&forger.sign_canned(&cdn.url("/k"), NOW + 60).unwrap(), &[]).await, "AccessDenied");
    let refused = head(&cdn.url("/k"), &[]).await;
    assert_eq!((refused.status.as_u16(), refused.body.len()), (403, 0));
}

#[tokio::test]
async fn only_reading() {
    let cdn = Fixture::start().await;
    cdn.put("k", "hello");
    for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
        assert_refused(&send(method, &cdn.signed("/k"), &[], b"").await, "InvalidRequest");
    }
    let asked = [("origin", "null"), ("access-control-request-headers", "range")];
    let preflight = send(Method::OPTIONS, &cdn.url("/k"), &asked, b"").await;
    assert_eq!((preflight.status.as_u16(), preflight.header("access-control-allow-headers")), (204, "range"));
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn ranges() {
    let cdn = Fixture::start().await;
    cdn.put("k", "0123456789");
    let url = cdn.signed("/k");
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
    for odd in ["bytes=4-2", "bytes=0-1,4-5", "pages=1"] {
        assert_eq!(get(&url, &[("range", odd)]).await.status, 200, "{odd}");
    }
    // As CloudFront does, RFC 9110 in hand: a range is only for a GET.
    let asked = head(&url, &[("range", "bytes=0-1")]).await;
    assert_eq!((asked.status.as_u16(), asked.header("content-length"), asked.body.len()), (200, "10", 0));
}

#[tokio::test]
async fn conditions() {
    let cdn = Fixture::start().await;
    cdn.put("k", "hello");
    let url = cdn.signed("/k");
    let first = get(&url, &[]).await;
    let (etag, modified) = (first.header("etag"), first.header("last-modified"));
    assert_eq!((etag, modified), ("\"5d41402abc4b2a76b9719d911017c592\"", "Tue, 14 Nov 2023 22:13:20 GMT"));
    let known = get(&url, &[("if-none-match", etag)]).await;
    assert_eq!((known.status.as_u16(), known.body.len(), known.header("etag")), (304, 0, etag));
    assert_eq!(get(&url, &[("if-modified-since", modified)]).await.status, 304);
    assert_eq!(get(&url, &[("if-match", "\"0\"")]).await.status, 412);
    for (validator, status) in [(etag, 206), (modified, 206), ("\"0\"", 200), ("W/\"0\"", 200)] {
        assert_eq!(
            get(&url, &[("range", "bytes=0-0"), ("if-range", validator)]).await.status,
            status,
            "{validator}"
        );
    }
}

#[tokio::test]
async fn how_long_to_keep() {
    let cdn = Fixture::start().await;
    cdn.put("a.parquet", "x");
    cdn.put("a.json", "x");
    let own = Attributes { cache_control: Some("no-cache".to_owned()), ..Attributes::default() };
    cdn.store.put_with(BUCKET, "own.parquet", "x", own).unwrap();
    let cases = [
        ("/a.parquet", "public, max-age=2592000"),
        ("/a.json", "public, max-age=86400"),
        ("/own.parquet", "no-cache"),
    ];
    for (path, expected) in cases {
        assert_eq!(get(&cdn.signed(path), &[]).await.header("cache-control"), expected, "{path}");
    }
}

#[tokio::test]
async fn the_newest_version_is_served_and_a_hidden_one_is_not() {
    let cdn = Fixture::start().await;
    cdn.put("k", "one");
    cdn.put("k", "two");
    let url = cdn.signed("/k");
    assert_eq!(get(&url, &[]).await.text(), "two");
    cdn.store.delete_marker(BUCKET, "k").unwrap();
    assert_eq!(get(&url, &[]).await.status, 404);
}

#[tokio::test]
async fn a_graceful_end() {
    let cdn = Fixture::start().await;
    cdn.put("k", "hello");
    assert_eq!(get(&cdn.signed("/k"), &[]).await.status, 200);
    cdn.edge.shutdown().await;
}
