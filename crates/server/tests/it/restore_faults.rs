//! Restores that are stopped, repeated or overlapped, and the storage that does not answer any of their attempts.

use std::{collections::BTreeSet, pin::pin};

use aws::{ClientConfig, HttpClient, JsonClient, SqsQueue};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use local::{faults::InjectedError, workspace::Package};
use restore::{
    self, RestoreError, RestoreMessage, RunOutcome, RunStatus, db::queue::LEASE_DURATION, queue::WorkerQueue,
};
use serde_json::json;
use signing::s3::Region;

use crate::{
    app::{STORAGE, TestApp},
    interrupt::interrupted,
};

/// A folder with a folder and files in the trash, ordered.
pub(crate) async fn ordered(app: &TestApp) -> Vec<Package> {
    let top = app.folder(None, "top").await;
    let sub = app.folder(Some(&top), "sub").await;
    let mut packages = app.files(&sub, 5).await;
    packages.push(app.file(Some(&top), "file", b"hello").await);
    app.workspace.populate_usage().await.unwrap();
    app.trash(&top).await;
    app.order(&app.token("editor").await, &[&top.node_id]).await;
    packages.splice(0..0, [top, sub]);
    packages
}

pub(crate) async fn assert_restored(app: &TestApp, packages: &[Package]) {
    for package in packages {
        let (state, name) = app.row(package.id).await;
        assert_eq!(state, "READY");
        assert!(!name.contains("__DELETED__") && !name.contains("-restored"), "{name}");
        for key in app.keys(package).await {
            assert!(!app.store.list_versions(STORAGE, &key)[0].delete_marker);
        }
    }
    app.assert_counted().await;
    app.assert_idle().await;
}

#[tokio::test]
async fn a_run_may_die_anywhere_and_the_next_one_finishes() {
    let mut deaths = 0;
    for polls in 1.. {
        let app = TestApp::start().await;
        let packages = ordered(&app).await;
        let died = interrupted(polls, app.run()).await.is_none();
        app.expire_leases().await;
        app.work().await;
        app.deliver_all().await;
        assert_restored(&app, &packages).await;
        let told: BTreeSet<_> =
            app.changelog().0.iter().map(|event| event["eventDetail"]["id"].to_string()).collect();
        assert_eq!(told.len(), packages.len(), "every event, at least once");
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 20, "only {deaths} points to die at");
}

