//! What a presigned link carries, in which form it is returned, and how long it stays the same.

use aws::Clock;
use http::{Request, header};
use packages::link_period::LinkWindow;
use serde_json::json;

use crate::app::{TestApp, TestResponse, fetch_url};

async fn get_accepting(app: &TestApp, path: &str, accept: &str, token: &str) -> TestResponse {
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    let request = request.header(header::HOST, "api.example.org").header("x-forwarded-proto", "https");
    app.send(request.header(header::ACCEPT, accept).body(axum::body::Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_name_at_the_end_of_the_path_changes_nothing() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "scan.bam", b"reads").await;
    let token = app.create_token("viewer").await;
    let plain = app.presign_path(&package, "");
    let location = app.get(&plain, &token).await.header("location").to_owned();
    for name in ["scan.bam", "s3", "%C3%9Cbersicht%20(final).h5", "..%2F..", "a;b", "~"] {
        let named = plain.replace("/presign/s3?", &format!("/presign/s3/{name}?"));
        let response = app.get(&named, &token).await;
        assert_eq!(
            (response.status.as_u16(), response.header("location")),
            (307, location.as_str()),
            "{name}"
        );
        assert_eq!(app.head(&named, &token, None).await.header("content-length"), "5", "{name}");
        app.get(&named, "").await.assert_problem(401);
    }
    for path in ["/presign/s3/?", "/presign/s3/a/b?"] {
        app.get(&plain.replace("/presign/s3?", path), &token).await.assert_problem(404);
    }
}

#[tokio::test]
async fn a_source_file_is_saved_under_its_packages_name() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    for (name, header) in [
        ("scan 7.nii.gz", r#"attachment; filename="scan 7.nii.gz""#.to_owned()),
        (
            "Übersicht (final), v2.h5",
            "attachment; filename=\"_bersicht (final), v2.h5\"; \
             filename*=UTF-8''%C3%9Cbersicht%20%28final%29%2C%20v2.h5"
                .to_owned(),
        ),
        (
            "a\"b\r\nc;d\u{202e}.csv",
            "attachment; filename=\"a_b__c_d_.csv\"; \
             filename*=UTF-8''a%22b__c%3Bd_.csv"
                .to_owned(),
        ),
        (&"x".repeat(255), format!("attachment; filename=\"{}\"", "x".repeat(255))),
    ] {
        let package = app.create_file(None, name, b"bytes").await;
        let path = app.presign_path(&package, "");
        let location = app.get(&path, &token).await.header("location").to_owned();
        assert_eq!(fetch_url("GET", &location).await.header("content-disposition"), header, "{name}");
        assert_eq!(app.head(&path, &token, None).await.header("content-disposition"), header, "{name}");
    }
}

#[tokio::test]
async fn a_package_of_several_files_has_the_files_name() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "recording", b"bytes").await;
    let details = async || {
        get_accepting(&app, &app.presign_path(&package, ""), "application/json", &token).await.json()
    };
    app.run_sql(r#"UPDATE "WORKSPACE".files SET name = 'raw-1.edf'"#).await;
    assert_eq!(details().await["filename"], "recording.edf");
    app.run_sql(
        r#"INSERT INTO "WORKSPACE".files (package_id, name, s3_bucket, s3_key, object_type, processing_state, created_at)
           SELECT package_id, 'raw-0.edf', s3_bucket, s3_key, object_type, processing_state, created_at - interval '1 day'
           FROM "WORKSPACE".files"#,
    )
    .await;
    assert_eq!(details().await["filename"], "raw-1.edf");
    app.run_sql(
        r#"UPDATE "WORKSPACE".files SET name = NULL, size = NULL, checksum = NULL, file_type = NULL"#,
    )
    .await;
    let unnamed = details().await;
    assert!(
        !unnamed["filename"].as_str().unwrap().contains('/') && unnamed.get("size").is_none(),
        "{unnamed}"
    );
}

