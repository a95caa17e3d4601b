//! Restores: the order, the run, and the progress.

use std::time::Instant;

use local::workspace::Package;
use restore::{RunOutcome, RunStatus, db::queue::LEASE_DURATION};
use serde_json::{Value, json};

use crate::app::{STORAGE, TestApp, build_request, fetch_url};

#[tokio::test]
async fn restores_a_file_with_its_name_and_bytes() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "scan.nii.gz", b"precious").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&package).await;
    let editor = app.create_user("editor").await;
    let token = crate::app::issue_token(&editor);

    let response = app.order_restore(&token, &[&package.node_id]).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(response.json(), json!({"success": [package.node_id], "failures": []}));
    assert_eq!(app.load_row(package.id).await.0, "RESTORING");

    let outcome = app.run_worker().await.unwrap();
    assert_eq!(outcome, RunOutcome { restored: 1, failed: 0, status: RunStatus::Finished });

    assert_eq!(app.load_row(package.id).await, ("READY".into(), "scan.nii.gz".into()));
    let link = app.get(&app.presign_path(&package, ""), &token).await;
    assert_eq!(fetch_url("GET", link.header("location")).await.body, "precious");
    let versions = app.store.list_versions(STORAGE, &app.load_keys(&package).await[0]);
    assert_eq!(versions.len(), 1, "only the delete marker is removed");
    app.assert_usage_is_exact().await;

    let (events, messages) = app.read_changelog();
    assert_eq!((events.len(), messages), (1, 1));
    assert_eq!(events[0]["eventType"], "RESTORE_PACKAGE");
    assert_eq!(
        events[0]["eventDetail"],
        json!({"id": package.id, "name": "scan.nii.gz", "nodeId": package.node_id})
    );
}

#[tokio::test]
async fn restores_a_whole_folder() {
    let app = TestApp::start().await;
    let top = app.create_folder(None, "study").await;
    let sub = app.create_folder(Some(&top), "day 1").await;
    let files = app.create_files(&sub, 30).await;
    let deep = app.create_file(Some(&top), "readme.md", b"hello").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&top).await;

    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&top.node_id]).await;
    let waiting = app.load_progress(&token, &top).await;
    assert_eq!((&waiting["state"], &waiting["order"]), (&json!("RESTORING"), &json!("queued")));
    let outcome = app.run_orders().await;
    assert_eq!((outcome.restored, outcome.failed), (33, 0));

    for package in files.iter().chain([&top, &sub, &deep]) {
        let (state, name) = app.load_row(package.id).await;
        assert_eq!(state, "READY");
        assert!(!name.starts_with("__DELETED__"));
    }
    app.assert_usage_is_exact().await;
    let mut done = app.load_progress(&token, &top).await;
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
    app.assert_nothing_pending().await;
    let (events, _) = app.read_changelog();
    assert_eq!(events.len(), 33);
    assert_eq!(events[0]["eventDetail"]["nodeId"], json!(top.node_id), "a folder before its content");
}

#[tokio::test]
async fn restores_the_parent_folders_of_a_file_but_not_their_other_content() {
    let app = TestApp::start().await;
    let live = app.create_folder(None, "live").await;
    let above = app.create_folder(Some(&live), "above").await;
    let nearer = app.create_folder(Some(&above), "nearer").await;
    let file = app.create_file(Some(&nearer), "file", b"12345").await;
    let sibling = app.create_file(Some(&nearer), "sibling", b"123").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&above).await;

    app.restore_package(&file).await;
    for package in [&above, &nearer, &file] {
        assert_eq!(app.load_row(package.id).await.0, "READY");
    }
    assert_eq!(app.load_row(sibling.id).await.0, "DELETED");
    assert!(app.store.list_versions(STORAGE, &app.load_keys(&sibling).await[0])[0].delete_marker);
    app.assert_usage_is_exact().await;
    let (events, _) = app.read_changelog();
    let order: Vec<_> = events.iter().map(|event| event["eventDetail"]["id"].clone()).collect();
    assert_eq!(order.last(), Some(&json!(file.id)), "parent folders first");

    app.restore_package(&sibling).await;
    assert_eq!(app.load_row(sibling.id).await, ("READY".into(), "sibling".into()));
    app.assert_usage_is_exact().await;
}

#[tokio::test]
async fn reports_ids_that_cannot_be_ordered_and_answers_each_id_once() {
    let app = TestApp::start().await;
    let deleted = app.create_file(None, "deleted", b"-").await;
    let live = app.create_file(None, "live", b"-").await;
    app.trash_package(&deleted).await;
    let token = app.create_token("editor").await;
    let unknown = packages::id::PackageNodeId::parse("N:package:unknown").unwrap();

    let asked = [&deleted.node_id, &live.node_id, &unknown, &deleted.node_id];
    let response = app.order_restore(&token, &asked).await.json();
    assert_eq!(response["success"], json!([deleted.node_id]));
    let dataset = &app.dataset.node_id;
    let error =
        |id| json!({"id": id, "error": format!("deleted package {id} not found in dataset {dataset}")});
    assert_eq!(response["failures"], json!([error(&live.node_id), error(&unknown)]));

    let again = app.order_restore(&token, &[&deleted.node_id]).await.json();
    assert_eq!(again["success"], json!([deleted.node_id]), "a package that is being restored is a success");
    assert_eq!(app.count_unfinished_orders().await, 1, "one order only");
}

