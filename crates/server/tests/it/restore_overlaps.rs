//! Restores that overlap with a deletion, with another failing restore, or with a repeated order.

use local::{
    faults::InjectedError,
    workspace::{Package, SourceFile},
};
use serde_json::json;

use crate::app::{STORAGE, TestApp};

async fn set_state(app: &TestApp, package: &Package, state: &str) {
    app.workspace.set_state(package, state).await.unwrap();
}

/// Creates a folder with two files and deletes it.
async fn create_deleted_folder(app: &TestApp) -> (Package, Package, Package) {
    let folder = app.create_folder(None, "folder").await;
    let file = app.create_file(Some(&folder), "file", b"12345").await;
    let other = app.create_file(Some(&folder), "other", b"123").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&folder).await;
    (folder, file, other)
}

#[tokio::test]
async fn a_file_is_restored_when_another_file_fails() {
    let app = TestApp::start().await;
    let (folder, file, other) = create_deleted_folder(&app).await;
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&folder.node_id, &file.node_id]).await;
    app.faults.fail_key(&app.load_keys(&other).await[0], 100, InjectedError::AccessDenied);
    app.run_orders().await;
    assert_eq!(app.load_row(file.id).await, ("READY".into(), "file".into()));
    assert_eq!(app.load_row(folder.id).await, ("READY".into(), "folder".into()));
    assert_eq!(app.load_row(other.id).await.0, "DELETED");
    app.assert_usage_is_exact().await;
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn a_package_deleted_during_its_restore_stays_deleted() {
    let app = TestApp::start().await;
    let (folder, file, other) = create_deleted_folder(&app).await;
    app.order_restore(&app.create_token("editor").await, &[&folder.node_id]).await;
    app.run_orders_during_undelete(async { set_state(&app, &file, "DELETING").await }).await;
    assert_eq!(app.load_row(file.id).await.0, "DELETING");
    assert_eq!(app.load_row(other.id).await.0, "READY");
    app.assert_usage_is_exact().await;
    let progress = app.load_progress(&app.create_token("viewer").await, &folder).await;
    assert_eq!(progress["failed"], json!([{"id": file.node_id, "reason": "it was deleted again"}]));
}

#[tokio::test]
async fn an_order_ends_when_its_package_is_deleted_again() {
    let app = TestApp::start().await;
    for (state, reason) in [("DELETING", "it is being deleted"), ("DELETED", "it was deleted again")] {
        let file = app.create_file(None, "file", b"-").await;
        app.trash_package(&file).await;
        app.order_restore(&app.create_token("editor").await, &[&file.node_id]).await;
        set_state(&app, &file, state).await;
        assert_eq!(app.run_orders().await.restored, 0);
        set_state(&app, &file, "DELETED").await;
        assert_eq!(app.run_orders().await.restored, 0, "the order has ended");
        app.assert_nothing_pending().await;
        let progress = app.load_progress(&app.create_token("viewer").await, &file).await;
        assert_eq!(progress["failed"][0]["reason"], reason);
    }
}

#[tokio::test]
async fn an_order_releases_its_claims_when_its_package_is_deleted_or_purged() {
    let app = TestApp::start().await;
    for purge_it in [false, true] {
        let (folder, file, other) = create_deleted_folder(&app).await;
        app.order_restore(&app.create_token("editor").await, &[&file.node_id]).await;
        app.run_orders_during_undelete(async {
            if purge_it {
                purge_package(&app, &file).await;
            } else {
                set_state(&app, &file, "DELETED").await;
            }
        })
        .await;
        assert_eq!(app.load_row(folder.id).await.0, "DELETED", "the folder was only claimed for the file");
        assert_eq!(app.load_row(other.id).await.0, "DELETED");
        app.assert_nothing_pending().await;
        app.run_sql(&format!(r#"UPDATE "WORKSPACE".packages SET name = 'x' || id WHERE id = {}"#, folder.id))
            .await;
    }
}

#[tokio::test]
async fn does_not_restore_into_a_folder_that_is_being_deleted() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "folder").await;
    let sub = app.create_folder(Some(&folder), "sub").await;
    let file = app.create_file(Some(&sub), "file", b"-").await;
    app.trash_package(&sub).await;
    set_state(&app, &folder, "DELETING").await;
    app.restore_package(&file).await;
    assert_eq!(app.load_row(file.id).await.0, "DELETED");
    assert_eq!(app.load_row(sub.id).await.0, "DELETED");
    let progress = app.load_progress(&app.create_token("viewer").await, &file).await;
    assert_eq!(progress["failed"][0]["reason"], "the folder it lies in is being deleted");
    set_state(&app, &folder, "READY").await;
    app.restore_package(&file).await;
    assert_eq!(app.load_row(file.id).await.0, "READY");
}

