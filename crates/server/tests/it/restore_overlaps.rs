//! Restores that meet a deletion, another restore's failure, or their own repetition.

use local::{
    faults::InjectedError,
    workspace::{Package, SourceFile},
};
use serde_json::json;

use crate::app::{STORAGE, TestApp};

async fn set_state(app: &TestApp, package: &Package, state: &str) {
    app.workspace.set_state(package, state).await.unwrap();
}

/// A folder with two files, in the trash.
async fn folder_with_two_files(app: &TestApp) -> (Package, Package, Package) {
    let folder = app.folder(None, "folder").await;
    let file = app.file(Some(&folder), "file", b"12345").await;
    let other = app.file(Some(&folder), "other", b"123").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&folder).await;
    (folder, file, other)
}

#[tokio::test]
async fn a_file_outlives_the_failure_of_its_neighbour() {
    let app = TestApp::start().await;
    let (folder, file, other) = folder_with_two_files(&app).await;
    let token = app.token("editor").await;
    app.order(&token, &[&folder.node_id, &file.node_id]).await;
    app.faults.fail_key(&app.keys(&other).await[0], 100, InjectedError::AccessDenied);
    app.work().await;
    assert_eq!(app.row(file.id).await, ("READY".into(), "file".into()));
    assert_eq!(app.row(folder.id).await, ("READY".into(), "folder".into()));
    assert_eq!(app.row(other.id).await.0, "DELETED");
    app.assert_counted().await;
    app.assert_idle().await;
}

#[tokio::test]
async fn what_is_deleted_again_while_it_comes_back_stays_deleted() {
    let app = TestApp::start().await;
    let (folder, file, other) = folder_with_two_files(&app).await;
    app.order(&app.token("editor").await, &[&folder.node_id]).await;
    app.work_during_undelete(async { set_state(&app, &file, "DELETING").await }).await;
    assert_eq!(app.row(file.id).await.0, "DELETING");
    assert_eq!(app.row(other.id).await.0, "READY");
    app.assert_counted().await;
    let progress = app.progress(&app.token("viewer").await, &folder).await;
    assert_eq!(progress["failed"], json!([{"id": file.node_id, "reason": "it was deleted again"}]));
}

#[tokio::test]
async fn an_order_ends_when_its_package_is_deleted_again_and_never_comes_back_by_itself() {
    let app = TestApp::start().await;
    for (state, reason) in [("DELETING", "it is being deleted"), ("DELETED", "it was deleted again")] {
        let file = app.file(None, "file", b"-").await;
        app.trash(&file).await;
        app.order(&app.token("editor").await, &[&file.node_id]).await;
        set_state(&app, &file, state).await;
        assert_eq!(app.work().await.restored, 0);
        set_state(&app, &file, "DELETED").await;
        assert_eq!(app.work().await.restored, 0, "the order is over");
        app.assert_idle().await;
        let progress = app.progress(&app.token("viewer").await, &file).await;
        assert_eq!(progress["failed"][0]["reason"], reason);
    }
}

#[tokio::test]
async fn nothing_that_an_order_held_is_left_when_its_package_is_deleted_again_or_purged() {
    let app = TestApp::start().await;
    for purge_it in [false, true] {
        let (folder, file, other) = folder_with_two_files(&app).await;
        app.order(&app.token("editor").await, &[&file.node_id]).await;
        app.work_during_undelete(async {
            if purge_it {
                purge(&app, &file).await;
            } else {
                set_state(&app, &file, "DELETED").await;
            }
        })
        .await;
        assert_eq!(app.row(folder.id).await.0, "DELETED", "it came only for the file");
        assert_eq!(app.row(other.id).await.0, "DELETED");
        app.assert_idle().await;
        app.sql(&format!(r#"UPDATE "WORKSPACE".packages SET name = 'x' || id WHERE id = {}"#, folder.id))
            .await;
    }
}

#[tokio::test]
async fn nothing_comes_back_into_a_folder_that_is_being_deleted() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let sub = app.folder(Some(&folder), "sub").await;
    let file = app.file(Some(&sub), "file", b"-").await;
    app.trash(&sub).await;
    set_state(&app, &folder, "DELETING").await;
    app.restore(&file).await;
    assert_eq!(app.row(file.id).await.0, "DELETED");
    assert_eq!(app.row(sub.id).await.0, "DELETED");
    let progress = app.progress(&app.token("viewer").await, &file).await;
    assert_eq!(progress["failed"][0]["reason"], "the folder it lies in is being deleted");
    set_state(&app, &folder, "READY").await;
    app.restore(&file).await;
    assert_eq!(app.row(file.id).await.0, "READY");
}

#[tokio::test]
async fn the_folder_above_may_be_deleted_while_s3_is_asked() {
    let app = TestApp::start().await;
    let live = app.folder(None, "live").await;
    let folder = app.folder(Some(&live), "folder").await;
    let file = app.file(Some(&folder), "file", b"-").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&folder).await;
    app.order(&app.token("editor").await, &[&file.node_id]).await;
    app.work_during_undelete(async { set_state(&app, &live, "DELETING").await }).await;
    for package in [&folder, &file] {
        assert_eq!(app.row(package.id).await.0, "DELETED");
    }
    app.assert_idle().await;
}

