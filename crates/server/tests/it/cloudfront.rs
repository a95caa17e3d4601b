//! `GET /packages/cloudfront/sign`, and how the edge verifies its links.

use aws::Clock;
use axum::body::Body;
use http::StatusCode;
use local::workspace::Package;
use serde_json::Value;
use signing::cloudfront::{HashAlgorithm, PrivateKey};

use crate::app::{TestApp, TestResponse, build_request, fetch_url, percent_encode, send_over_tcp};

async fn create_link(app: &TestApp, path: &str) -> (String, u64) {
    let package = app.create_file(None, &format!("{path}.source"), b"-").await;
    app.put_asset(&package, path, b"0123456789");
    let response = app.get(&app.sign_path(&package, path), &app.create_token("viewer").await).await;
    assert_eq!(response.status, 200, "{:?}", response.body);
    let link = response.json();
    (link["signed_url"].as_str().unwrap().to_owned(), link["expires_at"].as_u64().unwrap())
}

#[tokio::test]
async fn a_signed_link_serves_the_asset_for_an_hour() {
    let app = TestApp::start().await;
    let before = Clock::System.now();
    let (url, expires_at) = create_link(&app, "data.parquet").await;
    assert!((before + 3600..before + 3910).contains(&expires_at));
    assert!(url.contains(&format!("?Expires={expires_at}&Signature=")), "{url}");
    assert!(url.ends_with("&Hash-Algorithm=SHA256"));

    let asset = fetch_url("GET", &url).await;
    assert_eq!((asset.status.as_u16(), &asset.body[..]), (200, &b"0123456789"[..]));
    assert!(asset.header("cache-control").contains("max-age=2592000"));
    assert_eq!(asset.header("access-control-allow-origin"), "*");
    assert_eq!(fetch_url("HEAD", &url).await.header("content-length"), "10");

    let (url, _) = create_link(&app, "preview.png").await;
    assert!(fetch_url("GET", &url).await.header("cache-control").contains("max-age=86400"));
}

#[tokio::test]
async fn the_edge_accepts_both_key_types_and_both_hashes() {
    for (key, hash) in [
        (PrivateKey::generate_rsa().unwrap(), HashAlgorithm::Sha256),
        (PrivateKey::generate_rsa().unwrap(), HashAlgorithm::Sha1),
        (PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha1),
    ] {
        let app = TestApp::start_with_key(key, hash).await;
        let (url, _) = create_link(&app, "a.bin").await;
        assert_eq!(url.contains("Hash-Algorithm"), hash == HashAlgorithm::Sha256);
        assert_eq!(fetch_url("GET", &url).await.body, "0123456789");
    }
}

#[tokio::test]
async fn a_path_is_encoded_once() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "image.czi", b"-").await;
    let token = app.create_token("viewer").await;
    for (path, query) in [
        ("a b+c#d.bin", "a%20b%2Bc%23d.bin"),
        ("東京/写真.png", "%E6%9D%B1%E4%BA%AC%2F%E5%86%99%E7%9C%9F.png"),
    ] {
        app.put_asset(&package, path, b"here");
        let url = app.get(&app.sign_path(&package, query), &token).await.json()["signed_url"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(fetch_url("GET", &url).await.body, "here", "{path}");
    }
}

#[tokio::test]
async fn the_edge_rejects_unsigned_changed_and_expired_links() {
    let mut app = TestApp::start().await;
    let (url, expires_at) = create_link(&app, "a.bin").await;
    let (other, _) = create_link(&app, "b.bin").await;
    let path = |url: &str| url.split('?').next().unwrap().to_owned();
    let query = url.split_once('?').unwrap().1;
    for changed in [
        path(&url),
        format!("{}?{query}", path(&other)),
        url.replace(&expires_at.to_string(), &(expires_at + 1).to_string()),
        url.replace("KTEST0000001", "KTEST0000002"),
        url.replace("SHA256", "SHA1"),
        url.replace("&Hash-Algorithm=SHA256", ""),
        format!("{}/../a.bin?{query}", path(&url)),
    ] {
        assert_eq!(fetch_url("GET", &changed).await.status, 403, "{changed}");
    }
    for method in ["PUT", "POST", "DELETE"] {
        assert_eq!(fetch_url(method, &url).await.status, 403, "{method}");
    }
    app.set_clock(Clock::Fixed(Clock::System.now() - 3901));
    let (late, _) = create_link(&app, "c.bin").await;
    assert_eq!(fetch_url("GET", &late).await.status, 403);
}

