//! Panics in restores. A panic is an error like others: the dataset is tried again and finally given up. No package stays
//! RESTORING, and the server's workers continue.

use std::{sync::Arc, time::Duration};

use aws::Clock;
use local::testing::PanickingRecorder;
use metric_names::{RESTORED_PACKAGES, RESTORES_TOTAL};
use metrics::set_default_local_recorder;
use restore::{RUN_FAILED_REASON, Restorer, process_next};
use server::worker::WorkerThread;
use tokio::sync::Notify;

use crate::{
    app::{TestApp, wait_until},
    restore_faults::{assert_restored, order_deleted_tree},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_gives_up_a_restore_that_panics_and_continues() {
    let app = TestApp::start_with_own_database().await;
    let packages = order_deleted_tree(&app).await;
    // No date has so many seconds: the changelog's events cannot be built.
    let restorer = Restorer { db: app.open_db(6), clock: Clock::Fixed(u64::MAX), ..app.restorer.clone() };
    let workers = WorkerThread::start(restorer, Arc::new(Notify::new()), Duration::from_hours(24)).unwrap();
    wait_until("it is given up", async || app.count_unfinished_orders().await == 0).await;
    for package in &packages {
        assert_eq!(app.load_row(package.id).await.0, "DELETED");
    }
    let progress = app.load_progress(&app.create_token("viewer").await, &packages[2]).await;
    assert_eq!(progress["failed"][0]["reason"], RUN_FAILED_REASON);

    // The same workers take the next order.
    app.order_restore(&app.create_token("editor").await, &[&packages[0].node_id]).await;
    wait_until("it is given up again", async || app.count_unfinished_orders().await == 0).await;
    drop(workers);
    app.restore_package(&packages[0]).await;
    assert_restored(&app, &packages).await;
}

#[tokio::test]
async fn a_panic_beside_the_run_itself_loses_nothing() {
    for metric in [RESTORED_PACKAGES.name, RESTORES_TOTAL.name] {
        let app = TestApp::start_with_own_database().await;
        let packages = order_deleted_tree(&app).await;
        let recorder = PanickingRecorder::new(metric);
        let guard = set_default_local_recorder(&recorder);
        assert!(process_next(&app.restorer).await.unwrap(), "{metric}");
        drop(guard);
        assert!(recorder.has_panicked(), "{metric}");
        assert_restored(&app, &packages).await;
    }
}

#[tokio::test]
async fn a_panic_while_a_failure_is_recorded_counts_as_an_attempt() {
    let app = TestApp::start_with_own_database().await;
    let packages = order_deleted_tree(&app).await;
    app.run_sql(
        r#"ALTER TABLE "WORKSPACE".package_storage ADD CONSTRAINT broken CHECK (size < 0) NOT VALID"#,
    )
    .await;
    let recorder = PanickingRecorder::new(RESTORES_TOTAL.name);
    let guard = set_default_local_recorder(&recorder);
    wait_until("it is given up", async || {
        process_next(&app.restorer).await.unwrap();
        app.count_unfinished_orders().await == 0
    })
    .await;
    drop(guard);
    assert!(recorder.has_panicked());
    for package in &packages {
        assert_eq!(app.load_row(package.id).await.0, "DELETED");
    }
    assert_eq!(app.run_orders().await.restored, 0);
    app.assert_nothing_pending().await;
}
