//! Restoring: the order, the run, and how far it is.

use local::workspace::Package;
use restore::{RunOutcome, RunStatus};
use serde_json::{Value, json};

use crate::app::{STORAGE, TestApp, fetch, request};

#[tokio::test]
async fn a_file_comes_back_with_its_name_and_its_bytes() {
    let app = TestApp::start().await;
    let package = app.file(None, "scan.nii.gz", b"precious").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&package).await;
    let editor = app.user("editor").await;
    let token = crate::app::token(&editor);

    let answer = app.order(&token, &[&package.node_id]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), json!({"success": [package.node_id], "failures": []}));
    assert_eq!(app.row(package.id).await.0, "RESTORING");

    let outcome = app.run().await.unwrap();
    assert_eq!(outcome, RunOutcome { restored: 1, failed: 0, status: RunStatus::Finished });

    assert_eq!(app.row(package.id).await, ("READY".into(), "scan.nii.gz".into()));
    let link = app.get(&app.presign_path(&package, ""), &token).await;
    assert_eq!(fetch("GET", link.header("location")).await.body, "precious");
    let versions = app.store.list_versions(STORAGE, &app.keys(&package).await[0]);
    assert_eq!(versions.len(), 1, "the marker is gone and nothing else");
    app.assert_counted().await;

    let (events, messages) = app.changelog();
    assert_eq!((events.len(), messages), (1, 1));
    assert_eq!(events[0]["eventType"], "RESTORE_PACKAGE");
    assert_eq!(
        events[0]["eventDetail"],
        json!({"id": package.id, "name": "scan.nii.gz", "nodeId": package.node_id})
    );
}

#[tokio::test]
async fn a_folder_comes_back_whole() {
    let app = TestApp::start().await;
    let top = app.folder(None, "study").await;
    let sub = app.folder(Some(&top), "day 1").await;
    let files = app.files(&sub, 30).await;
    let deep = app.file(Some(&top), "readme.md", b"hello").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&top).await;

    let token = app.token("editor").await;
    app.order(&token, &[&top.node_id]).await;
    let waiting = app.progress(&token, &top).await;
    assert_eq!((&waiting["state"], &waiting["order"]), (&json!("RESTORING"), &json!("queued")));
    let outcome = app.work().await;
    assert_eq!((outcome.restored, outcome.failed), (33, 0));

    for package in files.iter().chain([&top, &sub, &deep]) {
        let (state, name) = app.row(package.id).await;
        assert_eq!(state, "READY");
        assert!(!name.starts_with("__DELETED__"));
    }
    app.assert_counted().await;
    let mut done = app.progress(&token, &top).await;
    for time in ["since", "updated_at"] {
        assert!(done[time].take().as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(
        done,
        json!({
            "id": top.node_id, "state": "READY", "order": "finished", "total": 32, "restored": 32, "restoring": 0,
            "failures": 0, "failed": [], "bytes": 35, "since": null, "updated_at": null,
        })
    );
    app.assert_idle().await;
    let (events, _) = app.changelog();
    assert_eq!(events.len(), 33);
    assert_eq!(
        events[0]["eventDetail"]["nodeId"],
        json!(top.node_id),
        "the target before what lies beneath it"
    );
}

#[tokio::test]
async fn deleted_folders_above_come_back_with_a_file_and_their_other_content_does_not() {
    let app = TestApp::start().await;
    let live = app.folder(None, "live").await;
    let above = app.folder(Some(&live), "above").await;
    let nearer = app.folder(Some(&above), "nearer").await;
    let wanted = app.file(Some(&nearer), "wanted", b"12345").await;
    let sibling = app.file(Some(&nearer), "sibling", b"123").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&above).await;

    app.restore(&wanted).await;
    for package in [&above, &nearer, &wanted] {
        assert_eq!(app.row(package.id).await.0, "READY");
    }
    assert_eq!(app.row(sibling.id).await.0, "DELETED");
    assert!(app.store.list_versions(STORAGE, &app.keys(&sibling).await[0])[0].delete_marker);
    app.assert_counted().await;
    let (events, _) = app.changelog();
    let order: Vec<_> = events.iter().map(|event| event["eventDetail"]["id"].clone()).collect();
    assert_eq!(order.last(), Some(&json!(wanted.id)), "folders above first");

    app.restore(&sibling).await;
    assert_eq!(app.row(sibling.id).await, ("READY".into(), "sibling".into()));
    app.assert_counted().await;
}