#[tokio::test]
async fn the_parent_folder_may_be_deleted_during_a_restore() {
    let app = TestApp::start().await;
    let live = app.create_folder(None, "live").await;
    let folder = app.create_folder(Some(&live), "folder").await;
    let file = app.create_file(Some(&folder), "file", b"-").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&folder).await;
    app.order_restore(&app.create_token("editor").await, &[&file.node_id]).await;
    app.run_orders_during_undelete(async { set_state(&app, &live, "DELETING").await }).await;
    for package in [&folder, &file] {
        assert_eq!(app.load_row(package.id).await.0, "DELETED");
    }
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn restores_a_package_after_its_deletion_has_ended() {
    let app = TestApp::start().await;
    let (folder, file, other) = create_deleted_folder(&app).await;
    set_state(&app, &file, "DELETING").await;
    let mut app = app;
    app.restorer.limits.blocked_delay = std::time::Duration::from_millis(20);
    app.order_restore(&app.create_token("editor").await, &[&folder.node_id]).await;
    for _ in 0..2 {
        app.run_worker().await.unwrap();
        assert_eq!(app.load_row(other.id).await.0, "READY");
        let progress = app.load_progress(&app.create_token("viewer").await, &folder).await;
        assert_eq!((&progress["restored"], &progress["order"]), (&json!(1), &json!("waiting")));
        assert!(progress["failed"][0]["reason"].as_str().unwrap().contains("still deleting"), "{progress}");
    }
    set_state(&app, &file, "DELETED").await;
    app.run_orders().await;
    assert_eq!(app.load_row(file.id).await, ("READY".into(), "file".into()));
    app.assert_usage_is_exact().await;
    app.assert_nothing_pending().await;
    let progress = app.load_progress(&app.create_token("viewer").await, &folder).await;
    assert_eq!((&progress["restored"], &progress["failed"]), (&json!(2), &json!([])));
}