#[tokio::test]
async fn what_the_platform_is_still_deleting_comes_back_when_that_has_ended() {
    let app = TestApp::start().await;
    let (folder, file, other) = folder_with_two_files(&app).await;
    set_state(&app, &file, "DELETING").await;
    let mut app = app;
    app.restorer.limits.blocked_delay = std::time::Duration::from_millis(20);
    app.order(&app.token("editor").await, &[&folder.node_id]).await;
    for _ in 0..2 {
        app.run().await.unwrap();
        assert_eq!(app.row(other.id).await.0, "READY");
        let progress = app.progress(&app.token("viewer").await, &folder).await;
        assert_eq!((&progress["restored"], &progress["order"]), (&json!(1), &json!("waiting")));
        assert!(progress["failed"][0]["reason"].as_str().unwrap().contains("still deleting"), "{progress}");
    }
    set_state(&app, &file, "DELETED").await;
    app.work().await;
    assert_eq!(app.row(file.id).await, ("READY".into(), "file".into()));
    app.assert_counted().await;
    app.assert_idle().await;
    let progress = app.progress(&app.token("viewer").await, &folder).await;
    assert_eq!((&progress["restored"], &progress["failed"]), (&json!(2), &json!([])));
}

#[tokio::test]
async fn a_deletion_that_does_not_end_is_not_waited_for_without_end() {
    let mut app = TestApp::start().await;
    let (folder, file, other) = folder_with_two_files(&app).await;
    set_state(&app, &file, "DELETING").await;
    app.restorer.limits.max_blocked = std::time::Duration::ZERO;
    app.restore(&folder).await;
    assert_eq!(app.row(other.id).await.0, "READY");
    assert_eq!(app.row(file.id).await.0, "DELETING");
    app.assert_idle().await;
}

#[tokio::test]
async fn a_live_folder_is_ordered_for_what_is_in_the_trash_beneath_it() {
    let app = TestApp::start().await;
    let (folder, file, other) = folder_with_two_files(&app).await;
    app.restore(&file).await;
    assert_eq!(app.row(folder.id).await.0, "READY", "it came with the file");
    assert_eq!(app.row(other.id).await.0, "DELETED");
    assert_eq!(app.restore(&folder).await.restored, 1);
    assert_eq!(app.row(other.id).await, ("READY".into(), "other".into()));
    app.assert_counted().await;
    let nothing = app.order(&app.token("editor").await, &[&folder.node_id]).await.json();
    assert_eq!(nothing["success"], json!([]), "there is nothing in the trash beneath it");
    app.assert_idle().await;
}

#[tokio::test]
async fn a_circle_of_parents_has_a_reason_of_its_own() {
    let app = TestApp::start().await;
    let (a, b) = (app.folder(None, "a").await, app.folder(None, "b").await);
    let file = app.file(Some(&b), "file", b"-").await;
    app.trash(&a).await;
    app.trash(&b).await;
    let parent = |child: &Package, parent: &Package| {
        format!(r#"UPDATE "WORKSPACE".packages SET parent_id = {} WHERE id = {};"#, parent.id, child.id)
    };
    app.sql(&format!("{}{}", parent(&a, &b), parent(&b, &a))).await;
    let token = app.token("editor").await;
    app.order(&token, &[&a.node_id, &file.node_id]).await;
    assert_eq!(app.work().await.restored, 0);
    for package in [&a, &file] {
        assert_eq!(app.row(package.id).await.0, "DELETED");
        let progress = app.progress(&token, package).await;
        assert_eq!(progress["failed"][0]["reason"], "the folders above it form a circle");
    }
    app.assert_idle().await;
}

#[tokio::test]
async fn a_tree_of_any_depth_comes_back() {
    let mut app = TestApp::start().await;
    app.restorer.limits.batch_size = 100;
    let top = app.folder(None, "0").await;
    let mut folder = top.clone();
    for depth in 1..400 {
        folder = app.folder(Some(&folder), &depth.to_string()).await;
    }
    let leaf = app.file(Some(&folder), "leaf", b"12345").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&top).await;
    assert_eq!(app.restore(&top).await.restored, 401);
    assert_eq!(app.row(leaf.id).await, ("READY".into(), "leaf".into()));
    app.assert_counted().await;
    app.trash(&top).await;
    assert_eq!(app.restore(&leaf).await.restored, 401, "with all folders above");
    app.assert_counted().await;
}

#[tokio::test]
async fn a_name_that_was_deleted_twice_is_given_back() {
    let app = TestApp::start().await;
    let file = app.file(None, "file.txt", b"-").await;
    app.trash(&file).await;
    set_state(&app, &file, "RESTORING").await;
    app.trash(&file).await;
    assert!(app.row(file.id).await.1.matches("__DELETED__").count() == 2);
    app.restore(&file).await;
    assert_eq!(app.row(file.id).await, ("READY".into(), "file.txt".into()));
}

