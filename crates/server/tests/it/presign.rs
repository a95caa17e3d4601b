//! `GET` and `HEAD /packages/presign/s3`.

use aws::Clock;
use axum::body::Body;
use http::Request;
use packages::asset::AssetPath;

use crate::app::{ASSETS, STORAGE, TestApp, fetch_url, percent_encode};

#[tokio::test]
async fn redirects_a_viewer_to_the_bytes_of_a_file() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "notes.txt", b"first light").await;
    let token = app.create_token("viewer").await;

    let response = app.get(&app.presign_path(&package, ""), &token).await;
    assert_eq!(response.status, 307);
    assert!(response.body.is_empty());
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(response.header("access-control-allow-origin"), "*");

    let file = fetch_url("GET", response.header("location")).await;
    assert_eq!((file.status.as_u16(), &file.body[..]), (200, &b"first light"[..]));
}

#[tokio::test]
async fn a_json_link_has_its_expiry_time() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "notes.txt", b"first light").await;
    let token = app.create_token("viewer").await;

    let before = Clock::System.now();
    let response = app.get(&app.presign_path(&package, "&redirect=false"), &token).await;
    let link = response.json();
    let expires_at = link["expires_at"].as_u64().unwrap();
    // An hour from now, and the rest of a window of five minutes.
    assert!((before + 3600..before + 3910).contains(&expires_at));
    let url = link["presigned_url"].as_str().unwrap();
    assert!(url.contains("X-Amz-Expires=3900"));
    assert_eq!(fetch_url("GET", url).await.body, "first light");
}

#[tokio::test]
async fn links_to_viewer_assets_of_a_package() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "image.czi", b"-").await;
    let token = app.create_token("viewer").await;
    for (path, query) in [
        ("preview/thumbnail.jpg", "preview/thumbnail.jpg"),
        ("a b+c#d&e.txt", "a%20b%2Bc%23d%26e.txt"),
        ("東京/写真.png", "%E6%9D%B1%E4%BA%AC/%E5%86%99%E7%9C%9F.png"),
        ("0/.zarray", "0%2F.zarray"),
    ] {
        app.put_asset(&package, path, path.as_bytes());
        let response = app.get(&app.presign_path(&package, &format!("&path={query}")), &token).await;
        let file = fetch_url("GET", response.header("location")).await;
        assert_eq!((file.status.as_u16(), &file.body[..]), (200, path.as_bytes()), "{path}");
    }
    let missing = app.get(&app.presign_path(&package, "&path=nowhere"), &token).await;
    assert_eq!(missing.status, 307, "the service does not check whether the object exists");
    assert_eq!(fetch_url("GET", missing.header("location")).await.status, 404);
}

#[tokio::test]
async fn s3_rejects_changed_and_expired_links() {
    let mut app = TestApp::start().await;
    let package = app.create_file(None, "notes.txt", b"first light").await;
    let other = app.create_file(None, "other.txt", b"secret").await;
    let token = app.create_token("viewer").await;
    let url = app.get(&app.presign_path(&package, ""), &token).await.header("location").to_owned();

    let key = &app.load_keys(&package).await[0];
    let swapped = url.replace(key, &app.load_keys(&other).await[0]);
    for changed in [
        swapped,
        url.replace("X-Amz-Expires=3900", "X-Amz-Expires=7200"),
        format!("{url}0"),
        format!("{url}&versionId=1"),
        url.split('?').next().unwrap().to_owned(),
    ] {
        let response = fetch_url("GET", &changed).await;
        assert!(matches!(response.status.as_u16(), 400 | 403), "{}", response.status);
    }
    for method in ["HEAD", "PUT", "DELETE"] {
        assert_eq!(fetch_url(method, &url).await.status, 403, "{method}");
    }

    app.set_clock(Clock::Fixed(Clock::System.now() - 3901));
    let ended = app.get(&app.presign_path(&package, ""), &token).await.header("location").to_owned();
    assert_eq!(fetch_url("GET", &ended).await.status, 403);
}