#[tokio::test]
async fn waits_for_a_deletion_only_for_a_limited_time() {
    let mut app = TestApp::start().await;
    let (folder, file, other) = create_deleted_folder(&app).await;
    set_state(&app, &file, "DELETING").await;
    app.restorer.limits.max_blocked = std::time::Duration::ZERO;
    app.restore_package(&folder).await;
    assert_eq!(app.load_row(other.id).await.0, "READY");
    assert_eq!(app.load_row(file.id).await.0, "DELETING");
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn an_order_for_a_live_folder_restores_its_deleted_content() {
    let app = TestApp::start().await;
    let (folder, file, other) = create_deleted_folder(&app).await;
    app.restore_package(&file).await;
    assert_eq!(app.load_row(folder.id).await.0, "READY", "it was restored with the file");
    assert_eq!(app.load_row(other.id).await.0, "DELETED");
    assert_eq!(app.restore_package(&folder).await.restored, 1);
    assert_eq!(app.load_row(other.id).await, ("READY".into(), "other".into()));
    app.assert_usage_is_exact().await;
    let nothing = app.order_restore(&app.create_token("editor").await, &[&folder.node_id]).await.json();
    assert_eq!(nothing["success"], json!([]), "nothing inside it is deleted");
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn a_cycle_of_parents_is_reported() {
    let app = TestApp::start().await;
    let (a, b) = (app.create_folder(None, "a").await, app.create_folder(None, "b").await);
    let file = app.create_file(Some(&b), "file", b"-").await;
    app.trash_package(&a).await;
    app.trash_package(&b).await;
    let parent = |child: &Package, parent: &Package| {
        format!(r#"UPDATE "WORKSPACE".packages SET parent_id = {} WHERE id = {};"#, parent.id, child.id)
    };
    app.run_sql(&format!("{}{}", parent(&a, &b), parent(&b, &a))).await;
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&a.node_id, &file.node_id]).await;
    assert_eq!(app.run_orders().await.restored, 0);
    for package in [&a, &file] {
        assert_eq!(app.load_row(package.id).await.0, "DELETED");
        let progress = app.load_progress(&token, package).await;
        assert_eq!(progress["failed"][0]["reason"], "its parent folders form a cycle");
    }
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn restores_a_tree_of_any_depth() {
    let mut app = TestApp::start().await;
    app.restorer.limits.batch_size = 100;
    let top = app.create_folder(None, "0").await;
    let mut folder = top.clone();
    for depth in 1..400 {
        folder = app.create_folder(Some(&folder), &depth.to_string()).await;
    }
    let leaf = app.create_file(Some(&folder), "leaf", b"12345").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&top).await;
    assert_eq!(app.restore_package(&top).await.restored, 401);
    assert_eq!(app.load_row(leaf.id).await, ("READY".into(), "leaf".into()));
    app.assert_usage_is_exact().await;
    app.trash_package(&top).await;
    assert_eq!(app.restore_package(&leaf).await.restored, 401, "with all parent folders");
    app.assert_usage_is_exact().await;
}

#[tokio::test]
async fn restores_the_name_of_a_package_deleted_twice() {
    let app = TestApp::start().await;
    let file = app.create_file(None, "file.txt", b"-").await;
    app.trash_package(&file).await;
    set_state(&app, &file, "RESTORING").await;
    app.trash_package(&file).await;
    assert!(app.load_row(file.id).await.1.matches("__DELETED__").count() == 2);
    app.restore_package(&file).await;
    assert_eq!(app.load_row(file.id).await, ("READY".into(), "file.txt".into()));
}

#[tokio::test]
async fn counts_a_live_folder_between_two_restored_folders_once() {
    let app = TestApp::start().await;
    let top = app.create_folder(None, "top").await;
    let live = app.create_folder(Some(&top), "live").await;
    let deep = app.create_folder(Some(&live), "deep").await;
    app.create_file(Some(&deep), "file", &[0; 100]).await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&top).await;
    set_state(&app, &live, "READY").await;
    app.restore_package(&top).await;
    let counted = app.workspace.load_usage().await.unwrap();
    for package in [&top, &deep] {
        assert_eq!(counted[&format!("package {}", package.id)], 100);
    }
    assert_eq!(counted["workspace"], 100);
}

#[tokio::test]
async fn undeletes_unusual_keys() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "folder").await;
    let keys = ["odd/a", "odd/a+b c%20d", "odd/ab", "odd/a/b", "odd/東京", "odd/é&<>\"'", "odd/a b"];
    let mut packages = Vec::new();
    for (n, key) in keys.iter().enumerate() {
        app.store.put(STORAGE, key, b"x".to_vec(), "text/plain").unwrap();
        packages.push(
            app.workspace
                .create_file(&app.dataset, Some(&folder), &n.to_string(), SourceFile::new(STORAGE, key, 1))
                .await
                .unwrap(),
        );
    }
    // An object next to them whose key XML cannot hold.
    app.store.put(STORAGE, "odd/a\u{1}b", b"x".to_vec(), "text/plain").unwrap();
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&folder).await;
    let outcome = app.restore_package(&folder).await;
    assert_eq!((outcome.restored, outcome.failed), (keys.len() + 1, 0));
    for key in keys {
        assert!(!app.store.list_versions(STORAGE, key)[0].delete_marker, "{key}");
    }
    app.assert_usage_is_exact().await;
}

