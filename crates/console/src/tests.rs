use axum::{body::Body, routing::get};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;

use super::*;

const TABLE: &[(&str, &[u8])] = &[
    ("index.html", b"<!doctype html>app"),
    ("index.html.br", b"brotli page"),
    ("icon.svg", b"<svg/>"),
    ("console/assets/app-1a2b.js", b"script"),
    ("console/assets/app-1a2b.js.gz", b"gzip script"),
];

const BROWSER: [(&str, &str); 1] = [("accept", "text/html,*/*;q=0.8")];

fn console(files: AppFiles) -> Router {
    let headers = SecurityHeaders::new(&["https://cdn.example.org"], &["https://login.example.org"]).unwrap();
    let host = Router::new()
        .route("/packages/health", get(async || "healthy"))
        .route("/console/settings.json", get(async || "{}"))
        .fallback(async || (StatusCode::NOT_FOUND, [("referrer-policy", "origin")], "the host's own 404"));
    Console::new(files, headers, vec!["/packages".to_owned(), "/metrics".to_owned()]).wrap(host)
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn send(router: &Router, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request =
        headers.iter().fold(Request::builder().method(method).uri(path), |request, (name, value)| {
            request.header(*name, *value)
        });
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

#[tokio::test]
async fn pages_are_the_app_and_other_paths_the_hosts() {
    let router = console(AppFiles::from_table(TABLE));
    for path in ["/", "/datasets", "/dataset/N:dataset:1/file/N:package:2?tab=table", "/docs"] {
        let page = send(&router, "GET", path, &BROWSER).await;
        assert_eq!((page.status, page.body.as_str()), (StatusCode::OK, "<!doctype html>app"), "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-cache");
        assert_eq!(page.header("vary"), "accept, accept-encoding");
    }
    for (method, path, headers) in [
        ("GET", "/docs", &[("accept", "*/*")][..]),
        ("POST", "/docs", &BROWSER),
        ("POST", "/", &BROWSER),
        ("GET", "/packages", &BROWSER),
        ("GET", "/packages/unknown", &BROWSER),
        ("GET", "/metrics", &BROWSER),
        ("GET", "/console/users", &BROWSER),
        ("GET", "/console/assets/gone-1a2b.js", &BROWSER),
        ("GET", "/index.html", &BROWSER),
        ("GET", "/index.html.br", &BROWSER),
        ("GET", "/console/assets/app-1a2b.js.gz", &[]),
        ("GET", "/favicon.ico", &BROWSER),
        ("GET", "//", &[]),
    ] {
        let answer = send(&router, method, path, headers).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert_eq!(answer.body, "the host's own 404", "{method} {path}");
    }
    assert_eq!(send(&router, "GET", "/packages/health", &BROWSER).await.body, "healthy");
}

#[tokio::test]
async fn files_are_cached_by_their_names_or_by_their_tags() {
    let router = console(AppFiles::from_table(TABLE));
    let script =
        send(&router, "GET", "/console/assets/app-1a2b.js", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!((script.body.as_str(), script.header("content-encoding")), ("gzip script", "gzip"));
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(script.header("vary"), "accept-encoding");
    let plain = send(&router, "GET", "/console/assets/app-1a2b.js", &[]).await;
    assert_eq!((plain.body.as_str(), plain.header("content-encoding")), ("script", ""));
    assert_ne!(plain.header("etag"), script.header("etag"));
    assert_eq!(send(&router, "GET", "/icon.svg", &[]).await.header("cache-control"), "no-cache");

    let head = send(&router, "HEAD", "/console/assets/app-1a2b.js", &[]).await;
    assert_eq!((head.body.as_str(), head.header("content-length")), ("", "6"));
    assert_eq!(head.header("etag"), plain.header("etag"));

    let page = send(&router, "GET", "/", &[]).await;
    let tag = page.header("etag");
    for known in [tag, &format!("\"other\", W/{tag}"), "*"] {
        let unchanged = send(&router, "GET", "/", &[("if-none-match", known)]).await;
        assert_eq!((unchanged.status, unchanged.body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
        assert_eq!(unchanged.header("etag"), tag);
        assert_eq!(unchanged.header("content-length"), page.header("content-length"));
    }
    let compressed = [("if-none-match", tag), ("accept-encoding", "br")];
    assert_eq!(send(&router, "GET", "/", &compressed).await.body, "brotli page");
}

#[tokio::test]
async fn responses_outside_the_hosts_paths_have_the_security_headers() {
    let router = console(AppFiles::from_table(TABLE));
    for path in ["/", "/icon.svg", "/console/settings.json", "/console/unknown.json"] {
        let answer = send(&router, "GET", path, &[]).await;
        let policy = answer.header("content-security-policy");
        for directive in [
            "default-src 'none';",
            "script-src 'self';",
            "style-src 'self';",
            "img-src 'self' blob: data: https://cdn.example.org;",
            "media-src 'self' blob: https://cdn.example.org;",
            "connect-src 'self' https://cdn.example.org https://login.example.org;",
            "base-uri 'none';",
            "form-action 'none';",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(directive), "{path}: {directive} is not in {policy}");
        }
        assert!(!policy.contains("unsafe-"), "{policy}");
        let referrer: Vec<_> = answer.headers.get_all("referrer-policy").into_iter().collect();
        assert_eq!(referrer, ["no-referrer"], "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert!(answer.header("permissions-policy").contains("camera=()"));
    }
    let api = send(&router, "GET", "/packages/health", &[]).await;
    assert_eq!(api.header("content-security-policy"), "");
}

#[test]
fn a_source_cannot_change_the_policy() {
    for source in
        ["", "https://a b", "https://a;script-src *", "'unsafe-inline'", "https://a,b", "https://a\r\nx: y"]
    {
        assert_eq!(SecurityHeaders::new(&[source], &[]).err(), Some(InvalidSource), "{source:?}");
        assert_eq!(SecurityHeaders::new(&[], &[source]).err(), Some(InvalidSource), "{source:?}");
    }
}

#[tokio::test]
async fn an_app_that_was_not_built_says_how_to_build_it() {
    let empty = tempfile::tempdir().unwrap();
    for (files, advice) in [
        (AppFiles::from_table(&[]), "run `make console`, then build the program again"),
        (
            AppFiles::Directory(empty.path().to_owned()),
            "build it into this directory (`npm run build` in `console`)",
        ),
    ] {
        assert_eq!(files.missing_app_advice(), Some(advice));
        let router = console(files);
        let page = send(&router, "GET", "/", &[]).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(page.body.contains("make console") && page.header("cache-control") == "no-store");
        // The policy would block a style in the page itself.
        assert!(!page.body.contains("style=") && !page.body.contains("<style"));
        let style = send(&router, "GET", "/console/not-built.css", &[]).await;
        assert_eq!((style.status, style.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
    }
}

#[tokio::test]
async fn a_directory_is_read_at_each_request_and_left_by_none() {
    let dir = tempfile::tempdir().unwrap();
    let (dist, secret) = (dir.path().join("dist"), dir.path().join("secret.txt"));
    std::fs::create_dir(&dist).unwrap();
    std::fs::write(&secret, "secret").unwrap();
    std::fs::write(dist.join(".env"), "secret").unwrap();
    std::fs::write(dist.join("index.html"), "one").unwrap();
    let router = console(AppFiles::Directory(dist.clone()));
    assert_eq!(send(&router, "GET", "/", &[]).await.body, "one");
    std::fs::write(dist.join("index.html"), "two").unwrap();
    std::fs::write(dist.join("index.html.gz"), "compressed").unwrap();
    assert_eq!(send(&router, "GET", "/", &[]).await.body, "two");
    assert_eq!(send(&router, "GET", "/", &[("accept-encoding", "gzip")]).await.body, "compressed");
    for path in
        ["/../secret.txt", "/%2e%2e/secret.txt", "/.env", "//secret.txt", "/./index.html", "/index.html.gz"]
    {
        assert_eq!(send(&router, "GET", path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    std::fs::create_dir(dist.join("folder.d")).unwrap();
    assert_eq!(send(&router, "GET", "/folder.d", &[]).await.status, StatusCode::NOT_FOUND);
}