/// The object's own `Cache-Control` is for the object. The answer to one person must not be stored for others.
#[tokio::test]
async fn head_is_not_cached_and_answers_conditions() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "notes.txt", b"-").await;
    app.put_asset(&package, "a.bin", b"");
    let key = AssetPath::parse("a.bin").unwrap().object_key(app.workspace.id, app.dataset.id, package.id);
    let attributes =
        local::s3::Attributes { cache_control: Some("public, max-age=600".to_owned()), ..Default::default() };
    app.store.put_with(ASSETS, &key, "0123456789", attributes).unwrap();
    let token = app.create_token("viewer").await;
    let path = app.presign_path(&package, "&path=a.bin");
    let plain = app.head(&path, &token, None).await;
    assert_eq!((plain.status.as_u16(), plain.header("cache-control")), (200, "no-store"));
    let etag = plain.header("etag").to_owned();
    for (name, value, status) in [
        ("if-none-match", &*etag, 304),
        ("if-none-match", "\"x\"", 200),
        ("if-match", "\"x\"", 412),
        ("if-modified-since", plain.header("last-modified"), 304),
    ] {
        let request = Request::builder().method("HEAD").uri(&path).header(name, value);
        let request = request.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        let response = app.send(request).await;
        assert_eq!(
            (response.status.as_u16(), response.header("cache-control")),
            (status, "no-store"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn head_describes_the_object() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "notes.txt", b"first light").await;
    let token = app.create_token("viewer").await;
    let path = app.presign_path(&package, "");

    let whole = app.head(&path, &token, None).await;
    assert_eq!(whole.status, 200);
    assert!(whole.body.is_empty());
    assert_eq!(whole.header("content-length"), "11");
    assert_eq!(whole.header("content-type"), "text/plain");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert!(whole.header("etag").starts_with('"'));
    assert!(whole.header("last-modified").ends_with("GMT"));

    // DuckDB-WASM sends this range and requires 206.
    let open = app.head(&path, &token, Some("bytes=0-")).await;
    assert_eq!((open.status.as_u16(), open.header("content-range")), (206, "bytes 0-10/11"));
    assert_eq!(open.header("content-length"), "11");
    assert_eq!(open.header("etag"), whole.header("etag"));

    for (range, status, content_range) in [
        ("bytes=2-4", 206, "bytes 2-4/11"),
        ("bytes=-4", 206, "bytes 7-10/11"),
        ("bytes=5-99", 206, "bytes 5-10/11"),
        ("bytes=11-", 416, "bytes */11"),
        ("bytes=1-0", 200, ""),
        ("bytes=0-1,3-4", 200, ""),
        ("lines=0-1", 200, ""),
    ] {
        let response = app.head(&path, &token, Some(range)).await;
        assert_eq!(
            (response.status.as_u16(), response.header("content-range")),
            (status, content_range),
            "{range}"
        );
    }
    assert_eq!(app.head(&app.presign_path(&package, "&path=nowhere"), &token, None).await.status, 404);
}

#[tokio::test]
async fn names_missing_and_malformed_parameters() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "notes.txt", b"-").await;
    let token = app.create_token("viewer").await;
    let (dataset, id) = (&app.dataset.node_id, &package.node_id);

    let detail =
        app.get(&format!("/packages/presign/s3?dataset_id={dataset}"), &token).await.assert_problem(400);
    assert_eq!(detail, "missing required 'package_id' query parameter");
    let detail = app.get(&format!("/packages/presign/s3?package_id={id}"), &token).await.assert_problem(400);
    assert_eq!(detail, "missing required 'dataset_id' query parameter");
    let twice = format!("/packages/presign/s3?dataset_id={dataset}&dataset_id={dataset}&package_id={id}");
    assert!(app.get(&twice, &token).await.assert_problem(400).contains("more than once"));
    app.get(&app.presign_path(&package, "&path=..%2Fsecret"), &token).await.assert_problem(400);
}

/// A key of S3 has at most 1,024 bytes. 39 of them are for `O…/D…/P…/` with the longest ids.
#[tokio::test]
async fn a_path_may_have_985_bytes() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "image.czi", b"-").await;
    let token = app.create_token("viewer").await;
    for longest in ["x".repeat(985), "é".repeat(492) + "x"] {
        app.put_asset(&package, &longest, b"found");
        let longest = percent_encode(&longest);
        let link = app.get(&app.presign_path(&package, &format!("&path={longest}")), &token).await;
        assert_eq!(fetch_url("GET", link.header("location")).await.body, "found");
        assert_eq!(app.get(&app.sign_path(&package, &longest), &token).await.status, 200);
    }
    for too_long in ["x".repeat(986), "é".repeat(493), "x".repeat(1024)] {
        let too_long = percent_encode(&too_long);
        for path in
            [app.presign_path(&package, &format!("&path={too_long}")), app.sign_path(&package, &too_long)]
        {
            assert!(app.get(&path, &token).await.assert_problem(400).contains("1,024 bytes"));
        }
    }
}

