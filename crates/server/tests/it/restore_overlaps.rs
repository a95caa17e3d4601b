//! Restores that meet a deletion, another restore's failure, or their own repetition.

use local::workspace::Package;
use packages::restore::{self, Message, Plan, Reasons, Stopped};

use crate::app::{STORAGE, TestApp};

async fn set_state(app: &TestApp, package: &Package, state: &str) {
    app.sql(&format!(r#"UPDATE "WORKSPACE".packages SET state = '{state}' WHERE id = {}"#, package.id)).await;
}

/// Orders a package, and carries the order out up to where only its end is missing.
async fn almost_done(app: &TestApp, token: &str, package: &Package) -> (Message, Plan) {
    app.order(token, &[&package.node_id]).await;
    let message = app.messages().remove(0);
    let plan = restore::claim(&app.app.db, &message).await.unwrap().unwrap();
    app.app.objects.undelete(&plan.files).await.unwrap();
    (message, plan)
}

#[tokio::test]
async fn a_file_outlives_the_failure_of_the_folder_around_it() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let file = app.file(Some(&folder), "file", b"12345").await;
    app.workspace.populate().await.unwrap();
    app.trash(&folder).await;
    let token = app.token("editor").await;
    app.order(&token, &[&folder.node_id, &file.node_id]).await;
    let mut messages = app.messages();
    messages.sort_by_key(|message| message.package.id);
    let plan = restore::claim(&app.app.db, &messages[1]).await.unwrap().unwrap();
    app.app.objects.undelete(&plan.files).await.unwrap();
    restore::give_up(&app.app.db, &messages[0], "no luck").await.unwrap();

    let overtaken = restore::finish(&app.app.db, &messages[1], &plan, &Reasons::new()).await;
    assert!(matches!(overtaken, Err(Stopped::Overtaken)));
    app.run(&messages[1]).await.unwrap();
    assert_eq!(app.row(file.id).await, ("READY".into(), "file".into()));
    assert_eq!(app.row(folder.id).await, ("READY".into(), "folder".into()));
    app.assert_counted().await;
}

#[tokio::test]
async fn what_is_deleted_again_while_it_comes_back_stays_deleted() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let file = app.file(Some(&folder), "file", b"12345").await;
    let other = app.file(Some(&folder), "other", b"123").await;
    app.workspace.populate().await.unwrap();
    app.trash(&folder).await;
    let (message, plan) = almost_done(&app, &app.token("editor").await, &folder).await;
    set_state(&app, &file, "DELETING").await;
    restore::finish(&app.app.db, &message, &plan, &Reasons::new()).await.unwrap();
    assert_eq!(app.row(file.id).await.0, "DELETING");
    assert_eq!(app.row(other.id).await.0, "READY");
    app.assert_counted().await;
}

#[tokio::test]
async fn an_order_ends_when_its_package_is_deleted_again_and_never_comes_back_by_itself() {
    let app = TestApp::start().await;
    let file = app.file(None, "file", b"-").await;
    app.trash(&file).await;
    app.order(&app.token("editor").await, &[&file.node_id]).await;
    let message = app.messages().remove(0);
    set_state(&app, &file, "DELETING").await;
    assert_eq!(app.run(&message).await.unwrap().restored, 0);
    set_state(&app, &file, "DELETED").await;
    assert_eq!(app.run(&message).await.unwrap().restored, 0, "the order is closed");
    let unfinished = restore::find_unfinished(&app.app.db).await.unwrap();
    assert!(unfinished.iter().all(|message| message.workspace != app.workspace.id));
    let progress = app.progress(&app.token("viewer").await, &file).await;
    assert_eq!(progress["failed"][0]["reason"], "it is being deleted");
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
async fn a_repeated_finish_costs_no_more_than_the_first() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    app.files(&folder, 50).await;
    app.trash(&folder).await;
    app.order(&app.token("editor").await, &[&folder.node_id]).await;
    let message = app.messages().remove(0);
    let plan = restore::claim(&app.app.db, &message).await.unwrap().unwrap();
    let mut costs = Vec::new();
    for _ in 0..2 {
        let before = app.app.db.statements();
        restore::finish(&app.app.db, &message, &plan, &Reasons::new()).await.unwrap();
        costs.push(app.app.db.statements() - before);
    }
    assert!(costs[1] <= costs[0], "{costs:?}");
}

#[tokio::test]
async fn a_live_folder_between_two_that_come_back_is_counted_once() {
    let app = TestApp::start().await;
    let top = app.folder(None, "top").await;
    let live = app.folder(Some(&top), "live").await;
    let deep = app.folder(Some(&live), "deep").await;
    app.file(Some(&deep), "file", &[0; 100]).await;
    app.workspace.populate().await.unwrap();
    app.trash(&top).await;
    set_state(&app, &live, "READY").await;
    app.restore(&top).await;
    let counted = app.workspace.counted().await.unwrap();
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
            app.workspace.file(&app.dataset, Some(&folder), &n.to_string(), (STORAGE, key, 1)).await.unwrap(),
        );
    }
    // A neighbour whose key no XML document can hold.
    app.store.put(STORAGE, "odd/a\u{1}b", b"x".to_vec(), "text/plain").unwrap();
    app.workspace.populate().await.unwrap();
    app.trash(&folder).await;
    let outcomes = app.restore(&folder).await;
    assert_eq!((outcomes[0].restored, outcomes[0].failed), (keys.len() + 1, 0));
    for key in keys {
        assert!(!app.store.versions(STORAGE, key)[0].delete_marker, "{key}");
    }
    app.assert_counted().await;
}

