//! Restores that are stopped, repeated, overlapped, or that S3 does not want to carry out.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll},
};

use local::{faults::Failure, workspace::Package};
use packages::restore::{self, Message};
use serde_json::json;

use crate::app::{STORAGE, TestApp};

/// A folder with a folder and files in the trash, ordered.
async fn ordered(app: &TestApp) -> (Vec<Package>, Message) {
    let top = app.folder(None, "top").await;
    let sub = app.folder(Some(&top), "sub").await;
    let mut packages = app.files(&sub, 5).await;
    packages.push(app.file(Some(&top), "file", b"hello").await);
    app.workspace.populate().await.unwrap();
    app.trash(&top).await;
    app.order(&app.token("editor").await, &[&top.node_id]).await;
    packages.splice(0..0, [top, sub]);
    (packages, app.messages().remove(0))
}

async fn assert_restored(app: &TestApp, packages: &[Package]) {
    for package in packages {
        let (state, name) = app.row(package.id).await;
        assert_eq!(state, "READY");
        assert!(!name.contains("__DELETED__") && !name.contains("-restored"), "{name}");
        for key in app.keys(package).await {
            assert!(!app.store.versions(STORAGE, &key)[0].delete_marker);
        }
    }
    app.assert_counted().await;
    assert_eq!(orders(app).await, 0);
}

async fn orders(app: &TestApp) -> i64 {
    let sql = "SELECT count(*) FROM packages_service.restore_orders WHERE workspace_id = $1";
    app.workspace.client.query_one(sql, &[&app.workspace.id.0]).await.unwrap().get(0)
}

/// A future that is dropped when it has been polled this often: a process that dies at some point of its work.
struct Dying<F> {
    work: Pin<Box<F>>,
    polls: AtomicUsize,
}

impl<F: Future> Future for Dying<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls.fetch_sub(1, Relaxed) == 1 {
            return Poll::Ready(None);
        }
        self.work.as_mut().poll(context).map(Some)
    }
}

async fn dying<F: Future>(polls: usize, work: F) -> Option<F::Output> {
    Dying { work: Box::pin(work), polls: AtomicUsize::new(polls) }.await
}

#[tokio::test]
async fn a_run_may_die_anywhere_and_the_next_one_finishes() {
    let mut deaths = 0;
    for polls in 1.. {
        let app = TestApp::start().await;
        let (packages, message) = ordered(&app).await;
        let died = dying(polls, app.run(&message)).await.is_none();
        app.run(&message).await.unwrap();
        assert_restored(&app, &packages).await;
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 10, "only {deaths} points to die at");
}

#[tokio::test]
async fn each_step_may_be_repeated() {
    let app = TestApp::start().await;
    let (packages, message) = ordered(&app).await;
    let db = &app.app.db;
    let first = restore::claim(db, &message).await.unwrap().unwrap();
    let plan = restore::claim(db, &message).await.unwrap().unwrap();
    assert_eq!(first.ids(), plan.ids());
    for _ in 0..2 {
        assert!(app.app.objects.undelete(&plan.files).await.unwrap().is_empty());
    }
    let finished = restore::finish(db, &message, &plan, &restore::Reasons::new()).await.unwrap();
    assert_eq!(finished.restored.len(), packages.len());
    assert!(
        restore::finish(db, &message, &plan, &restore::Reasons::new()).await.unwrap().restored.is_empty()
    );
    assert_restored(&app, &packages).await;
    assert!(restore::claim(db, &message).await.unwrap().is_none());
}

#[tokio::test]
async fn the_same_message_twice_at_once_does_its_work_once() {
    let app = TestApp::start().await;
    let (packages, message) = ordered(&app).await;
    let (a, b) = tokio::join!(app.run(&message), app.run(&message));
    let restored = a.unwrap().restored + b.unwrap().restored;
    assert_eq!(restored, packages.len());
    assert_restored(&app, &packages).await;
    assert_eq!(app.changelog().0.len(), packages.len());
}