#[tokio::test]
async fn links_only_the_newest_clean_source_of_a_live_package() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "scan.dcm", b"old").await;
    let token = app.create_token("viewer").await;
    let path = app.presign_path(&package, "");
    app.store.put(STORAGE, "newer", b"new".to_vec(), "text/plain").unwrap();
    app.store.put(STORAGE, "view", b"view".to_vec(), "text/plain").unwrap();
    let id = package.id;
    app.run_sql(&format!(
        r#"INSERT INTO "WORKSPACE".files (package_id, s3_bucket, s3_key, object_type, processing_state, created_at) VALUES
           ({id}, '{STORAGE}', 'newer', 'source', 'processed', now() + interval '1 minute'),
           ({id}, '{STORAGE}', 'view', 'view', 'not_processable', now() + interval '2 minutes')"#
    ))
    .await;
    let response = app.get(&path, &token).await;
    assert_eq!(fetch_url("GET", response.header("location")).await.body, "new");

    for status in ["infected", "failed", "quarantined"] {
        app.run_sql(&format!(
            r#"UPDATE "WORKSPACE".files SET scan_status = '{status}' WHERE s3_key = 'newer'"#
        ))
        .await;
        assert!(app.get(&path, &token).await.assert_problem(403).contains("malware"));
        app.get(&app.presign_path(&package, "&path=preview.png"), &token).await.assert_problem(403);
        app.get(&app.sign_path(&package, "preview.png"), &token).await.assert_problem(403);
        let head = app.head(&path, &token, None).await;
        assert_eq!((head.status.as_u16(), head.header("location")), (403, ""));
    }
    app.run_sql(r#"UPDATE "WORKSPACE".files SET scan_status = 'clean'"#).await;
    for state in ["UNAVAILABLE", "DELETING", "DELETED", "RESTORING", "UPLOAD_FAILED", "ERROR", "ARCHIVED"] {
        app.run_sql(&format!(r#"UPDATE "WORKSPACE".packages SET state = '{state}' WHERE id = {id}"#)).await;
        app.get(&path, &token).await.assert_problem(404);
        app.get(&app.presign_path(&package, "&path=preview.png"), &token).await.assert_problem(404);
        app.get(&app.sign_path(&package, "preview.png"), &token).await.assert_problem(404);
    }
    for state in ["READY", "UPLOADED", "PROCESSING", "RUNNING", "PROCESSING_FAILED"] {
        app.run_sql(&format!(r#"UPDATE "WORKSPACE".packages SET state = '{state}' WHERE id = {id}"#)).await;
        assert_eq!(app.get(&path, &token).await.status, 307, "{state}");
    }
    let folder = app.create_folder(None, "folder").await;
    assert!(
        app.get(&app.presign_path(&folder, ""), &token).await.assert_problem(404).contains("no stored file")
    );
}

#[tokio::test]
async fn links_a_published_file_by_its_version() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "paper.csv", b"as published").await;
    let token = app.create_token("viewer").await;
    let key = &app.load_keys(&package).await[0];
    let published = app.store.list_versions(STORAGE, key)[0].id.clone();
    app.store.put(STORAGE, key, b"changed since".to_vec(), "text/csv").unwrap();
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".files SET published = true, published_s3_version_id = '{published}'"#
    ))
    .await;

    let response = app.get(&app.presign_path(&package, ""), &token).await;
    assert_eq!(fetch_url("GET", response.header("location")).await.body, "as published");
    assert_eq!(app.head(&app.presign_path(&package, ""), &token, None).await.header("content-length"), "12");
}

#[tokio::test]
async fn works_with_a_schema_without_scan_and_publish_columns() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "old.csv", b"old times").await;
    app.run_sql(
        r#"ALTER TABLE "WORKSPACE".files DROP COLUMN scan_status, DROP COLUMN published_s3_version_id, DROP COLUMN published"#,
    )
    .await;
    let response = app.get(&app.presign_path(&package, ""), &app.create_token("viewer").await).await;
    assert_eq!(fetch_url("GET", response.header("location")).await.body, "old times");
    app.trash_package(&package).await;
    app.restore_package(&package).await;
    assert_eq!(app.load_row(package.id).await, ("READY".into(), "old.csv".into()));
}

#[tokio::test]
async fn a_link_costs_one_statement() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "notes.txt", b"-").await;
    let token = app.create_token("viewer").await;
    let first = app.presign_path(&package, "");
    let paths = [
        // The first request has to find out where the dataset is.
        (&first, 2),
        (&first, 1),
        (&app.presign_path(&package, "&path=a.png"), 1),
        (&app.sign_path(&package, "a.png"), 1),
        (&app.sign_path(&package, ""), 1),
    ];
    for (path, statements) in paths {
        let before = app.app.db.statement_count();
        assert!(app.get(path, &token).await.status.as_u16() < 400);
        // The statement also decides who the caller is and what they may do. Behind a gateway the authorizer has one for that.
        assert_eq!(app.app.db.statement_count() - before, statements, "{path}");
    }
}