#[tokio::test]
async fn what_cannot_be_ordered_is_said_and_each_id_is_answered_once() {
    let app = TestApp::start().await;
    let deleted = app.file(None, "deleted", b"-").await;
    let live = app.file(None, "live", b"-").await;
    app.trash(&deleted).await;
    let token = app.token("editor").await;
    let unknown = packages::id::PackageNodeId::parse("N:package:unknown").unwrap();

    let asked = [&deleted.node_id, &live.node_id, &unknown, &deleted.node_id];
    let answer = app.order(&token, &asked).await.json();
    assert_eq!(answer["success"], json!([deleted.node_id]));
    let dataset = &app.dataset.node_id;
    let error =
        |id| json!({"id": id, "error": format!("deleted package {id} not found in dataset {dataset}")});
    assert_eq!(answer["failures"], json!([error(&live.node_id), error(&unknown)]));

    let again = app.order(&token, &[&deleted.node_id]).await.json();
    assert_eq!(again["success"], json!([deleted.node_id]), "on its way is a success");
    assert_eq!(app.unfinished().await, 1, "and still one order");
}

#[tokio::test]
async fn an_order_costs_one_statement_and_a_run_the_same_for_any_folder() {
    let app = TestApp::start().await;
    let token = app.token("editor").await;
    let mut costs = Vec::new();
    for count in [1, 200] {
        let folder = app.folder(None, &format!("of {count}")).await;
        app.files(&folder, count).await;
        app.trash(&folder).await;
        let before = app.app.db.statement_count();
        app.order(&token, &[&folder.node_id]).await;
        assert_eq!(app.app.db.statement_count() - before, 2 + 1, "two of them say who asks");
        let before = app.app.db.statement_count();
        app.work().await;
        costs.push(app.app.db.statement_count() - before);
    }
    assert_eq!(costs[0], costs[1], "{costs:?}");
    assert!(costs[0] <= 40, "{costs:?}");
}

#[tokio::test]
async fn a_folders_markers_are_found_and_removed_a_thousand_at_a_time() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "large").await;
    app.files(&folder, 2500).await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&folder).await;
    app.faults.reset();
    let outcome = app.restore(&folder).await;
    assert_eq!((outcome.restored, outcome.failed), (2501, 0));
    assert_eq!(app.faults.count_requests("DeleteObjects"), 3);
    // Each file has two versions, the object and its marker: five pages, and a few that end between two chunks.
    assert!(app.faults.count_requests("ListObjectVersions") <= 12, "{:?}", app.faults.request_counts());
    app.assert_counted().await;
    let (events, messages) = app.changelog();
    assert_eq!(events.len(), 2501);
    assert!(messages > 1, "split to fit the changelog's queue");
}