#[tokio::test]
async fn an_order_costs_one_statement_and_a_run_a_fixed_number() {
    let app = TestApp::start().await;
    let token = app.create_token("editor").await;
    let (mut costs, mut renewals) = (Vec::new(), 0);
    for count in [1, 200] {
        let folder = app.create_folder(None, &format!("of {count}")).await;
        app.create_files(&folder, count).await;
        app.trash_package(&folder).await;
        let before = app.app.db.statement_count();
        app.order_restore(&token, &[&folder.node_id]).await;
        assert_eq!(app.app.db.statement_count() - before, 1 + 1, "one of them decides who may");
        let (before, started) = (app.app.db.statement_count(), Instant::now());
        app.run_orders().await;
        costs.push(app.app.db.statement_count() - before);
        // Only a run that takes seconds, on a busy machine, renews its lease.
        renewals += started.elapsed().as_secs() / (LEASE_DURATION / 3).as_secs();
    }
    assert!(costs[0].abs_diff(costs[1]) <= renewals, "{costs:?}");
    assert!(costs[0] <= 40, "{costs:?}");
}

#[tokio::test]
async fn removes_delete_markers_in_batches_of_a_thousand() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "large").await;
    app.create_files(&folder, 2500).await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&folder).await;
    app.faults.reset();
    let outcome = app.restore_package(&folder).await;
    assert_eq!((outcome.restored, outcome.failed), (2501, 0));
    assert_eq!(app.faults.count_requests("DeleteObjects"), 3);
    // Each file has two versions, the object and its marker: five pages, and a few more where a page ends inside a chunk.
    assert!(app.faults.count_requests("ListObjectVersions") <= 12, "{:?}", app.faults.request_counts());
    app.assert_usage_is_exact().await;
    let (events, messages) = app.read_changelog();
    assert_eq!(events.len(), 2501);
    assert!(messages > 1, "split into messages that fit the queue");
}

#[tokio::test]
async fn does_not_undelete_published_files() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "paper.csv", b"published").await;
    let key = app.load_keys(&package).await.remove(0);
    app.run_sql(r#"UPDATE "WORKSPACE".files SET published = true, published_s3_version_id = 'some-version'"#)
        .await;
    app.workspace.trash(&package).await.unwrap();
    let before = app.store.list_versions(STORAGE, &key);
    app.faults.reset();
    app.restore_package(&package).await;
    assert_eq!(app.load_row(package.id).await.0, "READY");
    assert_eq!(app.store.list_versions(STORAGE, &key).len(), before.len());
    assert_eq!(app.faults.count_requests("DeleteObjects"), 0);
}

#[tokio::test]
async fn restores_a_package_without_stored_files() {
    let app = TestApp::start().await;
    let external = app.create_folder(None, "link").await;
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".packages SET type = 'ExternalFile' WHERE id = {}"#,
        external.id
    ))
    .await;
    app.trash_package(&external).await;
    app.restore_package(&external).await;
    assert_eq!(app.load_row(external.id).await, ("READY".into(), "link".into()));
}

#[tokio::test]
async fn a_dry_run_describes_an_order_and_changes_nothing() {
    let app = TestApp::start().await;
    let above = app.create_folder(None, "above").await;
    let folder = app.create_folder(Some(&above), "study").await;
    let file = app.create_file(Some(&folder), "a.txt", b"12345").await;
    let lost = app.create_file(Some(&folder), "b.txt", b"123").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&above).await;
    app.create_folder(None, "above").await;
    for version in app.store.list_versions(STORAGE, &app.load_keys(&lost).await[0]) {
        app.store.delete_version(STORAGE, &app.load_keys(&lost).await[0], &version.id).unwrap();
    }
    let token = app.create_token("editor").await;
    let preview = app.preview_restore(&token, &[folder.node_id.as_str(), "N:package:unknown", "none"]).await;
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

    assert_eq!(app.load_row(folder.id).await.0, "DELETED");
    assert_eq!(app.faults.count_requests("DeleteObjects"), 0);
    app.assert_nothing_pending().await;
    let path = format!("/packages/restore?dataset_id={}&dry_run=maybe", app.dataset.node_id);
    app.send(build_request("POST", &path, &token, "{}".to_owned().into())).await.assert_problem(400);

    // The restore does what the preview said.
    app.restore_package(&folder).await;
    assert_eq!(app.load_row(above.id).await, ("READY".into(), "above-restored_1".into()));
    assert_eq!(app.load_row(lost.id).await.0, "DELETED");
}

impl TestApp {
    async fn preview_restore(&self, token: &str, asked: &[&str]) -> Value {
        let path = format!("/packages/restore?dataset_id={}&dry_run=true", self.dataset.node_id);
        let body = json!({ "nodeIds": asked }).to_string();
        let response = self.send(build_request("POST", &path, token, body.into())).await;
        assert_eq!(response.status, 200, "{:?}", response.body);
        response.json()
    }
}

#[tokio::test]
#[ignore = "takes twenty seconds: cargo test -p server -- --ignored"]
async fn restores_fifty_thousand_files_in_one_order() {
    let app = TestApp::start().await;
    let top = app.create_folder(None, "large").await;
    for n in 0..10 {
        let folder = app.create_folder(Some(&top), &n.to_string()).await;
        app.create_files(&folder, 5000).await;
    }
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&top).await;
    app.faults.reset();
    let before = app.app.db.statement_count();
    let outcome = app.restore_package(&top).await;
    assert_eq!((outcome.restored, outcome.failed), (50_011, 0));
    assert!(app.app.db.statement_count() - before < 400);
    assert!(
        app.faults.count_requests("DeleteObjects") <= 55
            && app.faults.count_requests("ListObjectVersions") <= 220
    );
    app.assert_usage_is_exact().await;
}