#[tokio::test]
async fn a_replaced_key_signs_the_next_request() {
    let app = TestApp::start().await;
    let (_, verifier) =
        crate::app::create_signer(PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha256);
    let (signer, _) = crate::app::create_signer(PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha256);
    let (before, _) = create_link(&app, "a.bin").await;
    app.app.cdn.replace_signer(signer);
    let (after, _) = create_link(&app, "b.bin").await;
    assert_eq!(fetch_url("GET", &before).await.status, 200);
    assert_eq!(fetch_url("GET", &after).await.status, 403, "the edge trusts only the first key");
    assert!(verifier.verify_url(&after, 0, None).is_err());
}

/// A link to everything beneath a directory.
struct DirectoryLink {
    json: Value,
    token: String,
}

impl DirectoryLink {
    async fn create(app: &TestApp, package: &Package, path: &str) -> Self {
        let token = app.create_token("viewer").await;
        Self::create_with(app, package, path, token).await
    }

    async fn create_with(app: &TestApp, package: &Package, path: &str, token: String) -> Self {
        let response = app.get(&app.sign_path(package, &percent_encode(path)), &token).await;
        assert_eq!(response.status, 200, "{:?}", response.body);
        Self { json: response.json(), token }
    }

    fn text(&self, member: &str) -> &str {
        self.json[member].as_str().unwrap()
    }

    /// The URL of an object beneath the directory, without a signature.
    fn object_url(&self, path: &str) -> String {
        format!("{}{path}", self.text("resource").strip_suffix('*').unwrap())
    }

    async fn fetch(&self, url: &str) -> TestResponse {
        fetch_url("GET", &format!("{url}?{}", self.text("query"))).await
    }

    fn cookie_header(&self) -> String {
        let pairs = self.json["cookies"].as_object().unwrap().iter();
        pairs
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

async fn fetch_with_cookies(url: &str, cookies: &str) -> TestResponse {
    let mut request = build_request("GET", url, "", Body::empty());
    request.headers_mut().insert("cookie", cookies.parse().unwrap());
    send_over_tcp(request).await
}

#[tokio::test]
async fn one_link_opens_a_directory() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "image.czi", b"-").await;
    for path in ["image.ome.zarr/.zattrs", "image.ome.zarr/0/0/0/0", "image.ome.zarr/a b/ü"] {
        app.put_asset(&package, path, path.as_bytes());
    }
    app.put_asset(&package, "secret.bin", b"secret");
    let before = Clock::System.now();
    let link = DirectoryLink::create(&app, &package, "image.ome.zarr/").await;
    assert!((before + 3600..before + 3910).contains(&link.json["expires_at"].as_u64().unwrap()));
    assert!(link.text("resource").ends_with(&format!("/P{}/image.ome.zarr/*", package.id)));
    assert_eq!(link.text("signed_url"), format!("{}?{}", link.object_url(""), link.text("query")));
    assert!(link.text("query").starts_with("Policy="));

    for (path, key) in [(".zattrs", ".zattrs"), ("0/0/0/0", "0/0/0/0"), ("a%20b/%C3%BC", "a b/ü")] {
        let object = link.fetch(&link.object_url(path)).await;
        assert_eq!(
            (object.status, &object.body[..]),
            (StatusCode::OK, format!("image.ome.zarr/{key}").as_bytes())
        );
        assert_eq!(object.header("access-control-allow-origin"), "*");
    }
    let url = format!("{}?{}", link.object_url("0/0/0/0"), link.text("query"));
    assert_eq!(fetch_url("HEAD", &url).await.header("content-length"), "22");
    let mut request = build_request("GET", &url, "", Body::empty());
    request.headers_mut().insert("range", "bytes=-4".parse().unwrap());
    let part = send_over_tcp(request).await;
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &b"/0/0"[..]));

    // Zarr readers take 404 for a chunk of fill values.
    let missing = link.fetch(&link.object_url("0/0/9/9")).await;
    assert_eq!(missing.status, 404);
    assert!(String::from_utf8_lossy(&missing.body).contains("<Code>NoSuchKey</Code>"));
    assert_eq!(fetch_url("GET", link.text("signed_url")).await.status, 404, "a directory is no object");
    let outside = link.object_url("x").replace("image.ome.zarr/x", "secret.bin");
    assert_eq!(link.fetch(&outside).await.status, 403);
}