#[tokio::test]
async fn published_files_are_left_alone() {
    let app = TestApp::start().await;
    let package = app.file(None, "paper.csv", b"published").await;
    let key = app.keys(&package).await.remove(0);
    app.sql(r#"UPDATE "WORKSPACE".files SET published = true, published_s3_version_id = 'some-version'"#)
        .await;
    app.workspace.trash(&package).await.unwrap();
    let before = app.store.list_versions(STORAGE, &key);
    app.faults.reset();
    app.restore(&package).await;
    assert_eq!(app.row(package.id).await.0, "READY");
    assert_eq!(app.store.list_versions(STORAGE, &key).len(), before.len());
    assert_eq!(app.faults.count_requests("DeleteObjects"), 0);
}

#[tokio::test]
async fn a_package_without_stored_files_comes_back_too() {
    let app = TestApp::start().await;
    let external = app.folder(None, "link").await;
    app.sql(&format!(r#"UPDATE "WORKSPACE".packages SET type = 'ExternalFile' WHERE id = {}"#, external.id))
        .await;
    app.trash(&external).await;
    app.restore(&external).await;
    assert_eq!(app.row(external.id).await, ("READY".into(), "link".into()));
}

#[tokio::test]
async fn a_dry_run_tells_what_an_order_would_do_and_does_nothing() {
    let app = TestApp::start().await;
    let above = app.folder(None, "above").await;
    let folder = app.folder(Some(&above), "study").await;
    let file = app.file(Some(&folder), "a.txt", b"12345").await;
    let lost = app.file(Some(&folder), "b.txt", b"123").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&above).await;
    app.folder(None, "above").await;
    for version in app.store.list_versions(STORAGE, &app.keys(&lost).await[0]) {
        app.store.delete_version(STORAGE, &app.keys(&lost).await[0], &version.id).unwrap();
    }
    let token = app.token("editor").await;
    let preview = app.preview(&token, &[folder.node_id.as_str(), "N:package:unknown", "none"]).await;
    let package = |package: &Package, kind: &str, name: &str| json!({"id": package.node_id, "kind": kind, "name": name, "new_name": null, "lost": null});
    let mut renamed = package(&above, "Collection", "above");
    renamed["new_name"] = json!("above-restored_1");
    let mut gone = package(&lost, "Unknown", "b.txt");
    gone["lost"] = json!("its stored file no longer exists");
    assert_eq!(
        preview["packages"],
        json!([renamed, package(&folder, "Collection", "study"), package(&file, "Unknown", "a.txt"), gone])
    );
    assert_eq!((&preview["total"], &preview["bytes"]), (&json!(4), &json!(8)));
    let refused: Vec<_> =
        preview["failures"].as_array().unwrap().iter().map(|failure| &failure["id"]).collect();
    assert_eq!(refused, [&json!("none"), &json!("N:package:unknown")]);

    assert_eq!(app.row(folder.id).await.0, "DELETED");
    assert_eq!(app.faults.count_requests("DeleteObjects"), 0);
    app.assert_idle().await;
    let path = format!("/packages/restore?dataset_id={}&dry_run=maybe", app.dataset.node_id);
    app.send(request("POST", &path, &token, "{}".to_owned().into())).await.problem(400);

    // The preview is right.
    app.restore(&folder).await;
    assert_eq!(app.row(above.id).await, ("READY".into(), "above-restored_1".into()));
    assert_eq!(app.row(lost.id).await.0, "DELETED");
}

impl TestApp {
    async fn preview(&self, token: &str, asked: &[&str]) -> Value {
        let path = format!("/packages/restore?dataset_id={}&dry_run=true", self.dataset.node_id);
        let body = json!({ "nodeIds": asked }).to_string();
        let answer = self.send(request("POST", &path, token, body.into())).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.json()
    }
}

#[tokio::test]
#[ignore = "takes twenty seconds: cargo test -p server -- --ignored"]
async fn fifty_thousand_files_come_back_in_one_order() {
    let app = TestApp::start().await;
    let top = app.folder(None, "large").await;
    for n in 0..10 {
        let folder = app.folder(Some(&top), &n.to_string()).await;
        app.files(&folder, 5000).await;
    }
    app.workspace.populate_usage().await.unwrap();
    app.trash(&top).await;
    app.faults.reset();
    let before = app.app.db.statement_count();
    let outcome = app.restore(&top).await;
    assert_eq!((outcome.restored, outcome.failed), (50_011, 0));
    assert!(app.app.db.statement_count() - before < 400);
    assert!(
        app.faults.count_requests("DeleteObjects") <= 55
            && app.faults.count_requests("ListObjectVersions") <= 220
    );
    app.assert_counted().await;
}
