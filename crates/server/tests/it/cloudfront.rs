//! `GET /packages/cloudfront/sign`, and what the edge makes of its links.

use aws::Clock;
use signing::cloudfront::{HashAlgorithm, PrivateKey};

use crate::app::{TestApp, fetch};

async fn link(app: &TestApp, path: &str) -> (String, u64) {
    let package = app.file(None, &format!("{path}.source"), b"-").await;
    app.asset(&package, path, b"0123456789");
    let answer = app.get(&app.sign_path(&package, path), &app.token("viewer").await).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let link = answer.json();
    (link["signed_url"].as_str().unwrap().to_owned(), link["expires_at"].as_u64().unwrap())
}

#[tokio::test]
async fn a_signed_link_serves_the_asset_for_an_hour() {
    let app = TestApp::start().await;
    let before = Clock::System.now();
    let (url, expires_at) = link(&app, "data.parquet").await;
    assert!((before + 3600..before + 3610).contains(&expires_at));
    assert!(url.contains(&format!("?Expires={expires_at}&Signature=")), "{url}");
    assert!(url.ends_with("&Hash-Algorithm=SHA256"));

    let asset = fetch("GET", &url).await;
    assert_eq!((asset.status.as_u16(), &asset.body[..]), (200, &b"0123456789"[..]));
    assert!(asset.header("cache-control").contains("max-age=2592000"));
    assert_eq!(asset.header("access-control-allow-origin"), "*");
    assert_eq!(fetch("HEAD", &url).await.header("content-length"), "10");

    let (url, _) = link(&app, "preview.png").await;
    assert!(fetch("GET", &url).await.header("cache-control").contains("max-age=86400"));
}

#[tokio::test]
async fn both_kinds_of_key_and_both_hashes_are_accepted_by_the_edge() {
    for (key, hash) in [
        (PrivateKey::generate_rsa().unwrap(), HashAlgorithm::Sha256),
        (PrivateKey::generate_rsa().unwrap(), HashAlgorithm::Sha1),
        (PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha1),
    ] {
        let app = TestApp::start_with(key, hash).await;
        let (url, _) = link(&app, "a.bin").await;
        assert_eq!(url.contains("Hash-Algorithm"), hash == HashAlgorithm::Sha256);
        assert_eq!(fetch("GET", &url).await.body, "0123456789");
    }
}

#[tokio::test]
async fn a_path_is_encoded_once() {
    let app = TestApp::start().await;
    let package = app.file(None, "image.czi", b"-").await;
    let token = app.token("viewer").await;
    for (path, query) in [
        ("a b+c#d.bin", "a%20b%2Bc%23d.bin"),
        ("東京/写真.png", "%E6%9D%B1%E4%BA%AC%2F%E5%86%99%E7%9C%9F.png"),
    ] {
        app.asset(&package, path, b"here");
        let url = app.get(&app.sign_path(&package, query), &token).await.json()["signed_url"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(fetch("GET", &url).await.body, "here", "{path}");
    }
}

#[tokio::test]
async fn nothing_is_served_unsigned_changed_or_late() {
    let mut app = TestApp::start().await;
    let (url, expires_at) = link(&app, "a.bin").await;
    let (other, _) = link(&app, "b.bin").await;
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
        assert_eq!(fetch("GET", &changed).await.status, 403, "{changed}");
    }
    for method in ["PUT", "POST", "DELETE"] {
        assert_eq!(fetch(method, &url).await.status, 403, "{method}");
    }
    app.at(Clock::Fixed(Clock::System.now() - 3600));
    let (late, _) = link(&app, "c.bin").await;
    assert_eq!(fetch("GET", &late).await.status, 403);
}

#[tokio::test]
async fn a_path_is_needed() {
    let app = TestApp::start().await;
    let package = app.file(None, "x", b"-").await;
    let detail = app.get(&app.sign_path(&package, ""), &app.token("viewer").await).await.problem(400);
    assert!(detail.starts_with("missing required 'path' query parameter"), "{detail}");
}

#[tokio::test]
async fn another_key_signs_from_one_request_to_the_next() {
    let app = TestApp::start().await;
    let (_, verifier) = crate::app::signer(PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha256);
    let (signer, _) = crate::app::signer(PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha256);
    let (before, _) = link(&app, "a.bin").await;
    app.app.cdn.replace_signer(signer);
    let (after, _) = link(&app, "b.bin").await;
    assert_eq!(fetch("GET", &before).await.status, 200);
    assert_eq!(fetch("GET", &after).await.status, 403, "the edge knows the first key alone");
    assert!(verifier.verify_url(&after, 0, None).is_err());
}