#[tokio::test]
async fn a_link_without_path_opens_all_assets_of_the_package() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "image.czi", b"-").await;
    for path in ["a.bin", "b/c/d.bin"] {
        app.put_asset(&package, path, b"here");
    }
    let token = app.create_token("viewer").await;
    let path = app.sign_path(&package, "");
    for path in [path.clone(), path.replace("&path=", "")] {
        let json = app.get(&path, &token).await.json();
        let link = DirectoryLink { json, token: token.clone() };
        assert!(link.text("resource").ends_with(&format!("/P{}/*", package.id)));
        for path in ["a.bin", "b/c/d.bin"] {
            assert_eq!(link.fetch(&link.object_url(path)).await.body, "here");
        }
    }
}

#[tokio::test]
async fn a_link_never_opens_a_sibling() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "images").await;
    let packages = app.create_files(&folder, 20).await;
    // Ids such as 4 and 45: one is the beginning of the other.
    let is_sibling = |one: &Package, other: &Package| {
        one.id != other.id && other.id.to_string().starts_with(&one.id.to_string())
    };
    let pairs = packages.iter().flat_map(|one| packages.iter().map(move |other| (one, other)));
    let (package, sibling) = pairs.into_iter().find(|(one, other)| is_sibling(one, other)).unwrap();
    for path in ["a/0", "ab/0", "a", "a0"] {
        app.put_asset(package, path, b"own");
        app.put_asset(sibling, path, b"secret");
    }
    let whole = DirectoryLink::create(&app, package, "").await;
    let part = DirectoryLink::create_with(&app, package, "a/", whole.token.clone()).await;
    let (own, other) = (whole.object_url(""), format!("/P{}/", sibling.id));
    let other = own.replace(&format!("/P{}/", package.id), &other);
    assert_eq!(whole.fetch(&format!("{own}ab/0")).await.body, "own");
    assert_eq!(part.fetch(&format!("{own}a/0")).await.body, "own");
    for (link, url) in [
        (&part, format!("{own}ab/0")),
        (&part, format!("{own}a")),
        (&part, format!("{own}a0")),
        (&part, format!("{other}a/0")),
        (&whole, format!("{other}a/0")),
        (&whole, own.trim_end_matches('/').to_owned()),
    ] {
        assert_eq!(link.fetch(&url).await.status, 403, "{url}");
        assert_eq!(fetch_with_cookies(&url, &link.cookie_header()).await.status, 403, "{url}");
    }
    // The star matches these texts, and no object has such a key.
    for detour in ["../ab/0", "%2E%2E/ab/0", "..%2Fab%2F0", "./../ab/0", "%2e%2e%5Cab/0"] {
        let detour = part.fetch(&format!("{own}a/{detour}")).await;
        assert_eq!(detour.status, 404);
    }
}

