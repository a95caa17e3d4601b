//! Restores whose storage refuses, loses or does not answer: what fails, fails for its package alone.

use local::{faults::InjectedError, workspace::SourceFile};
use serde_json::json;

use crate::{
    app::{STORAGE, TestApp},
    restore_faults::{assert_restored, ordered},
};

#[tokio::test]
async fn a_package_whose_bytes_are_lost_stays_in_the_trash_and_sinks_nobody() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let files = app.files(&folder, 4).await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&folder).await;
    let lost = &files[2];
    let key = app.keys(lost).await.remove(0);
    for version in app.store.list_versions(STORAGE, &key).iter().filter(|version| !version.delete_marker) {
        app.store.delete_version(STORAGE, &key, &version.id).unwrap();
    }
    let outcome = app.restore(&folder).await;
    assert_eq!((outcome.restored, outcome.failed), (4, 1));
    assert_eq!(app.row(lost.id).await.0, "DELETED");
    assert!(app.store.list_versions(STORAGE, &key)[0].delete_marker, "its marker is not touched");
    app.assert_counted().await;

    let progress = app.progress(&app.token("viewer").await, &folder).await;
    assert_eq!(
        (&progress["total"], &progress["restored"], &progress["restoring"]),
        (&json!(4), &json!(3), &json!(0))
    );
    assert_eq!(
        progress["failed"],
        json!([{"id": lost.node_id, "reason": "its stored file no longer exists"}])
    );

    // Alone it fails in the same way, and the folders above, were they deleted, would stay so.
    app.trash(&folder).await;
    let outcome = app.restore(lost).await;
    assert_eq!((outcome.restored, outcome.failed), (0, 1));
    assert_eq!(app.row(folder.id).await.0, "DELETED");
    let progress = app.progress(&app.token("viewer").await, lost).await;
    assert_eq!((&progress["state"], progress["failed"].as_array().unwrap().len()), (&json!("DELETED"), 1));
}

#[tokio::test]
async fn a_bucket_that_s3_refuses_keeps_its_file_in_the_trash_and_no_other() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let good = app.files(&folder, 3).await;
    let mut refused = Vec::new();
    for bucket in ["UPPER_case", "a b", "..", "no-such-bucket"] {
        let key = app.workspace.storage_key(&app.dataset);
        let name = format!("in {bucket}");
        refused.push(
            app.workspace
                .create_file(&app.dataset, Some(&folder), &name, SourceFile::new(bucket, &key, 1))
                .await
                .unwrap(),
        );
    }
    // A derived file can be made anew: for one that is gone no package stays in the trash.
    app.sql(&format!(
        r#"INSERT INTO "WORKSPACE".files (package_id, name, s3_bucket, s3_key, object_type, processing_state)
           SELECT package_id, 'view', 'gone', s3_key, 'view', 'not_processable' FROM "WORKSPACE".files WHERE package_id = {}"#,
        good[0].id
    ))
    .await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&folder).await;
    let outcome = app.restore(&folder).await;
    assert_eq!((outcome.restored, outcome.failed), (1 + good.len(), refused.len()));
    for file in &good {
        assert_eq!(app.row(file.id).await.0, "READY");
    }
    let progress = app.progress(&app.token("viewer").await, &folder).await;
    for file in &refused {
        assert_eq!(app.row(file.id).await.0, "DELETED");
        let failed = progress["failed"].as_array().unwrap();
        assert!(failed.iter().any(|failure| failure["id"] == json!(file.node_id)), "{progress}");
    }
    app.assert_counted().await;
    app.assert_idle().await;
}

#[tokio::test]
async fn a_marker_that_is_gone_already_and_two_on_top_of_each_other_are_no_trouble() {
    let app = TestApp::start().await;
    let gone = app.file(None, "gone", b"-").await;
    let twice = app.file(None, "twice", b"-").await;
    app.trash(&gone).await;
    app.trash(&twice).await;
    let key = app.keys(&gone).await.remove(0);
    let marker = app.store.list_versions(STORAGE, &key)[0].id.clone();
    app.store.delete_version(STORAGE, &key, &marker).unwrap();
    app.store.add_delete_marker(STORAGE, &app.keys(&twice).await[0]).unwrap();
    for package in [&gone, &twice] {
        app.restore(package).await;
        assert_eq!(app.row(package.id).await.0, "READY");
        let versions = app.store.list_versions(STORAGE, &app.keys(package).await[0]);
        assert_eq!(versions.len(), 1);
        assert!(!versions[0].delete_marker);
    }
}

#[tokio::test]
async fn s3_may_be_slow_throttle_or_hang_up() {
    let app = TestApp::start().await;
    let packages = ordered(&app).await;
    app.faults.fail_requests("ListObjectVersions", 2, InjectedError::SlowDown);
    app.faults.fail_requests("DeleteObjects", 1, InjectedError::InternalError);
    app.faults.drop_requests("DeleteObjects", 1);
    app.faults.fail_key(&app.keys(&packages[3]).await[0], 2, InjectedError::SlowDown);
    app.work().await;
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_loss() {
    let app = TestApp::start().await;
    let packages = ordered(&app).await;
    app.faults.drop_responses("DeleteObjects", 1);
    app.work().await;
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn what_s3_refuses_for_good_is_reported_and_the_rest_comes_back() {
    let app = TestApp::start().await;
    let packages = ordered(&app).await;
    app.faults.fail_key(&app.keys(&packages[3]).await[0], 1, InjectedError::AccessDenied);
    let outcome = app.work().await;
    assert_eq!((outcome.restored, outcome.failed), (packages.len() - 1, 1));
    assert_eq!(app.row(packages[3].id).await.0, "DELETED");
    app.assert_counted().await;
}
