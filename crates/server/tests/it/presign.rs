//! `GET` and `HEAD /packages/presign/s3`.

use aws::Clock;

use crate::app::{STORAGE, TestApp, fetch};

#[tokio::test]
async fn a_viewer_is_redirected_to_the_files_bytes() {
    let app = TestApp::start().await;
    let package = app.file(None, "notes.txt", b"first light").await;
    let token = app.token("viewer").await;

    let answer = app.get(&app.presign_path(&package, ""), &token).await;
    assert_eq!(answer.status, 307);
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("access-control-allow-origin"), "*");

    let file = fetch("GET", answer.header("location")).await;
    assert_eq!((file.status.as_u16(), &file.body[..]), (200, &b"first light"[..]));
}

#[tokio::test]
async fn as_json_the_link_tells_when_it_ends() {
    let app = TestApp::start().await;
    let package = app.file(None, "notes.txt", b"first light").await;
    let token = app.token("viewer").await;

    let before = Clock::System.now();
    let answer = app.get(&app.presign_path(&package, "&redirect=false"), &token).await;
    let link = answer.json();
    let expires_at = link["expires_at"].as_u64().unwrap();
    assert!((before + 3600..before + 3610).contains(&expires_at));
    let url = link["presigned_url"].as_str().unwrap();
    assert!(url.contains("X-Amz-Expires=3600"));
    assert_eq!(fetch("GET", url).await.body, "first light");

    for redirect in ["&redirect=FALSE", "&redirect=0", "&redirect=true", "&redirect="] {
        assert_eq!(app.get(&app.presign_path(&package, redirect), &token).await.status, 307, "{redirect}");
    }
}

#[tokio::test]
async fn a_viewer_asset_is_found_below_its_package() {
    let app = TestApp::start().await;
    let package = app.file(None, "image.czi", b"-").await;
    let token = app.token("viewer").await;
    for (path, query) in [
        ("preview/thumbnail.jpg", "preview/thumbnail.jpg"),
        ("a b+c#d&e.txt", "a%20b%2Bc%23d%26e.txt"),
        ("東京/写真.png", "%E6%9D%B1%E4%BA%AC/%E5%86%99%E7%9C%9F.png"),
        ("0/.zarray", "0%2F.zarray"),
    ] {
        app.asset(&package, path, path.as_bytes());
        let answer = app.get(&app.presign_path(&package, &format!("&path={query}")), &token).await;
        let file = fetch("GET", answer.header("location")).await;
        assert_eq!((file.status.as_u16(), &file.body[..]), (200, path.as_bytes()), "{path}");
    }
    let missing = app.get(&app.presign_path(&package, "&path=nowhere"), &token).await;
    assert_eq!(missing.status, 307, "whether the object exists is not asked");
    assert_eq!(fetch("GET", missing.header("location")).await.status, 404);
}

#[tokio::test]
async fn s3_refuses_a_link_that_was_changed_or_has_ended() {
    let mut app = TestApp::start().await;
    let package = app.file(None, "notes.txt", b"first light").await;
    let other = app.file(None, "other.txt", b"secret").await;
    let token = app.token("viewer").await;
    let url = app.get(&app.presign_path(&package, ""), &token).await.header("location").to_owned();

    let key = &app.keys(&package).await[0];
    let swapped = url.replace(key, &app.keys(&other).await[0]);
    for changed in [
        swapped,
        url.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200"),
        format!("{url}0"),
        format!("{url}&versionId=1"),
        url.split('?').next().unwrap().to_owned(),
    ] {
        let answer = fetch("GET", &changed).await;
        assert!(matches!(answer.status.as_u16(), 400 | 403), "{}", answer.status);
    }
    for method in ["HEAD", "PUT", "DELETE"] {
        assert_eq!(fetch(method, &url).await.status, 403, "{method}");
    }

    app.at(Clock::Fixed(Clock::System.now() - 3601));
    let ended = app.get(&app.presign_path(&package, ""), &token).await.header("location").to_owned();
    assert_eq!(fetch("GET", &ended).await.status, 403);
}

#[tokio::test]
async fn head_tells_what_the_object_is_like() {
    let app = TestApp::start().await;
    let package = app.file(None, "notes.txt", b"first light").await;
    let token = app.token("viewer").await;
    let path = app.presign_path(&package, "");

    let whole = app.head(&path, &token, None).await;
    assert_eq!(whole.status, 200);
    assert!(whole.body.is_empty());
    assert_eq!(whole.header("content-length"), "11");
    assert_eq!(whole.header("content-type"), "text/plain");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert!(whole.header("etag").starts_with('"'));
    assert!(whole.header("last-modified").ends_with("GMT"));

    // DuckDB-WASM asks so, and takes nothing but this for an answer.
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
        let answer = app.head(&path, &token, Some(range)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-range")),
            (status, content_range),
            "{range}"
        );
    }
    assert_eq!(app.head(&app.presign_path(&package, "&path=nowhere"), &token, None).await.status, 404);
}