#[tokio::test]
async fn a_file_and_the_folder_around_it_may_be_restored_at_once_in_any_order() {
    for file_first in [true, false] {
        let app = TestApp::start().await;
        let top = app.folder(None, "top").await;
        let sub = app.folder(Some(&top), "sub").await;
        let files = app.files(&sub, 20).await;
        app.workspace.populate().await.unwrap();
        app.trash(&top).await;
        let token = app.token("editor").await;
        app.order(&token, &[&top.node_id, &files[7].node_id]).await;
        let mut messages = app.messages();
        messages.sort_by_key(|message| (message.package.id == top.id) == file_first);
        app.run(&messages[0]).await.unwrap();
        app.run(&messages[1]).await.unwrap();
        let all: Vec<Package> = files.iter().chain([&top, &sub]).cloned().collect();
        assert_restored(&app, &all).await;

        app.trash(&top).await;
        app.order(&token, &[&top.node_id, &files[3].node_id]).await;
        let messages = app.messages();
        let (a, b) = tokio::join!(app.run(&messages[0]), app.run(&messages[1]));
        a.and(b).unwrap();
        assert_restored(&app, &all).await;
    }
}

#[tokio::test]
async fn a_stale_or_forged_message_moves_nothing() {
    let app = TestApp::start().await;
    let other = app.workspace.dataset("Other").await.unwrap();
    let (_, good) = ordered(&app).await;
    let live = app.file(None, "live", b"-").await;
    let deleted = app.file(None, "deleted", b"-").await;
    app.trash(&deleted).await;
    let message = |package: &Package| {
        let mut message = good.clone();
        (message.package.id, message.package.node_id) = (package.id, package.node_id.clone());
        message.package.name = format!("__DELETED__{}_renamed", package.node_id);
        message
    };
    let mut elsewhere = good.clone();
    elsewhere.dataset = other.id;
    let mut mismatched = good.clone();
    mismatched.package.node_id = live.node_id.clone();
    for forged in [message(&live), message(&deleted), elsewhere, mismatched] {
        assert_eq!(app.run(&forged).await.unwrap().restored, 0);
    }
    assert_eq!(app.row(live.id).await, ("READY".into(), "live".into()));
    assert_eq!(app.row(deleted.id).await.0, "DELETED");
    assert_eq!(app.row(good.package.id).await.0, "RESTORING");
}

#[tokio::test]
async fn a_package_whose_bytes_are_lost_stays_in_the_trash_and_sinks_nobody() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let files = app.files(&folder, 4).await;
    app.workspace.populate().await.unwrap();
    app.trash(&folder).await;
    let lost = &files[2];
    let key = app.keys(lost).await.remove(0);
    for version in app.store.versions(STORAGE, &key).iter().filter(|version| !version.delete_marker) {
        app.store.delete_version(STORAGE, &key, &version.id).unwrap();
    }
    let outcomes = app.restore(&folder).await;
    assert_eq!((outcomes[0].restored, outcomes[0].failed), (4, 1));
    assert_eq!(app.row(lost.id).await.0, "DELETED");
    assert!(app.store.versions(STORAGE, &key)[0].delete_marker, "its marker is not touched");
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
    let outcomes = app.restore(lost).await;
    assert_eq!((outcomes[0].restored, outcomes[0].failed), (0, 1));
    assert_eq!(app.row(folder.id).await.0, "DELETED");
    let progress = app.progress(&app.token("viewer").await, lost).await;
    assert_eq!((&progress["state"], progress["failed"].as_array().unwrap().len()), (&json!("DELETED"), 1));
}

#[tokio::test]
async fn a_marker_that_is_gone_already_and_two_on_top_of_each_other_are_no_trouble() {
    let app = TestApp::start().await;
    let gone = app.file(None, "gone", b"-").await;
    let twice = app.file(None, "twice", b"-").await;
    app.trash(&gone).await;
    app.trash(&twice).await;
    let key = app.keys(&gone).await.remove(0);
    let marker = app.store.versions(STORAGE, &key)[0].id.clone();
    app.store.delete_version(STORAGE, &key, &marker).unwrap();
    app.store.delete_marker(STORAGE, &app.keys(&twice).await[0]).unwrap();
    for package in [&gone, &twice] {
        app.restore(package).await;
        assert_eq!(app.row(package.id).await.0, "READY");
        let versions = app.store.versions(STORAGE, &app.keys(package).await[0]);
        assert_eq!(versions.len(), 1);
        assert!(!versions[0].delete_marker);
    }
}

