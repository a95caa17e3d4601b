//! Restores while S3 refuses, loses or does not answer requests. A failure affects only its own package.

use local::{faults::InjectedError, workspace::SourceFile};
use serde_json::json;

use crate::{
    app::{STORAGE, TestApp},
    restore_faults::{assert_restored, order_deleted_tree},
};

#[tokio::test]
async fn a_package_without_bytes_stays_in_the_trash_and_others_are_restored() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "folder").await;
    let files = app.create_files(&folder, 4).await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&folder).await;
    let lost = &files[2];
    let key = app.load_keys(lost).await.remove(0);
    for version in app.store.list_versions(STORAGE, &key).iter().filter(|version| !version.delete_marker) {
        app.store.delete_version(STORAGE, &key, &version.id).unwrap();
    }
    let outcome = app.restore_package(&folder).await;
    assert_eq!((outcome.restored, outcome.failed), (4, 1));
    assert_eq!(app.load_row(lost.id).await.0, "DELETED");
    assert!(app.store.list_versions(STORAGE, &key)[0].delete_marker, "its delete marker is not removed");
    app.assert_usage_is_exact().await;

    let progress = app.load_progress(&app.create_token("viewer").await, &folder).await;
    assert_eq!(
        (&progress["total"], &progress["restored"], &progress["restoring"]),
        (&json!(4), &json!(3), &json!(0))
    );
    assert_eq!(
        progress["failed"],
        json!([{"id": lost.node_id, "reason": "its stored file no longer exists"}])
    );

    // Ordered alone, the file fails in the same way, and its deleted folder stays in the trash.
    app.trash_package(&folder).await;
    let outcome = app.restore_package(lost).await;
    assert_eq!((outcome.restored, outcome.failed), (0, 1));
    assert_eq!(app.load_row(folder.id).await.0, "DELETED");
    let progress = app.load_progress(&app.create_token("viewer").await, lost).await;
    assert_eq!((&progress["state"], progress["failed"].as_array().unwrap().len()), (&json!("DELETED"), 1));
}

#[tokio::test]
async fn a_file_in_a_refused_bucket_stays_in_the_trash_and_others_are_restored() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "folder").await;
    let good = app.create_files(&folder, 3).await;
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
    // Derived files can be generated again: a missing one does not keep its package in the trash.
    app.run_sql(&format!(
        r#"INSERT INTO "WORKSPACE".files (package_id, name, s3_bucket, s3_key, object_type, processing_state)
           SELECT package_id, 'view', 'gone', s3_key, 'view', 'not_processable' FROM "WORKSPACE".files WHERE package_id = {}"#,
        good[0].id
    ))
    .await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&folder).await;
    let outcome = app.restore_package(&folder).await;
    assert_eq!((outcome.restored, outcome.failed), (1 + good.len(), refused.len()));
    for file in &good {
        assert_eq!(app.load_row(file.id).await.0, "READY");
    }
    let progress = app.load_progress(&app.create_token("viewer").await, &folder).await;
    for file in &refused {
        assert_eq!(app.load_row(file.id).await.0, "DELETED");
        let failed = progress["failed"].as_array().unwrap();
        assert!(failed.iter().any(|failure| failure["id"] == json!(file.node_id)), "{progress}");
    }
    app.assert_usage_is_exact().await;
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn restores_files_with_no_delete_marker_and_with_two() {
    let app = TestApp::start().await;
    let gone = app.create_file(None, "gone", b"-").await;
    let twice = app.create_file(None, "twice", b"-").await;
    app.trash_package(&gone).await;
    app.trash_package(&twice).await;
    let key = app.load_keys(&gone).await.remove(0);
    let marker = app.store.list_versions(STORAGE, &key)[0].id.clone();
    app.store.delete_version(STORAGE, &key, &marker).unwrap();
    app.store.add_delete_marker(STORAGE, &app.load_keys(&twice).await[0]).unwrap();
    for package in [&gone, &twice] {
        app.restore_package(package).await;
        assert_eq!(app.load_row(package.id).await.0, "READY");
        let versions = app.store.list_versions(STORAGE, &app.load_keys(package).await[0]);
        assert_eq!(versions.len(), 1);
        assert!(!versions[0].delete_marker);
    }
}

#[tokio::test]
async fn retries_when_s3_throttles_fails_or_disconnects() {
    let undisturbed = TestApp::start().await;
    order_deleted_tree(&undisturbed).await;
    undisturbed.run_orders().await;

    let app = TestApp::start().await;
    let packages = order_deleted_tree(&app).await;
    app.faults.fail_requests("ListObjectVersions", 2, InjectedError::SlowDown);
    app.faults.fail_requests("DeleteObjects", 1, InjectedError::InternalError);
    app.faults.drop_requests("DeleteObjects", 1);
    app.faults.fail_key(&app.load_keys(&packages[3]).await[0], 2, InjectedError::SlowDown);
    app.run_orders().await;
    assert_restored(&app, &packages).await;
    // Each fault costs one more call, so all of them were met.
    let more =
        |operation| app.faults.count_requests(operation) - undisturbed.faults.count_requests(operation);
    assert_eq!((more("ListObjectVersions"), more("DeleteObjects")), (2, 4));
}

#[tokio::test]
async fn retries_when_a_response_of_s3_is_lost() {
    let app = TestApp::start().await;
    let packages = order_deleted_tree(&app).await;
    app.faults.drop_responses("DeleteObjects", 1);
    app.run_orders().await;
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn reports_files_that_s3_refuses_and_restores_the_others() {
    let app = TestApp::start().await;
    let packages = order_deleted_tree(&app).await;
    app.faults.fail_key(&app.load_keys(&packages[3]).await[0], 1, InjectedError::AccessDenied);
    let outcome = app.run_orders().await;
    assert_eq!((outcome.restored, outcome.failed), (packages.len() - 1, 1));
    assert_eq!(app.load_row(packages[3].id).await.0, "DELETED");
    app.assert_usage_is_exact().await;
}