#[tokio::test]
async fn cookies_open_what_the_query_opens() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "image.czi", b"-").await;
    app.put_asset(&package, "a b/0", b"chunk");
    let link = DirectoryLink::create(&app, &package, "a b/").await;
    let opened = fetch_with_cookies(&link.object_url("0"), &link.cookie_header()).await;
    assert_eq!((opened.status.as_u16(), &opened.body[..]), (200, &b"chunk"[..]));
    assert_eq!(fetch_url("GET", &link.object_url("0")).await.status, 403);

    let request = |host: &str| {
        let path = format!("{}&cookies=set", app.sign_path(&package, "a%20b/"));
        let mut request = build_request("GET", &path, &link.token, Body::empty());
        request.headers_mut().insert("host", host.parse().unwrap());
        request
    };
    let response = app.send(request("127.0.0.1:8080")).await;
    let set: Vec<_> =
        response.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert_eq!(set.len(), 4);
    let (path, flags) = (format!("/P{}/a%20b/; Max-Age=3", package.id), "; Secure; HttpOnly; SameSite=None");
    assert!(set.iter().all(|cookie| cookie.contains(&path) && cookie.ends_with(flags)), "{set:?}");
    let pairs: Vec<_> = set.iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
    assert_eq!(fetch_with_cookies(&link.object_url("0"), &pairs.join("; ")).await.body, "chunk");
    assert_eq!(response.json()["cookies"].as_object().unwrap().len(), 4);

    let detail = app.send(request("api2.example.com")).await.assert_problem(400);
    assert!(detail.starts_with("cookies for the CDN cannot be set from here"), "{detail}");
    let unset = app.get(&app.sign_path(&package, "a%20b/"), &link.token).await;
    assert!(!unset.headers.contains_key("set-cookie"));
    let asset = format!("{}&cookies=set", app.sign_path(&package, "a.bin"));
    app.get(&asset, &link.token).await.assert_problem(400);
}

#[tokio::test]
async fn the_same_link_is_signed_once() {
    let mut app = TestApp::start().await;
    let now = Clock::System.now() / 300 * 300;
    app.set_clock(Clock::Fixed(now));
    let package = app.create_file(None, "image.czi", b"-").await;
    let token = app.create_token("viewer").await;
    for path in ["a.bin", "a/", ""] {
        let path = app.sign_path(&package, path);
        let first = app.get(&path, &token).await.json();
        app.set_clock(Clock::Fixed(now + 299));
        assert_eq!(app.get(&path, &token).await.json(), first);
        app.set_clock(Clock::Fixed(now + 300));
        assert_ne!(app.get(&path, &token).await.json()["signed_url"], first["signed_url"]);
        app.set_clock(Clock::Fixed(now));
    }
}

#[tokio::test]
async fn malformed_directories_are_refused() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "image.czi", b"-").await;
    let token = app.create_token("viewer").await;
    let long = format!("{}/", "x".repeat(985));
    for path in [
        "/", "//", "a//", "/a/", "../", "a/../", "./", "../P45/", "*/", "a*/", "*", "P?/", "a?/", "%2e%2e/",
        "a%2fb/", "a\\/", "..\\", "a\0/", "a\n/", "\u{7f}/", &long,
    ] {
        let response = app.get(&app.sign_path(&package, &percent_encode(path)), &token).await;
        let detail = response.assert_problem(400);
        assert!(!detail.contains("P45") && !detail.contains("xxx"), "{detail}");
    }
    for raw in ["%", "%zz/", "%ff/", "a/&path=b/", "a/&cookies=SET", "a/&cookies=set%2C", "a/&cookies=true"] {
        app.get(&app.sign_path(&package, raw), &token).await.assert_problem(400);
    }
}

#[tokio::test]
async fn directories_of_other_tenants_and_of_the_trash_stay_closed() {
    let mut app = TestApp::start().await;
    let other = TestApp::start().await;
    let theirs = other.create_file(None, "image.czi", b"-").await;
    let (_, elsewhere) = app.trash_in_other_dataset().await;
    let (live, trashed) = (app.create_file(None, "a", b"-").await, app.create_file(None, "b", b"-").await);
    app.trash_package(&trashed).await;
    let token = app.create_token("viewer").await;
    for path in ["", "a/"] {
        assert_eq!(app.get(&app.sign_path(&live, path), &token).await.status, 200);
        for package in [&theirs, &elsewhere, &trashed] {
            app.get(&app.sign_path(package, path), &token).await.assert_problem(404);
        }
        app.get(&app.sign_path(&live, path), &other.create_token("viewer").await).await.assert_problem(403);
        app.get(&app.sign_path(&live, path), &app.create_token("guest").await).await.assert_problem(403);
        app.get(&app.sign_path(&live, path), "").await.assert_problem(401);
    }
}