#[tokio::test]
async fn what_is_missing_or_malformed_is_named() {
    let app = TestApp::start().await;
    let package = app.file(None, "notes.txt", b"-").await;
    let token = app.token("viewer").await;
    let (dataset, id) = (&app.dataset.node_id, &package.node_id);

    let detail = app.get(&format!("/packages/presign/s3?dataset_id={dataset}"), &token).await.problem(400);
    assert_eq!(detail, "missing required 'package_id' query parameter");
    let detail = app.get(&format!("/packages/presign/s3?package_id={id}"), &token).await.problem(400);
    assert_eq!(detail, "missing required 'dataset_id' query parameter");
    let twice = format!("/packages/presign/s3?dataset_id={dataset}&dataset_id={dataset}&package_id={id}");
    assert!(app.get(&twice, &token).await.problem(400).contains("more than once"));
    app.get(&app.presign_path(&package, "&path=..%2Fsecret"), &token).await.problem(400);
}

#[tokio::test]
async fn only_the_newest_clean_source_of_a_live_package_is_linked() {
    let app = TestApp::start().await;
    let package = app.file(None, "scan.dcm", b"old").await;
    let token = app.token("viewer").await;
    let path = app.presign_path(&package, "");
    app.store.put(STORAGE, "newer", b"new".to_vec(), "text/plain").unwrap();
    app.store.put(STORAGE, "view", b"view".to_vec(), "text/plain").unwrap();
    let id = package.id;
    app.sql(&format!(
        r#"INSERT INTO "WORKSPACE".files (package_id, s3_bucket, s3_key, object_type, processing_state, created_at) VALUES
           ({id}, '{STORAGE}', 'newer', 'source', 'processed', now() + interval '1 minute'),
           ({id}, '{STORAGE}', 'view', 'view', 'not_processable', now() + interval '2 minutes')"#
    ))
    .await;
    let answer = app.get(&path, &token).await;
    assert_eq!(fetch("GET", answer.header("location")).await.body, "new");

    for status in ["infected", "failed"] {
        app.sql(&format!(r#"UPDATE "WORKSPACE".files SET scan_status = '{status}' WHERE s3_key = 'newer'"#))
            .await;
        assert!(app.get(&path, &token).await.problem(403).contains("malware"));
        app.get(&app.presign_path(&package, "&path=preview.png"), &token).await.problem(403);
        app.get(&app.sign_path(&package, "preview.png"), &token).await.problem(403);
        app.head(&path, &token, None).await.headers.get("location").is_none().then_some(()).unwrap();
        assert_eq!(app.head(&path, &token, None).await.status, 403);
    }
    app.sql(r#"UPDATE "WORKSPACE".files SET scan_status = 'clean'"#).await;
    for state in ["UNAVAILABLE", "DELETING", "DELETED", "RESTORING"] {
        app.sql(&format!(r#"UPDATE "WORKSPACE".packages SET state = '{state}' WHERE id = {id}"#)).await;
        app.get(&path, &token).await.problem(404);
        app.get(&app.presign_path(&package, "&path=preview.png"), &token).await.problem(404);
        app.get(&app.sign_path(&package, "preview.png"), &token).await.problem(404);
    }
    for state in ["READY", "UPLOADED", "PROCESSING_FAILED"] {
        app.sql(&format!(r#"UPDATE "WORKSPACE".packages SET state = '{state}' WHERE id = {id}"#)).await;
        assert_eq!(app.get(&path, &token).await.status, 307, "{state}");
    }
    let folder = app.folder(None, "folder").await;
    assert!(app.get(&app.presign_path(&folder, ""), &token).await.problem(404).contains("no stored file"));
}

#[tokio::test]
async fn a_published_file_is_linked_by_its_version() {
    let app = TestApp::start().await;
    let package = app.file(None, "paper.csv", b"as published").await;
    let token = app.token("viewer").await;
    let key = &app.keys(&package).await[0];
    let published = app.store.list_versions(STORAGE, key)[0].id.clone();
    app.store.put(STORAGE, key, b"changed since".to_vec(), "text/csv").unwrap();
    app.sql(&format!(
        r#"UPDATE "WORKSPACE".files SET published = true, published_s3_version_id = '{published}'"#
    ))
    .await;

    let answer = app.get(&app.presign_path(&package, ""), &token).await;
    assert_eq!(fetch("GET", answer.header("location")).await.body, "as published");
    assert_eq!(app.head(&app.presign_path(&package, ""), &token, None).await.header("content-length"), "12");
}

#[tokio::test]
async fn a_schema_from_before_scans_and_publishing_works() {
    let app = TestApp::start().await;
    let package = app.file(None, "old.csv", b"old times").await;
    app.sql(
        r#"ALTER TABLE "WORKSPACE".files DROP COLUMN scan_status, DROP COLUMN published_s3_version_id, DROP COLUMN published"#,
    )
    .await;
    let answer = app.get(&app.presign_path(&package, ""), &app.token("viewer").await).await;
    assert_eq!(fetch("GET", answer.header("location")).await.body, "old times");
    app.trash(&package).await;
    app.restore(&package).await;
    assert_eq!(app.row(package.id).await, ("READY".into(), "old.csv".into()));
}

#[tokio::test]
async fn a_link_costs_one_statement() {
    let app = TestApp::start().await;
    let package = app.file(None, "notes.txt", b"-").await;
    let token = app.token("viewer").await;
    let paths = [
        app.presign_path(&package, ""),
        app.presign_path(&package, "&path=a.png"),
        app.sign_path(&package, "a.png"),
    ];
    for path in paths {
        let before = app.app.db.statement_count();
        assert!(app.get(&path, &token).await.status.as_u16() < 400);
        // Two more say who the bearer of the token is and which role they have; a gateway's authorizer does that.
        assert_eq!(app.app.db.statement_count() - before, 2 + 1, "{path}");
    }
}