#[tokio::test]
async fn a_live_folder_between_two_that_come_back_is_counted_once() {
    let app = TestApp::start().await;
    let top = app.folder(None, "top").await;
    let live = app.folder(Some(&top), "live").await;
    let deep = app.folder(Some(&live), "deep").await;
    app.file(Some(&deep), "file", &[0; 100]).await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&top).await;
    set_state(&app, &live, "READY").await;
    app.restore(&top).await;
    let counted = app.workspace.load_usage().await.unwrap();
    for package in [&top, &deep] {
        assert_eq!(counted[&format!("package {}", package.id)], 100);
    }
    assert_eq!(counted["workspace"], 100);
}

#[tokio::test]
async fn odd_keys_are_undeleted_like_others() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
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
    // A neighbour whose key no XML document can hold.
    app.store.put(STORAGE, "odd/a\u{1}b", b"x".to_vec(), "text/plain").unwrap();
    app.workspace.populate_usage().await.unwrap();
    app.trash(&folder).await;
    let outcome = app.restore(&folder).await;
    assert_eq!((outcome.restored, outcome.failed), (keys.len() + 1, 0));
    for key in keys {
        assert!(!app.store.list_versions(STORAGE, key)[0].delete_marker, "{key}");
    }
    app.assert_counted().await;
}

#[tokio::test]
async fn orders_and_runs_on_the_same_packages_do_not_wait_in_circles() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let files = app.files(&folder, 300).await;
    app.workspace.populate_usage().await.unwrap();
    let token = app.token("editor").await;
    for _ in 0..5 {
        app.trash(&folder).await;
        let ids: Vec<_> = files.iter().rev().map(|file| &file.node_id).collect();
        app.order(&token, &[&folder.node_id]).await;
        let (outcome, answer) = tokio::join!(app.run(), app.order(&token, &ids));
        outcome.unwrap();
        assert_eq!(answer.status, 200);
        app.work().await;
        app.assert_counted().await;
    }
}

#[tokio::test]
async fn a_package_that_was_deleted_and_ordered_again_meanwhile_is_not_finished_with_the_markers_of_before() {
    let app = TestApp::start().await;
    let file = app.file(None, "file", b"12345").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&file).await;
    let token = app.token("editor").await;
    app.order(&token, &[&file.node_id]).await;
    let key = app.keys(&file).await.remove(0);
    app.work_during_undelete(async {
        // The platform deletes it again, with a marker of its own, and the person orders it again.
        set_state(&app, &file, "DELETED").await;
        app.store.add_delete_marker(STORAGE, &key).unwrap();
        app.order(&token, &[&file.node_id]).await;
    })
    .await;
    assert_eq!(app.row(file.id).await, ("READY".into(), "file".into()));
    assert!(!app.store.list_versions(STORAGE, &key)[0].delete_marker, "READY and visible");
    app.assert_counted().await;
    app.assert_idle().await;
}

#[tokio::test]
async fn a_file_in_a_folder_that_comes_back_may_be_deleted_and_ordered_again_meanwhile() {
    let app = TestApp::start().await;
    let (folder, file, other) = folder_with_two_files(&app).await;
    let token = app.token("editor").await;
    app.order(&token, &[&folder.node_id, &file.node_id]).await;
    let key = app.keys(&file).await.remove(0);
    app.work_during_undelete(async {
        app.store.add_delete_marker(STORAGE, &key).unwrap();
        set_state(&app, &file, "DELETED").await;
        app.order(&token, &[&file.node_id]).await;
    })
    .await;
    for package in [&folder, &file, &other] {
        assert_eq!(app.row(package.id).await.0, "READY");
        for key in app.keys(package).await {
            assert!(!app.store.list_versions(STORAGE, &key)[0].delete_marker);
        }
    }
    app.assert_counted().await;
}

#[tokio::test]
async fn an_impatient_order_does_not_stop_the_run_that_is_under_way() {
    let app = TestApp::start().await;
    let (folder, file, _) = folder_with_two_files(&app).await;
    let token = app.token("editor").await;
    app.order(&token, &[&folder.node_id]).await;
    let outcome = app
        .work_during_undelete(async {
            drop(app.order(&token, &[&folder.node_id, &file.node_id]).await);
        })
        .await;
    assert_eq!(outcome.restored, 3);
    app.assert_idle().await;
}

#[tokio::test]
async fn an_order_is_forgotten_when_its_package_is_purged() {
    let app = TestApp::start().await;
    let file = app.file(None, "one", b"-").await;
    app.trash(&file).await;
    let token = app.token("editor").await;
    app.order(&token, &[&file.node_id]).await;
    purge(&app, &file).await;
    assert_eq!(app.unfinished().await, 1);
    assert_eq!(app.work().await.restored, 0);
    app.assert_idle().await;
}

async fn purge(app: &TestApp, package: &Package) {
    app.sql(&format!(
        r#"DELETE FROM "WORKSPACE".files WHERE package_id = {0}; DELETE FROM "WORKSPACE".packages WHERE id = {0}"#,
        package.id
    ))
    .await;
}