#[tokio::test]
async fn orders_and_runs_on_the_same_packages_do_not_wait_in_circles() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let files = app.files(&folder, 300).await;
    app.workspace.populate().await.unwrap();
    let token = app.token("editor").await;
    for _ in 0..5 {
        app.trash(&folder).await;
        let ids: Vec<_> = files.iter().rev().map(|file| &file.node_id).collect();
        app.order(&token, &[&folder.node_id]).await;
        let message = app.messages().remove(0);
        let (outcome, answer) = tokio::join!(app.run(&message), app.order(&token, &ids));
        outcome.unwrap();
        assert_eq!(answer.status, 200);
        app.work().await;
        app.assert_counted().await;
    }
}

#[tokio::test]
async fn a_run_that_slept_through_a_deletion_does_not_end_the_next_order() {
    let app = TestApp::start().await;
    let file = app.file(None, "file", b"12345").await;
    app.workspace.populate().await.unwrap();
    app.trash(&file).await;
    let token = app.token("editor").await;
    let (slow, plan) = almost_done(&app, &token, &file).await;
    // Meanwhile the message is delivered once more, and the package is deleted and ordered again.
    assert_eq!(app.run(&slow).await.unwrap().restored, 1);
    app.trash(&file).await;
    app.order(&token, &[&file.node_id]).await;

    let overtaken = restore::finish(&app.app.db, &slow, &plan, &Reasons::new()).await;
    assert!(matches!(overtaken, Err(Stopped::Overtaken)));
    assert_eq!(app.row(file.id).await.0, "RESTORING");
    assert_eq!(app.work().await[0].restored, 1);
    assert_eq!(app.row(file.id).await, ("READY".into(), "file".into()));
    assert!(!app.store.versions(STORAGE, &app.keys(&file).await[0])[0].delete_marker);
    app.assert_counted().await;
}

#[tokio::test]
async fn a_folder_does_not_bring_back_what_was_deleted_and_ordered_anew_beneath_it() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let file = app.file(Some(&folder), "file", b"12345").await;
    app.workspace.populate().await.unwrap();
    app.trash(&folder).await;
    let token = app.token("editor").await;
    let (around, plan) = almost_done(&app, &token, &folder).await;
    app.store.delete_marker(STORAGE, &app.keys(&file).await[0]).unwrap();
    set_state(&app, &file, "DELETED").await;
    app.order(&token, &[&file.node_id]).await;

    let overtaken = restore::finish(&app.app.db, &around, &plan, &Reasons::new()).await;
    assert!(matches!(overtaken, Err(Stopped::Overtaken)));
    app.run(&around).await.unwrap();
    app.work().await;
    for package in [&folder, &file] {
        assert_eq!(app.row(package.id).await.0, "READY");
    }
    assert!(!app.store.versions(STORAGE, &app.keys(&file).await[0])[0].delete_marker);
    app.assert_counted().await;
}

#[tokio::test]
async fn an_impatient_order_does_not_stop_the_run_that_is_under_way() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let file = app.file(Some(&folder), "file", b"-").await;
    app.trash(&folder).await;
    let token = app.token("editor").await;
    let (message, plan) = almost_done(&app, &token, &folder).await;
    app.order(&token, &[&folder.node_id, &file.node_id]).await;
    let finished = restore::finish(&app.app.db, &message, &plan, &Reasons::new()).await.unwrap();
    assert_eq!(finished.restored.len(), 2);
}

#[tokio::test]
async fn an_order_is_forgotten_when_its_package_is_purged() {
    let app = TestApp::start().await;
    let (one, other) = (app.file(None, "one", b"-").await, app.file(None, "other", b"-").await);
    app.trash(&one).await;
    app.trash(&other).await;
    let orders = async || {
        let sql = "SELECT count(*) FROM packages_service.restore_orders WHERE workspace_id = $1";
        app.workspace.client.query_one(sql, &[&app.workspace.id.0]).await.unwrap().get::<_, i64>(0)
    };
    let token = app.token("editor").await;
    app.order(&token, &[&one.node_id, &other.node_id]).await;
    let message = app.messages().into_iter().find(|message| message.package.id == one.id).unwrap();
    purge(&app, &one).await;
    assert_eq!(orders().await, 2);
    assert_eq!(app.run(&message).await.unwrap().restored, 0, "whoever takes the message up");
    assert_eq!(orders().await, 1);
    purge(&app, &other).await;
    restore::find_unfinished(&app.app.db).await.unwrap();
    assert_eq!(orders().await, 0, "or looks for what is not finished");
}

async fn purge(app: &TestApp, package: &Package) {
    app.sql(&format!(
        r#"DELETE FROM "WORKSPACE".files WHERE package_id = {0}; DELETE FROM "WORKSPACE".packages WHERE id = {0}"#,
        package.id
    ))
    .await;
}