#[tokio::test]
async fn only_files_that_cannot_run_script_are_shown_inline() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    for name in ["page.html", "drawing.svg", "data.xml", "paper.pdf", "unknown"] {
        let package = app.create_file(None, name, b"<script>").await;
        let detail =
            app.get(&app.presign_path(&package, "&disposition=inline"), &token).await.assert_problem(400);
        assert!(detail.contains("disposition=attachment"), "{detail}");
    }
    // The type is set with the disposition: the object's own could be HTML.
    let package = app.create_file(None, "photo.png", b"<script>").await;
    let location = app.get(&app.presign_path(&package, "&disposition=inline"), &token).await;
    let object = fetch_url("GET", location.header("location")).await;
    assert_eq!(object.header("content-disposition"), r#"inline; filename="photo.png""#);
    assert_eq!(object.header("content-type"), "image/png");
    let html = app.create_file(None, "other.html", b"<script>").await;
    app.put_asset(&html, "shown.png", b"<script>");
    let asset = app.get(&app.presign_path(&html, "&path=shown.png"), &token).await;
    assert_eq!(fetch_url("GET", asset.header("location")).await.header("content-disposition"), "");
    app.get(&app.presign_path(&html, "&disposition=shown"), &token).await.assert_problem(400);
}

#[tokio::test]
async fn the_client_chooses_the_form_of_the_answer() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "notes.txt", b"first light").await;
    app.put_asset(&package, "preview/a b.png", b"png");
    let path = app.presign_path(&package, "");

    let link = get_accepting(&app, &path, "application/json", &token).await.json();
    let url = link["presigned_url"].as_str().unwrap();
    assert_eq!((&link["filename"], &link["size"]), (&json!("notes.txt"), &json!(11)));
    assert!(link.get("proxy_url").is_none(), "the proxy does not allow the bucket");
    let text = get_accepting(&app, &path, "text/plain", &token).await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(text.body, url, "the same link");
    assert_eq!(get_accepting(&app, &path, "*/*", &token).await.status, 307);
    for (query, status) in [("False", 200), ("0", 200), ("True", 307), ("1", 307), ("no", 400), ("", 307)] {
        let response = app.get(&app.presign_path(&package, &format!("&redirect={query}")), &token).await;
        assert_eq!(response.status, status, "{query}");
    }

    let asset = app.presign_path(&package, "&path=preview/a%20b.png");
    let link = get_accepting(&app, &asset, "application/json", &token).await.json();
    let proxied = link["proxy_url"].as_str().unwrap();
    let proxied = proxied.strip_prefix("https://api.example.org").unwrap();
    assert!(proxied.starts_with("/packages/proxy/s3/a%20b.png?presigned_url=http"), "{proxied}");
    assert_eq!(fetch_url("GET", app.get(proxied, "").await.header("location")).await.body, "png");
    assert_eq!(app.head(proxied, "", Some("bytes=0-")).await.header("content-range"), "bytes 0-2/3");
}

#[tokio::test]
async fn the_same_link_twice_is_the_same_text() {
    let mut app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "notes.txt", b"first light").await;
    let path = app.presign_path(&package, "");
    let start = Clock::System.now() / 300 * 300;
    let mut locations = Vec::new();
    for now in [start, start + 299, start + 300] {
        app.set_clock(Clock::Fixed(now));
        locations.push(app.get(&path, &token).await.header("location").to_owned());
    }
    assert_eq!(locations[0], locations[1]);
    assert_ne!(locations[1], locations[2]);
    assert!(locations[0].contains("X-Amz-Expires=3900"));

    app.app.link_window = LinkWindow::new(0).unwrap();
    app.set_clock(Clock::Fixed(start + 7));
    let exact = app.get(&app.presign_path(&package, "&redirect=false"), &token).await.json();
    assert_eq!(exact["expires_at"], start + 7 + 3600);
    assert!(exact["presigned_url"].as_str().unwrap().contains("X-Amz-Expires=3600"));
}

#[tokio::test]
async fn a_link_may_be_shorter_than_an_hour() {
    let mut app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "notes.txt", b"-").await;
    let now = Clock::System.now();
    app.set_clock(Clock::Fixed(now));
    let json = app.get(&app.presign_path(&package, "&redirect=false&expires_in=60"), &token).await.json();
    let expires_at = json["expires_at"].as_u64().unwrap();
    assert!((now + 60..=now + 65).contains(&expires_at), "{expires_at}");
    for seconds in ["59", "3601", "0", "-1", "1e9", "NaN", "60.0", "99999999999999999999"] {
        let path = app.presign_path(&package, &format!("&expires_in={seconds}"));
        assert!(app.get(&path, &token).await.assert_problem(400).contains("60 to 3600"), "{seconds}");
    }
}
