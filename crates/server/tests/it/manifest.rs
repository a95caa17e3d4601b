//! `POST /packages/download-manifest`.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Request, header};
use local::workspace::{Package, TreeShape};
use serde_json::{Value, json};

use crate::{
    app::{STORAGE, TestApp, TestResponse, build_request, fetch_url, wait_until},
    plans::fill_live_tree,
};

fn manifest_request(app: &TestApp, token: &str, query: &str, body: &Value) -> Request<Body> {
    let path = format!("/packages/download-manifest?dataset_id={}{query}", app.dataset.node_id);
    build_request("POST", &path, token, Body::from(body.to_string()))
}

fn nodes(packages: &[&Package]) -> Value {
    let ids: Vec<_> = packages.iter().map(|package| &package.node_id).collect();
    json!({ "nodeIds": ids })
}

async fn load_manifest(app: &TestApp, token: &str, packages: &[&Package]) -> Value {
    let response = app.send(manifest_request(app, token, "", &nodes(packages))).await;
    assert_eq!(response.status, 200, "{:?}", response.body);
    response.json()
}

/// Path and name of each file, as one text.
fn paths(manifest: &Value) -> BTreeSet<String> {
    let path = |entry: &Value| {
        let folders = entry["path"].as_array().unwrap().iter();
        let names = folders.chain([&entry["fileName"]]).map(|name| name.as_str().unwrap());
        names.collect::<Vec<_>>().join("/")
    };
    manifest["data"].as_array().unwrap().iter().map(path).collect()
}

fn set<const N: usize>(paths: [&str; N]) -> BTreeSet<String> {
    paths.map(str::to_owned).into()
}