#[tokio::test]
async fn two_workers_at_once_do_the_work_once() {
    let app = TestApp::start().await;
    let packages = ordered(&app).await;
    let (a, b) = tokio::join!(app.run(), app.run());
    let restored = a.unwrap().restored + b.unwrap().restored;
    assert_eq!(restored, packages.len());
    assert_restored(&app, &packages).await;
    assert_eq!(app.changelog().0.len(), packages.len());
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_changes_nothing_that_the_next_one_did() {
    let app = TestApp::start().await;
    let packages = ordered(&app).await;
    app.faults.hold_requests("DeleteObjects");
    let next = async {
        app.wait_for_s3("DeleteObjects").await;
        app.expire_leases().await;
        // The next worker does not wait for the one that is stuck.
        app.faults.release_requests("DeleteObjects");
        app.run().await
    };
    let (stuck, next) = tokio::join!(app.run(), next);
    let restored = |outcome: Result<RunOutcome, RestoreError>| match outcome {
        Ok(outcome) => outcome.restored,
        Err(RestoreError::LeaseLost) => 0,
        Err(error) => panic!("{error}"),
    };
    assert!(restored(stuck) + restored(next) <= packages.len());
    app.work().await;
    assert_restored(&app, &packages).await;
    assert_eq!(app.changelog().0.len(), packages.len(), "each is announced once");
}

#[tokio::test]
async fn the_lease_of_a_worker_that_died_expires() {
    let app = TestApp::start().await;
    let packages = ordered(&app).await;
    app.faults.hold_requests("DeleteObjects");
    tokio::select! {
        outcome = app.run() => panic!("{outcome:?}"),
        () = app.wait_for_s3("DeleteObjects") => {}
    }
    app.faults.reset();
    let begun = std::time::Instant::now();
    app.work().await;
    assert!(begun.elapsed() < LEASE_DURATION + std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn a_file_and_the_folder_around_it_may_be_restored_at_once_in_any_order() {
    for file_first in [true, false] {
        let app = TestApp::start().await;
        let top = app.folder(None, "top").await;
        let sub = app.folder(Some(&top), "sub").await;
        let files = app.files(&sub, 20).await;
        app.workspace.populate_usage().await.unwrap();
        app.trash(&top).await;
        let token = app.token("editor").await;
        let (first, second) = if file_first { (&files[7], &top) } else { (&top, &files[7]) };
        app.order(&token, &[&first.node_id]).await;
        let outcome =
            app.work_during_undelete(async { drop(app.order(&token, &[&second.node_id]).await) }).await;
        assert_eq!(outcome.restored, 22);
        let all: Vec<Package> = files.iter().chain([&top, &sub]).cloned().collect();
        assert_restored(&app, &all).await;

        app.trash(&top).await;
        app.order(&token, &[&top.node_id, &files[3].node_id]).await;
        app.work().await;
        assert_restored(&app, &all).await;
    }
}

#[tokio::test]
async fn a_message_takes_up_only_what_is_restoring_without_an_order() {
    let app = TestApp::start().await;
    let other = app.workspace.create_dataset("Other").await.unwrap();
    let (live, deleted, stray) = (
        app.file(None, "live", b"-").await,
        app.file(None, "deleted", b"-").await,
        app.file(None, "stray", b"-").await,
    );
    app.workspace.populate_usage().await.unwrap();
    app.trash(&deleted).await;
    app.trash(&stray).await;
    app.workspace.set_state(&stray, "RESTORING").await.unwrap();
    let message = |package: &Package| -> RestoreMessage {
        serde_json::from_value(json!({
            "orgId": app.workspace.id, "datasetId": app.dataset.id, "userId": "N:user:7",
            "package": {"id": package.id, "nodeId": package.node_id, "name": "renamed", "parentId": null, "type": 10},
        }))
        .unwrap()
    };
    let mut elsewhere = message(&stray);
    elsewhere.dataset = other.id;
    let mut mismatched = message(&stray);
    mismatched.package.node_id = live.node_id.clone();
    for forged in [message(&live), message(&deleted), elsewhere, mismatched] {
        restore::ensure_order(&app.app.db, &forged).await.unwrap();
        assert_eq!(app.work().await.restored, 0);
    }
    assert_eq!(app.row(live.id).await, ("READY".into(), "live".into()));
    assert_eq!(app.row(deleted.id).await.0, "DELETED");
    assert_eq!(app.row(stray.id).await.0, "RESTORING", "no restart takes it for an order");

    restore::ensure_order(&app.app.db, &message(&stray)).await.unwrap();
    assert_eq!(app.work().await.restored, 1);
    assert_eq!(app.row(stray.id).await, ("READY".into(), "stray".into()));
    app.assert_counted().await;
}

#[tokio::test]
async fn what_nobody_ordered_is_put_back_after_a_day() {
    let app = TestApp::start().await;
    let (old, fresh, held) = (
        app.file(None, "old", b"-").await,
        app.file(None, "fresh", b"-").await,
        app.file(None, "held", b"-").await,
    );
    for package in [&old, &fresh, &held] {
        app.trash(package).await;
    }
    app.workspace.set_state(&fresh, "RESTORING").await.unwrap();
    app.order(&app.token("editor").await, &[&held.node_id]).await;
    app.sql(&format!(
        r#"ALTER TABLE "WORKSPACE".packages DISABLE TRIGGER USER;
           UPDATE "WORKSPACE".packages SET state = 'RESTORING', updated_at = now() - interval '25 hours' WHERE id IN ({}, {});
           ALTER TABLE "WORKSPACE".packages ENABLE TRIGGER USER"#,
        old.id, held.id
    ))
    .await;
    let day = std::time::Duration::from_hours(24);
    assert_eq!(restore::maintain_workspace(&app.restorer, app.workspace.id, day).await.unwrap(), 1);
    assert_eq!(app.row(old.id).await.0, "DELETED");
    assert_eq!(app.row(fresh.id).await.0, "RESTORING");
    assert_eq!(app.row(held.id).await.0, "RESTORING", "its order is on record");
    let progress = app.progress(&app.token("viewer").await, &old).await;
    assert!(progress["failed"][0]["reason"].as_str().unwrap().contains("order it again"));
}

#[tokio::test]
async fn what_a_given_up_order_left_has_a_reason_also_when_the_folder_came_back_with_another() {
    let app = TestApp::start().await;
    let packages = ordered(&app).await;
    let broken =
        r#"ALTER TABLE "WORKSPACE".package_storage ADD CONSTRAINT broken CHECK (size < 0) NOT VALID"#;
    app.sql(broken).await;
    for _ in 0..restore::MAX_ATTEMPTS {
        assert!(app.run().await.is_err());
    }
    app.sql(r#"ALTER TABLE "WORKSPACE".package_storage DROP CONSTRAINT broken"#).await;
    app.restore(&packages[2]).await;
    assert_eq!(app.row(packages[0].id).await.0, "READY");
    let progress = app.progress(&app.token("viewer").await, &packages[0]).await;
    assert_eq!(progress["failed"].as_array().unwrap().len(), 5, "all files but the one: {progress}");
    app.restore(&packages[0]).await;
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn when_the_last_attempt_has_failed_nothing_is_left_in_limbo() {
    let app = TestApp::start().await;
    let packages = ordered(&app).await;
    app.faults.fail_requests("ListObjectVersions", 1000, InjectedError::InternalError);
    let first = app.run().await.unwrap();
    assert!(matches!(first.status, RunStatus::Continues(_)), "{first:?}");
    let outcome = app.work().await;
    assert_eq!(outcome.failed, 6, "each file by itself; the folders have no bytes");
    let viewer = app.token("viewer").await;
    let progress = app.progress(&viewer, &packages[0]).await;
    assert_eq!((&progress["failures"], &progress["order"]), (&json!(6), &json!("finished")));
    assert!(progress["failed"][0]["reason"].as_str().unwrap().contains("S3 did not answer"), "{progress}");
    for file in &packages[2..] {
        let (state, name) = app.row(file.id).await;
        assert_eq!(state, "DELETED");
        assert!(name.starts_with("__DELETED__"), "{name}");
    }
    app.assert_counted().await;
    app.assert_idle().await;

    // The folder is live now. What is in the trash beneath it comes back all the same.
    app.faults.reset();
    assert_eq!(app.restore(&packages[0]).await.restored, 6);
    assert_restored(&app, &packages).await;
    assert_eq!(app.progress(&viewer, &packages[0]).await["failed"], json!([]));
}

#[tokio::test]
async fn an_order_is_on_record_even_if_no_worker_can_be_woken() {
    let mut app = TestApp::start().await;
    let package = app.file(None, "a", b"-").await;
    app.trash(&package).await;
    app.app.queue = WorkerQueue::Sqs(SqsQueue {
        client: unreachable_sqs(),
        url: "http://127.0.0.1:1/1/orders".to_owned(),
    });
    app.at(aws::Clock::System);
    let answer = app.order(&app.token("editor").await, &[&package.node_id]).await.json();
    assert_eq!(answer["success"], json!([package.node_id]));
    assert_eq!(app.work().await.restored, 1);
    assert_eq!(app.row(package.id).await.0, "READY");
}

fn unreachable_sqs() -> JsonClient {
    let credentials = Credentials::new("AKID", "key", None, None, "test");
    let settings = ClientConfig {
        region: Region::new("us-east-1").unwrap(),
        credentials: SharedCredentialsProvider::new(credentials),
        endpoint: Some("http://127.0.0.1:1".to_owned()),
        clock: aws::Clock::System,
    };
    JsonClient::sqs(&settings, HttpClient::new().unwrap()).unwrap()
}

#[tokio::test]
async fn a_run_that_fails_several_times_is_given_up() {
    let app = TestApp::start().await;
    let packages = ordered(&app).await;
    // A statement that Postgres refuses, in the transaction that would restore.
    app.sql(r#"ALTER TABLE "WORKSPACE".package_storage ADD CONSTRAINT broken CHECK (size < 0) NOT VALID"#)
        .await;
    for _ in 0..restore::MAX_ATTEMPTS {
        assert!(app.run().await.is_err());
    }
    app.sql(r#"ALTER TABLE "WORKSPACE".package_storage DROP CONSTRAINT broken"#).await;
    assert_eq!(app.work().await.restored, 0);
    for package in &packages {
        assert_eq!(app.row(package.id).await.0, "DELETED");
    }
    app.assert_idle().await;
    let progress = app.progress(&app.token("viewer").await, &packages[2]).await;
    assert_eq!(progress["failed"][0]["reason"], restore::RUN_FAILED);
    app.restore(&packages[0]).await;
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn an_upload_may_take_the_name_while_the_package_comes_back() {
    let app = TestApp::start().await;
    let package = app.file(None, "contested.txt", b"-").await;
    app.trash(&package).await;
    app.order(&app.token("editor").await, &[&package.node_id]).await;

    // An upload that has the name, but has not committed: our look does not see it, our update waits for it.
    let upload = local::testing::connect(local::testing::database_url().await).await.unwrap();
    upload
        .batch_execute(&format!(
            r#"BEGIN; INSERT INTO "{}".packages (name, type, state, dataset_id, node_id)
               VALUES ('contested.txt', 'CSV', 'READY', {}, 'N:package:upload')"#,
            app.workspace.id, app.dataset.id
        ))
        .await
        .unwrap();
    let mut run = pin!(app.run());
    let waiting = tokio::time::timeout(std::time::Duration::from_millis(300), &mut run).await;
    assert!(waiting.is_err(), "it waits for the upload");
    upload.batch_execute("COMMIT").await.unwrap();
    run.await.unwrap();
    assert_eq!(app.row(package.id).await, ("READY".into(), "contested-restored_1.txt".into()));
}