#[tokio::test]
async fn s3_may_be_slow_throttle_or_hang_up() {
    let app = TestApp::start().await;
    let (packages, message) = ordered(&app).await;
    app.faults.fail("ListObjectVersions", 2, Failure::SlowDown);
    app.faults.fail("DeleteObjects", 1, Failure::InternalError);
    app.faults.drop_connection("DeleteObjects", 1);
    app.faults.fail_key(&app.keys(&packages[3]).await[0], 2, Failure::SlowDown);
    app.run(&message).await.unwrap();
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_loss() {
    let app = TestApp::start().await;
    let (packages, message) = ordered(&app).await;
    app.faults.lose_answer("DeleteObjects", 1);
    app.run(&message).await.unwrap();
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn what_s3_refuses_for_good_is_reported_and_the_rest_comes_back() {
    let app = TestApp::start().await;
    let (packages, message) = ordered(&app).await;
    app.faults.fail_key(&app.keys(&packages[3]).await[0], 1, Failure::AccessDenied);
    let outcome = app.run(&message).await.unwrap();
    assert_eq!((outcome.restored, outcome.failed), (packages.len() - 1, 1));
    assert_eq!(app.row(packages[3].id).await.0, "DELETED");
    app.assert_counted().await;
}

#[tokio::test]
async fn when_the_last_attempt_has_failed_nothing_is_left_in_limbo() {
    let app = TestApp::start().await;
    let (packages, message) = ordered(&app).await;
    app.faults.fail("ListObjectVersions", 100, Failure::AccessDenied);
    app.faults.fail("DeleteObjects", 100, Failure::InternalError);
    app.faults.reset();
    app.faults.fail("ListObjectVersions", 1000, Failure::InternalError);
    assert!(app.run(&message).await.is_err());
    assert_eq!(app.row(packages[0].id).await.0, "RESTORING");
    restore::give_up(&app.app.db, &message, "the storage did not answer").await.unwrap();
    for package in &packages {
        let (state, name) = app.row(package.id).await;
        assert_eq!(state, "DELETED");
        assert!(name.starts_with("__DELETED__"), "{name}");
    }
    assert_eq!(orders(&app).await, 0);
    let progress = app.progress(&app.token("viewer").await, &packages[0]).await;
    assert_eq!(progress["failed"][0]["reason"], "the storage did not answer");

    app.faults.reset();
    app.restore(&packages[0]).await;
    assert_restored(&app, &packages).await;
    let progress = app.progress(&app.token("viewer").await, &packages[0]).await;
    assert_eq!(progress["failed"], json!([]));
}

#[tokio::test]
async fn what_the_queue_does_not_take_goes_back_to_the_trash() {
    let mut app = TestApp::start().await;
    let package = app.file(None, "a", b"-").await;
    app.trash(&package).await;
    let (closed, _) = tokio::sync::mpsc::unbounded_channel();
    app.app.queue = packages::queue::Queue::InProcess(closed);
    app.at(packages::clock::Clock::System);
    let answer = app.order(&app.token("editor").await, &[&package.node_id]).await.json();
    assert_eq!(answer["success"], json!([]));
    assert!(answer["failures"][0]["error"].as_str().unwrap().contains("try again"));
    assert_eq!(app.row(package.id).await.0, "DELETED");
    assert_eq!(orders(&app).await, 0);
}

#[tokio::test]
async fn an_upload_may_take_the_name_while_the_package_comes_back() {
    let app = TestApp::start().await;
    let package = app.file(None, "contested.txt", b"-").await;
    app.trash(&package).await;
    app.order(&app.token("editor").await, &[&package.node_id]).await;
    let message = app.messages().remove(0);

    // An upload that has the name, but has not committed: our look does not see it, our update waits for it.
    let upload = local::testing::connect(local::testing::database().await).await.unwrap();
    upload
        .batch_execute(&format!(
            r#"BEGIN; INSERT INTO "{}".packages (name, type, state, dataset_id, node_id)
               VALUES ('contested.txt', 'CSV', 'READY', {}, 'N:package:upload')"#,
            app.workspace.id, app.dataset.id
        ))
        .await
        .unwrap();
    let mut run = pin!(app.run(&message));
    let waiting = tokio::time::timeout(std::time::Duration::from_millis(300), &mut run).await;
    assert!(waiting.is_err(), "it waits for the upload");
    upload.batch_execute("COMMIT").await.unwrap();
    run.await.unwrap();
    assert_eq!(app.row(package.id).await, ("READY".into(), "contested-restored_1.txt".into()));
}