#[tokio::test]
async fn lists_a_folder_with_everything_beneath_it() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let study = app.create_folder(None, "study").await;
    let scans = app.create_folder(Some(&study), "scans/2026").await;
    app.create_file(Some(&study), "notes.txt", b"first light").await;
    app.create_file(Some(&scans), "a.csv", b"1,2").await;
    let beside = app.create_file(None, "beside.txt", b"-").await;

    let manifest = load_manifest(&app, &token, &[&study, &beside]).await;
    assert_eq!(paths(&manifest), set(["study/notes.txt", "study/scans_2026/a.csv", "beside.txt"]));
    let names: Vec<&String> = manifest.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert_eq!((&manifest["header"]["count"], &manifest["header"]["size"]), (&json!(3), &json!(11 + 3 + 1)));
    assert_eq!(manifest["blocked"], json!([]));
    assert_eq!(manifest["skipped"], json!([]));
    assert_eq!(manifest["next"], Value::Null);
    let entry =
        manifest["data"].as_array().unwrap().iter().find(|entry| entry["fileName"] == "a.csv").unwrap();
    assert_eq!((&entry["packageName"], &entry["size"]), (&json!("a.csv"), &json!(3)));
    assert_eq!(entry["fileExtension"], "csv");
    let file = fetch_url("GET", entry["url"].as_str().unwrap()).await;
    assert_eq!(file.body, "1,2");
    assert_eq!(file.header("content-disposition"), r#"attachment; filename="a.csv""#);
    let body = app.send(manifest_request(&app, &token, "", &nodes(&[&study]))).await.body;
    assert!(body.starts_with(br#"{"header":"#), "the zip service reads the header first");
}

#[tokio::test]
async fn overlapping_packages_are_listed_once_beneath_the_outermost() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let outer = app.create_folder(None, "outer").await;
    let inner = app.create_folder(Some(&outer), "inner").await;
    let file = app.create_file(Some(&inner), "a.txt", b"-").await;
    for order in [[&outer, &inner, &file], [&file, &inner, &outer], [&file, &file, &outer]] {
        let manifest = load_manifest(&app, &token, &order).await;
        assert_eq!(paths(&manifest), set(["outer/inner/a.txt"]));
        assert_eq!(manifest["data"].as_array().unwrap().len(), 1);
        assert_eq!(manifest["skipped"], json!([]));
    }
    assert_eq!(paths(&load_manifest(&app, &token, &[&inner]).await), set(["inner/a.txt"]));
    assert_eq!(paths(&load_manifest(&app, &token, &[&file]).await), set(["a.txt"]));
}

#[tokio::test]
async fn what_is_left_out_is_said() {
    let mut app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    let mut files = Vec::new();
    for (name, state) in [
        ("live", "READY"),
        ("processing", "PROCESSING"),
        ("restoring", "RESTORING"),
        ("uploading", "UNAVAILABLE"),
        ("deleted", "DELETED"),
        ("infected", "INFECTED"),
        ("archived", "ARCHIVED"),
    ] {
        let file = app.create_file(Some(&folder), name, b"-").await;
        app.workspace.set_state(&file, state).await.unwrap();
        files.push(file);
    }
    let empty = app.create_file(None, "empty", b"-").await;
    app.run_sql(&format!(r#"DELETE FROM "WORKSPACE".files WHERE package_id = {}"#, empty.id)).await;
    let unsafe_file = app.create_file(Some(&folder), "unsafe", b"-").await;
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".files SET scan_status = 'Infected' WHERE package_id = {}"#,
        unsafe_file.id
    ))
    .await;
    let (_, foreign) = app.trash_in_other_dataset().await;

    let mut ids = nodes(&[&folder, &files[4], &empty, &foreign])["nodeIds"].as_array().unwrap().clone();
    ids.extend([json!("N:package:no-such"), json!("' OR 1=1 --"), json!("\u{0}"), json!("x".repeat(10_000))]);
    let response = app.send(manifest_request(&app, &token, "", &json!({ "nodeIds": ids }))).await;
    let manifest = response.json();
    assert_eq!(paths(&manifest), set(["folder/live", "folder/processing"]));
    assert_eq!(manifest["header"]["count"], 2);
    assert_eq!(manifest["header"]["blockedCount"], 2);
    let blocked = manifest["blocked"].as_array().unwrap();
    let blocked: BTreeSet<_> = blocked.iter().map(|entry| entry["fileName"].as_str().unwrap()).collect();
    assert_eq!(blocked, BTreeSet::from(["infected", "unsafe"]));
    let skipped = manifest["skipped"].as_array().unwrap();
    let reason = |id: &str| {
        let entry = skipped.iter().find(|entry| entry["nodeId"] == id);
        entry.map(|entry| entry["reason"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert_eq!(reason(files[2].node_id.as_str()), "restoring");
    assert_eq!(reason(files[3].node_id.as_str()), "unavailable");
    assert_eq!(reason(files[6].node_id.as_str()), "unavailable");
    assert_eq!(reason(files[4].node_id.as_str()), "in-trash");
    assert_eq!(reason(empty.node_id.as_str()), "no-stored-file");
    for unknown in [foreign.node_id.as_str(), "N:package:no-such", "' OR 1=1 --", "\u{0}", &"x".repeat(255)] {
        assert_eq!(reason(unknown), "not-found", "{unknown}");
    }
    assert_eq!(skipped.len(), 10);
}

#[tokio::test]
async fn a_package_of_several_files_is_a_folder() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "recording", b"raw").await;
    app.run_sql(
        r#"UPDATE "WORKSPACE".files SET name = 'raw-1.edf';
           INSERT INTO "WORKSPACE".files (package_id, name, s3_bucket, s3_key, object_type, processing_state, size, checksum)
           SELECT package_id, 'raw-2.edf', s3_bucket, s3_key, object_type, processing_state, NULL, '{"checksum": "abc", "chunkSize": 5}'
           FROM "WORKSPACE".files"#,
    )
    .await;
    let manifest = load_manifest(&app, &token, &[&package]).await;
    assert_eq!(paths(&manifest), set(["recording/raw-1.edf", "recording/raw-2.edf"]));
    assert_eq!(manifest["data"][1]["size"], 0);
    assert_eq!(manifest["data"][1]["checksum"]["checksum"], "abc");
    let second: i32 = app
        .workspace
        .client
        .query_one(&format!(r#"SELECT max(id) AS id FROM "{}".files"#, app.workspace.id), &[])
        .await
        .unwrap()
        .get("id");
    let mut body = nodes(&[&package]);
    body["fileIds"] = json!([second, 99_999_999, -1, 9_999_999_999_i64]);
    let one = app.send(manifest_request(&app, &token, "", &body)).await.json();
    assert_eq!(paths(&one), set(["recording/raw-2.edf"]));
    // Every column that may be null.
    app.run_sql(
        r#"UPDATE "WORKSPACE".files SET name = NULL, file_type = NULL, size = NULL, checksum = NULL, created_at = NULL,
                  updated_at = NULL, uploaded_state = NULL;
           UPDATE "WORKSPACE".packages SET size = NULL, attributes = NULL, owner_id = NULL, import_id = NULL,
                  created_at = NULL, updated_at = NULL"#,
    )
    .await;
    assert_eq!(load_manifest(&app, &token, &[&package]).await["header"]["count"], 2);
    app.run_sql(r#"ALTER TABLE "WORKSPACE".files DROP COLUMN scan_status, DROP COLUMN published_s3_version_id, DROP COLUMN published"#).await;
    assert_eq!(load_manifest(&app, &token, &[&package]).await["header"]["count"], 2, "an older schema");
}

#[tokio::test]
async fn a_cycle_and_a_deep_tree_have_an_end() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let (a, b) = (app.create_folder(None, "a").await, app.create_folder(None, "b").await);
    app.create_file(Some(&b), "f.txt", b"-").await;
    let link = |child: &Package, parent: &Package| {
        format!(r#"UPDATE "WORKSPACE".packages SET parent_id = {} WHERE id = {};"#, parent.id, child.id)
    };
    app.run_sql(&(link(&a, &b) + &link(&b, &a))).await;
    assert_eq!(load_manifest(&app, &token, &[&a, &b]).await["header"]["count"], 1);

    let mut folder = app.create_folder(None, "0").await;
    let root = folder.clone();
    for depth in 1..300 {
        folder = app.create_folder(Some(&folder), &depth.to_string()).await;
    }
    app.create_file(Some(&folder), "deep.txt", b"-").await;
    let deep = load_manifest(&app, &token, &[&root]).await;
    assert_eq!(deep["data"][0]["path"].as_array().unwrap().len(), 300);
    let chain = format!(
        r#"INSERT INTO "WORKSPACE".packages (id, name, type, state, dataset_id, parent_id, node_id)
           SELECT 1000000 + n, 'f', 'Collection', 'READY', {0}, CASE WHEN n = 1 THEN {1} ELSE 999999 + n END, 'N:collection:deep-' || n
           FROM generate_series(1, 1001) n ORDER BY n"#,
        app.dataset.id, root.id
    );
    app.run_sql(&chain).await;
    let too_deep = app.send(manifest_request(&app, &token, "", &nodes(&[&root]))).await;
    assert!(too_deep.assert_problem(413).contains("inner folders"));
}

#[tokio::test]
async fn pages_have_each_file_once() {
    let mut app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    app.create_files(&folder, 25).await;
    let whole = load_manifest(&app, &token, &[&folder]).await;

    let collect = async |app: &TestApp, limit: &str| {
        let (mut found, mut cursor, mut requests) = (Vec::new(), String::new(), 0);
        loop {
            let query = format!("&limit={limit}{cursor}");
            let page = app.send(manifest_request(app, &token, &query, &nodes(&[&folder]))).await.json();
            assert_eq!(page["header"]["count"], 25, "the totals of all pages");
            found.extend(page["data"].as_array().unwrap().clone());
            requests += 1;
            let Some(next) = page["next"].as_str() else { return (found, requests) };
            cursor = format!("&cursor={next}");
        }
    };
    let (found, requests) = collect(&app, "10").await;
    assert_eq!((Value::Array(found), requests), (whole["data"].clone(), 3));
    let (found, requests) = collect(&app, "25").await;
    assert_eq!((found.len(), requests), (25, 1));

    // A host that returns responses at once: a page ends early, and a whole manifest is refused.
    app.app.max_response_bytes = Some(500_000 + 7000);
    app.router = crate::app::build_router(&app.app);
    let (found, requests) = collect(&app, "10000").await;
    assert_eq!(Value::Array(found), whole["data"]);
    assert!(requests > 1, "{requests}");
    let response = app.send(manifest_request(&app, &token, "", &nodes(&[&folder]))).await;
    assert!(response.assert_problem(413).contains("'limit'"));
    for bad in [
        "&limit=0",
        "&limit=10001",
        "&limit=x",
        "&cursor=x",
        "&cursor=MS4xLjI",
        "&format=xml",
        "&expires_in=1",
    ] {
        app.send(manifest_request(&app, &token, bad, &nodes(&[&folder]))).await.assert_problem(400);
    }
}

#[tokio::test]
async fn the_forms_have_the_same_files() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    app.create_file(Some(&folder), "Übersicht (final), v2.h5", b"-").await;
    app.create_file(Some(&folder), "a\nout=../../etc/passwd", b"-").await;
    let accepting = |accept: &str| {
        let mut request = manifest_request(&app, &token, "", &nodes(&[&folder]));
        request.headers_mut().insert(header::ACCEPT, accept.parse().unwrap());
        request
    };
    let text = |response: &TestResponse| String::from_utf8(response.body.to_vec()).unwrap();

    let lines = app.send(accepting("application/x-ndjson")).await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> = text(&lines).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert_eq!(lines[0]["header"]["count"], 2);
    assert_eq!(lines[1]["fileName"], "Übersicht (final), v2.h5");
    assert_eq!((&lines[3], &lines[5]), (&json!({"blocked": []}), &json!({"next": null})));

    let input = app.send(accepting("application/x-aria2-input")).await;
    let input = text(&input);
    let outputs: Vec<&str> = input.lines().filter_map(|line| line.strip_prefix("  out=")).collect();
    assert_eq!(outputs, ["folder/Übersicht (final), v2.h5", "folder/a_out=.._.._etc_passwd"]);
    assert_eq!(input.lines().filter(|line| line.starts_with("http")).count(), 2);
    assert_eq!(
        app.send(manifest_request(&app, &token, "&format=aria2", &nodes(&[&folder]))).await.body,
        input
    );
}

#[tokio::test]
async fn packages_may_be_in_several_datasets() {
    let mut app = TestApp::start().await;
    let user = app.create_user("viewer").await;
    let token = crate::app::issue_token(&user);
    let here = app.create_file(None, "here.txt", b"-").await;
    let readable = app.workspace.create_dataset("Readable").await.unwrap();
    let hidden = app.workspace.create_dataset("Hidden").await.unwrap();
    app.workspace.grant_user_role(&readable, &user, "viewer").await.unwrap();
    app.workspace.grant_user_role(&hidden, &user, "guest").await.unwrap();
    let home = std::mem::replace(&mut app.dataset, readable);
    let there = app.create_file(None, "there.txt", b"-").await;
    app.dataset = hidden;
    let secret = app.create_file(None, "secret.txt", b"-").await;
    app.dataset = home;

    let send = async |packages: &[&Package]| {
        let body = Body::from(nodes(packages).to_string());
        app.send(build_request("POST", "/packages/download-manifest", &token, body)).await
    };
    let before = app.app.db.statement_count();
    let manifest = send(&[&here, &there, &secret]).await.json();
    assert_eq!(app.app.db.statement_count() - before, 4, "user, roles, selection, page");
    assert_eq!(paths(&manifest), set(["here.txt", "there.txt"]));
    assert_eq!(manifest["skipped"], json!([{"nodeId": secret.node_id, "reason": "not-found"}]));
    send(&[&secret]).await.assert_problem(404);
    // With a dataset, only its own packages.
    assert_eq!(paths(&load_manifest(&app, &token, &[&here, &there]).await), set(["here.txt"]));
    app.send(build_request("POST", "/packages/download-manifest", "", Body::from("{}")))
        .await
        .assert_problem(401);
}

#[tokio::test]
async fn sizes_and_names_may_be_anything() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    let inner = app.create_folder(Some(&folder), "inner").await;
    for name in ["a", "b", "c"] {
        app.create_file(Some(&inner), name, b"-").await;
    }
    let huge = r#"UPDATE "WORKSPACE".files SET size = 9223372036854775807"#;
    let trashed = format!(
        r#"UPDATE "WORKSPACE".packages SET state = 'DELETED', name = '__DELETED__' || node_id || '_inner' WHERE id = {}"#,
        inner.id
    );
    app.run_sql(&format!("{huge}; {trashed}")).await;
    let manifest = load_manifest(&app, &token, &[&folder]).await;
    assert_eq!(manifest["header"]["size"].as_u64(), Some(u64::MAX), "the sum does not overflow");
    assert_eq!(paths(&manifest), set(["folder/inner/a", "folder/inner/b", "folder/inner/c"]));
    app.run_sql(r#"UPDATE "WORKSPACE".files SET s3_bucket = 'No_Bucket'"#).await;
    assert_eq!(load_manifest(&app, &token, &[&folder]).await["blocked"], json!([]));
}

#[tokio::test]
async fn other_bodies_are_refused() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    for body in [json!(null), json!({}), json!({"nodeIds": []}), json!({"nodeIds": [7]}), json!([])] {
        app.send(manifest_request(&app, &token, "", &body)).await.assert_problem(400);
    }
    let many = json!({"nodeIds": vec!["N:package:1"; 201]});
    app.send(manifest_request(&app, &token, "", &many)).await.assert_problem(413);
    let large = json!({"nodeIds": ["x".repeat(10 << 20)]});
    app.send(manifest_request(&app, &token, "", &large)).await.assert_problem(413);
}

#[tokio::test]
async fn a_stream_uses_indexes_and_one_statement_a_page() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let tree = fill_live_tree(&app, TreeShape::FewHuge).await;
    app.workspace.analyze_tables().await.unwrap();
    let before = app.app.db.statement_count();
    let manifest = load_manifest(&app, &token, &[&tree.root]).await;
    let entries = manifest["data"].as_array().unwrap().len();
    assert_eq!((entries, &manifest["header"]["count"]), (tree.files, &json!(tree.files)));
    let pages = tree.files.div_ceil(500) as u64;
    assert_eq!(app.app.db.statement_count() - before, 2 + pages, "caller, selection, and the pages");
}

/// A client that goes away in the middle of a stream frees what the stream holds: more clients than there are turns come and
/// go.
#[tokio::test]
async fn clients_that_go_away_free_their_turns() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    app.create_files(&folder, 2500).await;
    for _ in 0..20 {
        wait_until("a turn is free", async || {
            let request = manifest_request(&app, &token, "", &nodes(&[&folder]));
            tower::ServiceExt::oneshot(app.router.clone(), request).await.unwrap().status() == 200
        })
        .await;
    }
}

#[tokio::test]
async fn slow_clients_of_one_user_do_not_hold_up_others() {
    let app = TestApp::start().await;
    let (token, other) = (app.create_token("viewer").await, app.create_token("editor").await);
    let folder = app.create_folder(None, "folder").await;
    app.create_files(&folder, 2500).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let request = manifest_request(&app, &token, "", &nodes(&[&folder]));
        streams.push(tower::ServiceExt::oneshot(app.router.clone(), request).await.unwrap());
    }
    let refused = app.send(manifest_request(&app, &token, "", &nodes(&[&folder]))).await;
    assert!(refused.assert_problem(503).contains("too many manifests"));
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(load_manifest(&app, &other, &[&folder]).await["header"]["count"], 2500);
    drop(streams);
}

#[tokio::test]
async fn a_failure_in_the_middle_breaks_the_stream() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    app.create_files(&folder, 1500).await;
    let request = manifest_request(&app, &token, "", &nodes(&[&folder]));
    let response = tower::ServiceExt::oneshot(app.router.clone(), request).await.unwrap();
    // The third page is not made yet: one waits for the client, and one for the channel.
    app.run_sql(r#"ALTER TABLE "WORKSPACE".files RENAME TO moved"#).await;
    assert!(axum::body::to_bytes(response.into_body(), usize::MAX).await.is_err());
    assert!(app.faults.request_counts().is_empty(), "{STORAGE} was not asked");
}