#[tokio::test]
async fn orders_and_runs_on_the_same_packages_do_not_deadlock() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "folder").await;
    let files = app.create_files(&folder, 300).await;
    app.workspace.populate_usage().await.unwrap();
    let token = app.create_token("editor").await;
    for _ in 0..5 {
        app.trash_package(&folder).await;
        let ids: Vec<_> = files.iter().rev().map(|file| &file.node_id).collect();
        app.order_restore(&token, &[&folder.node_id]).await;
        let (outcome, response) = tokio::join!(app.run_worker(), app.order_restore(&token, &ids));
        outcome.unwrap();
        assert_eq!(response.status, 200);
        app.run_orders().await;
        app.assert_usage_is_exact().await;
    }
}

#[tokio::test]
async fn a_package_deleted_and_ordered_again_during_a_run_loses_its_new_marker() {
    let app = TestApp::start().await;
    let file = app.create_file(None, "file", b"12345").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&file).await;
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&file.node_id]).await;
    let key = app.load_keys(&file).await.remove(0);
    app.run_orders_during_undelete(async {
        // The platform deletes the file again, with a new marker, and it is ordered again.
        set_state(&app, &file, "DELETED").await;
        app.store.add_delete_marker(STORAGE, &key).unwrap();
        app.order_restore(&token, &[&file.node_id]).await;
    })
    .await;
    assert_eq!(app.load_row(file.id).await, ("READY".into(), "file".into()));
    assert!(!app.store.list_versions(STORAGE, &key)[0].delete_marker, "the restored object is visible");
    app.assert_usage_is_exact().await;
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn a_file_may_be_deleted_and_ordered_again_while_its_folder_is_restored() {
    let app = TestApp::start().await;
    let (folder, file, other) = create_deleted_folder(&app).await;
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&folder.node_id, &file.node_id]).await;
    let key = app.load_keys(&file).await.remove(0);
    app.run_orders_during_undelete(async {
        app.store.add_delete_marker(STORAGE, &key).unwrap();
        set_state(&app, &file, "DELETED").await;
        app.order_restore(&token, &[&file.node_id]).await;
    })
    .await;
    for package in [&folder, &file, &other] {
        assert_eq!(app.load_row(package.id).await.0, "READY");
        for key in app.load_keys(package).await {
            assert!(!app.store.list_versions(STORAGE, &key)[0].delete_marker);
        }
    }
    app.assert_usage_is_exact().await;
}

#[tokio::test]
async fn a_repeated_order_does_not_stop_the_current_run() {
    let app = TestApp::start().await;
    let (folder, file, _) = create_deleted_folder(&app).await;
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&folder.node_id]).await;
    let outcome = app
        .run_orders_during_undelete(async {
            drop(app.order_restore(&token, &[&folder.node_id, &file.node_id]).await);
        })
        .await;
    assert_eq!(outcome.restored, 3);
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn an_order_ends_when_its_package_is_purged() {
    let app = TestApp::start().await;
    let file = app.create_file(None, "one", b"-").await;
    app.trash_package(&file).await;
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&file.node_id]).await;
    purge_package(&app, &file).await;
    assert_eq!(app.count_unfinished_orders().await, 1);
    assert_eq!(app.run_orders().await.restored, 0);
    app.assert_nothing_pending().await;
}

async fn purge_package(app: &TestApp, package: &Package) {
    app.run_sql(&format!(
        r#"DELETE FROM "WORKSPACE".files WHERE package_id = {0}; DELETE FROM "WORKSPACE".packages WHERE id = {0}"#,
        package.id
    ))
    .await;
}
