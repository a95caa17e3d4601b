//! `GET /packages/cloudfront/sign`, and how the edge verifies its links.

use aws::Clock;
use signing::cloudfront::{HashAlgorithm, PrivateKey};

use crate::app::{TestApp, fetch_url};

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
    assert!((before + 3600..before + 3610).contains(&expires_at));
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
    app.set_clock(Clock::Fixed(Clock::System.now() - 3600));
    let (late, _) = create_link(&app, "c.bin").await;
    assert_eq!(fetch_url("GET", &late).await.status, 403);
}

#[tokio::test]
async fn a_path_is_required() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "x", b"-").await;
    let detail =
        app.get(&app.sign_path(&package, ""), &app.create_token("viewer").await).await.assert_problem(400);
    assert!(detail.starts_with("missing required 'path' query parameter"), "{detail}");
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
