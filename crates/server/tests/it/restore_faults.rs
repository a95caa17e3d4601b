//! Restores that are interrupted, repeated or concurrent, and S3 that fails on every attempt.

use std::{collections::BTreeSet, pin::pin};

use aws::{HttpClient, JsonClient, SqsQueue};
use local::{
    aws::scripted::{ScriptedReply, ScriptedServer},
    faults::InjectedError,
    workspace::Package,
};
use restore::{self, RestoreError, RestoreMessage, RunOutcome, RunStatus, queue::WorkerQueue};
use serde_json::json;

use crate::{
    app::{STORAGE, TestApp, build_router, wait_until},
    interrupt::run_for_polls,
    limits::count_waiting_statements,
};

/// Deletes and orders a folder with a folder and files.
pub(crate) async fn order_deleted_tree(app: &TestApp) -> Vec<Package> {
    let top = app.create_folder(None, "top").await;
    let sub = app.create_folder(Some(&top), "sub").await;
    let mut packages = app.create_files(&sub, 5).await;
    packages.push(app.create_file(Some(&top), "file", b"hello").await);
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&top).await;
    app.order_restore(&app.create_token("editor").await, &[&top.node_id]).await;
    packages.splice(0..0, [top, sub]);
    packages
}

pub(crate) async fn assert_restored(app: &TestApp, packages: &[Package]) {
    for package in packages {
        let (state, name) = app.load_row(package.id).await;
        assert_eq!(state, "READY");
        assert!(!name.contains("__DELETED__") && !name.contains("-restored"), "{name}");
        for key in app.load_keys(package).await {
            assert!(!app.store.list_versions(STORAGE, &key)[0].delete_marker);
        }
    }
    app.assert_usage_is_exact().await;
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn a_run_may_stop_anywhere_and_the_next_one_finishes() {
    let mut deaths = 0;
    for polls in 1.. {
        let app = TestApp::start().await;
        let packages = order_deleted_tree(&app).await;
        let died = run_for_polls(polls, app.run_worker()).await.is_none();
        app.expire_leases().await;
        app.run_orders().await;
        app.deliver_outbox().await;
        assert_restored(&app, &packages).await;
        let reported: BTreeSet<_> =
            app.read_changelog().0.iter().map(|event| event["eventDetail"]["id"].to_string()).collect();
        assert_eq!(reported.len(), packages.len(), "every event at least once");
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 20, "only {deaths} interruptions");
}

#[tokio::test]
async fn two_workers_at_once_do_the_work_once() {
    let app = TestApp::start().await;
    let packages = order_deleted_tree(&app).await;
    let (a, b) = tokio::join!(app.run_worker(), app.run_worker());
    let restored = a.unwrap().restored + b.unwrap().restored;
    assert_eq!(restored, packages.len());
    assert_restored(&app, &packages).await;
    assert_eq!(app.read_changelog().0.len(), packages.len());
}

#[tokio::test]
async fn a_worker_without_its_lease_changes_nothing() {
    let app = TestApp::start().await;
    let packages = order_deleted_tree(&app).await;
    app.faults.hold_requests("DeleteObjects");
    let next = async {
        app.wait_for_s3("DeleteObjects").await;
        app.expire_leases().await;
        // The next worker does not wait for the blocked one.
        app.faults.release_requests("DeleteObjects");
        app.run_worker().await
    };
    let (blocked, next) = tokio::join!(app.run_worker(), next);
    let restored = |outcome: Result<RunOutcome, RestoreError>| match outcome {
        Ok(outcome) => outcome.restored,
        Err(RestoreError::LeaseLost) => 0,
        Err(error) => panic!("{error}"),
    };
    assert!(restored(blocked) + restored(next) <= packages.len());
    app.run_orders().await;
    assert_restored(&app, &packages).await;
    assert_eq!(app.read_changelog().0.len(), packages.len(), "one event for each package");
}

#[tokio::test]
async fn the_lease_of_a_dead_worker_expires() {
    let app = TestApp::start().await;
    let packages = order_deleted_tree(&app).await;
    app.faults.hold_requests("DeleteObjects");
    tokio::select! {
        outcome = app.run_worker() => panic!("{outcome:?}"),
        () = app.wait_for_s3("DeleteObjects") => {}
    }
    app.faults.reset();
    let left = lease_seconds(&app).await;
    assert!((0.0..=10.0).contains(&left), "the lease lasts {left} s more");

    let polls = || app.app.db.statement_count();
    let before = polls();
    let mut next = pin!(app.run_orders());
    tokio::select! {
        outcome = &mut next => panic!("the lease did not hold: {outcome:?}"),
        () = wait_until("the next worker has polled the lease", async || polls() > before + 2) => {}
    }
    // Ten seconds later.
    app.run_sql(
        "UPDATE packages_service.restore_queue SET leased_until = leased_until - interval '10 seconds'
         WHERE workspace_id = WORKSPACE",
    )
    .await;
    next.await;
    assert_restored(&app, &packages).await;
}

/// How long the lease of the only dataset in the queue lasts.
async fn lease_seconds(app: &TestApp) -> f64 {
    let sql = "SELECT extract(epoch FROM leased_until - clock_timestamp())::float8
               FROM packages_service.restore_queue WHERE workspace_id = $1";
    app.workspace.client.query_one(sql, &[&app.workspace.id.0]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_file_and_its_folder_may_be_ordered_together_in_any_order() {
    for file_first in [true, false] {
        let app = TestApp::start().await;
        let top = app.create_folder(None, "top").await;
        let sub = app.create_folder(Some(&top), "sub").await;
        let files = app.create_files(&sub, 20).await;
        app.workspace.populate_usage().await.unwrap();
        app.trash_package(&top).await;
        let token = app.create_token("editor").await;
        let (first, second) = if file_first { (&files[7], &top) } else { (&top, &files[7]) };
        app.order_restore(&token, &[&first.node_id]).await;
        let outcome = app
            .run_orders_during_undelete(async { drop(app.order_restore(&token, &[&second.node_id]).await) })
            .await;
        assert_eq!(outcome.restored, 22);
        let all: Vec<Package> = files.iter().chain([&top, &sub]).cloned().collect();
        assert_restored(&app, &all).await;

        app.trash_package(&top).await;
        app.order_restore(&token, &[&top.node_id, &files[3].node_id]).await;
        app.run_orders().await;
        assert_restored(&app, &all).await;
    }
}

#[tokio::test]
async fn a_message_adopts_only_restoring_packages_without_an_order() {
    let app = TestApp::start().await;
    let other = app.workspace.create_dataset("Other").await.unwrap();
    let (live, deleted, stray) = (
        app.create_file(None, "live", b"-").await,
        app.create_file(None, "deleted", b"-").await,
        app.create_file(None, "stray", b"-").await,
    );
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&deleted).await;
    app.trash_package(&stray).await;
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
        assert_eq!(app.run_orders().await.restored, 0);
    }
    assert_eq!(app.load_row(live.id).await, ("READY".into(), "live".into()));
    assert_eq!(app.load_row(deleted.id).await.0, "DELETED");
    assert_eq!(app.load_row(stray.id).await.0, "RESTORING", "it has no order");

    restore::ensure_order(&app.app.db, &message(&stray)).await.unwrap();
    assert_eq!(app.run_orders().await.restored, 1);
    assert_eq!(app.load_row(stray.id).await, ("READY".into(), "stray".into()));
    app.assert_usage_is_exact().await;
}

#[tokio::test]
async fn restoring_packages_without_an_order_are_put_back_after_a_day() {
    let app = TestApp::start().await;
    let (old, fresh, held) = (
        app.create_file(None, "old", b"-").await,
        app.create_file(None, "fresh", b"-").await,
        app.create_file(None, "held", b"-").await,
    );
    for package in [&old, &fresh, &held] {
        app.trash_package(package).await;
    }
    app.workspace.set_state(&fresh, "RESTORING").await.unwrap();
    app.order_restore(&app.create_token("editor").await, &[&held.node_id]).await;
    app.run_sql(&format!(
        r#"ALTER TABLE "WORKSPACE".packages DISABLE TRIGGER USER;
           UPDATE "WORKSPACE".packages SET state = 'RESTORING', updated_at = now() - interval '25 hours' WHERE id IN ({}, {});
           ALTER TABLE "WORKSPACE".packages ENABLE TRIGGER USER"#,
        old.id, held.id
    ))
    .await;
    let day = std::time::Duration::from_hours(24);
    assert_eq!(restore::maintain_workspace(&app.restorer, app.workspace.id, day).await.unwrap(), 1);
    assert_eq!(app.load_row(old.id).await.0, "DELETED");
    assert_eq!(app.load_row(fresh.id).await.0, "RESTORING");
    assert_eq!(app.load_row(held.id).await.0, "RESTORING", "it has an order");
    let progress = app.load_progress(&app.create_token("viewer").await, &old).await;
    assert!(progress["failed"][0]["reason"].as_str().unwrap().contains("order it again"));
}

#[tokio::test]
async fn files_of_an_abandoned_order_keep_a_reason_when_their_folder_is_restored() {
    let app = TestApp::start().await;
    let packages = order_deleted_tree(&app).await;
    let broken =
        r#"ALTER TABLE "WORKSPACE".package_storage ADD CONSTRAINT broken CHECK (size < 0) NOT VALID"#;
    app.run_sql(broken).await;
    for _ in 0..restore::MAX_ATTEMPTS {
        assert!(app.run_worker().await.is_err());
    }
    app.run_sql(r#"ALTER TABLE "WORKSPACE".package_storage DROP CONSTRAINT broken"#).await;
    app.restore_package(&packages[2]).await;
    assert_eq!(app.load_row(packages[0].id).await.0, "READY");
    let progress = app.load_progress(&app.create_token("viewer").await, &packages[0]).await;
    assert_eq!(
        progress["failed"].as_array().unwrap().len(),
        5,
        "all files except the restored one: {progress}"
    );
    app.restore_package(&packages[0]).await;
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn after_the_last_failed_attempt_files_are_back_in_the_trash() {
    let app = TestApp::start().await;
    let packages = order_deleted_tree(&app).await;
    app.faults.fail_requests("ListObjectVersions", 1000, InjectedError::InternalError);
    let first = app.run_first_attempt().await;
    assert!(matches!(first.status, RunStatus::Continues(_)), "{first:?}");
    let outcome = app.run_orders().await;
    assert_eq!(outcome.failed, 6, "each file fails, the folders have no bytes");
    let viewer = app.create_token("viewer").await;
    let progress = app.load_progress(&viewer, &packages[0]).await;
    assert_eq!((&progress["failures"], &progress["order"]), (&json!(6), &json!("finished")));
    assert!(progress["failed"][0]["reason"].as_str().unwrap().contains("S3 did not answer"), "{progress}");
    for file in &packages[2..] {
        let (state, name) = app.load_row(file.id).await;
        assert_eq!(state, "DELETED");
        assert!(name.starts_with("__DELETED__"), "{name}");
    }
    app.assert_usage_is_exact().await;
    app.assert_nothing_pending().await;

    // The folder is live now. An order for it still restores the files in it.
    app.faults.reset();
    assert_eq!(app.restore_package(&packages[0]).await.restored, 6);
    assert_restored(&app, &packages).await;
    assert_eq!(app.load_progress(&viewer, &packages[0]).await["failed"], json!([]));
}

#[tokio::test]
async fn an_order_is_recorded_when_the_queue_is_unavailable() {
    let mut app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    app.trash_package(&package).await;
    let sqs = ScriptedServer::start(vec![ScriptedReply::Disconnect; 10]).await.unwrap();
    let client = JsonClient::sqs(&sqs.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    app.app.queue = WorkerQueue::Sqs(SqsQueue { client, url: "https://queue".to_owned() });
    app.router = build_router(&app.app);

    let response = app.order_restore(&app.create_token("editor").await, &[&package.node_id]).await.json();
    assert_eq!(response["success"], json!([package.node_id]));
    let message = sqs.requests().first().expect("the service sends a message").body.to_string();
    assert!(message.contains(package.node_id.as_str()), "{message}");
    assert_eq!(app.run_orders().await.restored, 1);
    assert_eq!(app.load_row(package.id).await.0, "READY");
}

#[tokio::test]
async fn an_order_is_abandoned_after_the_last_failed_run() {
    let app = TestApp::start().await;
    let packages = order_deleted_tree(&app).await;
    // This constraint makes Postgres refuse a statement of the transaction that restores.
    app.run_sql(
        r#"ALTER TABLE "WORKSPACE".package_storage ADD CONSTRAINT broken CHECK (size < 0) NOT VALID"#,
    )
    .await;
    for _ in 0..restore::MAX_ATTEMPTS {
        assert!(app.run_worker().await.is_err());
    }
    app.run_sql(r#"ALTER TABLE "WORKSPACE".package_storage DROP CONSTRAINT broken"#).await;
    assert_eq!(app.run_orders().await.restored, 0);
    for package in &packages {
        assert_eq!(app.load_row(package.id).await.0, "DELETED");
    }
    app.assert_nothing_pending().await;
    let progress = app.load_progress(&app.create_token("viewer").await, &packages[2]).await;
    assert_eq!(progress["failed"][0]["reason"], restore::RUN_FAILED_REASON);
    app.restore_package(&packages[0]).await;
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn an_upload_may_take_the_name_during_a_restore() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "contested.txt", b"-").await;
    app.trash_package(&package).await;
    app.order_restore(&app.create_token("editor").await, &[&package.node_id]).await;

    // An upload that has the name, but has not committed: our query does not see it, our update waits for it.
    let upload = local::testing::connect(local::testing::database_url().await).await.unwrap();
    upload
        .batch_execute(&format!(
            r#"BEGIN; INSERT INTO "{}".packages (name, type, state, dataset_id, node_id)
               VALUES ('contested.txt', 'CSV', 'READY', {}, 'N:package:upload')"#,
            app.workspace.id, app.dataset.id
        ))
        .await
        .unwrap();
    let mut run = pin!(app.run_worker());
    tokio::select! {
        outcome = &mut run => panic!("the run did not wait for the upload: {outcome:?}"),
        () = wait_until("the run waits for the upload", async || count_waiting_statements(&app).await == 1) => {}
    }
    upload.batch_execute("COMMIT").await.unwrap();
    run.await.unwrap();
    assert_eq!(app.load_row(package.id).await, ("READY".into(), "contested-restored_1.txt".into()));
}
