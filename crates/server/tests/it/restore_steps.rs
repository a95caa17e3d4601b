//! A restore loses its connection to Postgres before and after each of its statements, and each of its calls to S3. The next
//! run finishes it with the same result.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use database::Db;
use local::workspace::Package;
use restore::{self, Restorer, RunWindow};

use crate::{
    app::{STORAGE, TestApp},
    postgres_proxy::{Flow, MessageObserver, proxied_database},
};

/// When a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CutMoment {
    /// Postgres does not receive the statement.
    Before,
    /// Postgres executes the statement, and the service does not receive the response.
    After,
}

/// Closes the connection at one statement, counted over all connections.
struct ConnectionCutter {
    at: usize,
    moment: CutMoment,
    state: Mutex<CutterState>,
}

#[derive(Default)]
struct CutterState {
    statements: usize,
    /// The connection whose response is dropped.
    losing: Option<usize>,
    has_cut: bool,
}

impl MessageObserver for ConnectionCutter {
    fn on_request(&self, connection: usize, tag: u8, _: &[u8]) -> Flow {
        let mut state = self.state.lock().unwrap();
        if !matches!(tag, b'P' | b'Q') {
            return Flow::Forward;
        }
        state.statements += 1;
        if state.statements != self.at {
            return Flow::Forward;
        }
        state.has_cut = true;
        if self.moment == CutMoment::Before {
            return Flow::Disconnect;
        }
        state.losing = Some(connection);
        Flow::Forward
    }

    fn on_response(&self, connection: usize, tag: u8, _: &[u8]) -> Flow {
        let state = self.state.lock().unwrap();
        match (state.losing == Some(connection), tag) {
            (false, _) => Flow::Forward,
            (true, b'Z') => Flow::Disconnect,
            (true, _) => Flow::Drop,
        }
    }
}

/// Deletes and orders a folder with a folder, three files, and a file whose name is taken.
async fn order_deleted_tree(app: &TestApp) -> Vec<Package> {
    let top = app.create_folder(None, "top").await;
    let sub = app.create_folder(Some(&top), "sub").await;
    let mut packages = app.create_files(&sub, 3).await;
    packages.push(app.create_file(Some(&top), "taken", b"hello").await);
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&top).await;
    app.create_file(Some(&top), "taken", b"").await;
    app.order_restore(&app.create_token("editor").await, &[&top.node_id]).await;
    packages.extend([top, sub]);
    packages
}

/// Runs what is left, as an undisturbed worker.
async fn run_remaining_orders(app: &TestApp) {
    app.expire_leases().await;
    app.run_orders().await;
    app.deliver_outbox().await;
}

async fn assert_restored(app: &TestApp, packages: &[Package], when: &str) {
    for package in packages {
        let (state, name) = app.load_row(package.id).await;
        assert_eq!(state, "READY", "{when}");
        assert!(!name.contains("__DELETED__"), "{name} {when}");
        for key in app.load_keys(package).await {
            assert!(!app.store.list_versions(STORAGE, &key)[0].delete_marker, "{when}");
        }
    }
    let names = app.load_row(packages[3].id).await.1;
    assert_eq!(names, "taken-restored_1", "{when}");
    app.assert_usage_is_exact().await;
    app.assert_nothing_pending().await;
    let events = app.read_changelog().0;
    let reported: BTreeSet<_> = events.iter().map(|event| event["eventDetail"]["id"].to_string()).collect();
    assert_eq!(reported.len(), packages.len(), "every event at least once, {when}");
    let top = &packages[packages.len() - 2];
    let progress = app.load_progress(&app.create_token("viewer").await, top).await;
    let numbers = ["total", "restored", "failures"].map(|name| progress[name].as_u64());
    assert_eq!(numbers, [Some(5), Some(5), Some(0)], "{when}");
}

#[tokio::test]
async fn a_connection_may_be_lost_before_and_after_each_statement() {
    let mut cuts = 0;
    for at in 1.. {
        for moment in [CutMoment::Before, CutMoment::After] {
            let app = TestApp::start().await;
            let packages = order_deleted_tree(&app).await;
            let cutter = Arc::new(ConnectionCutter { at, moment, state: Mutex::default() });
            let db = Db::new(proxied_database(Arc::clone(&cutter)).await, 4).unwrap();
            let restorer = Restorer { db, ..app.restorer.clone() };
            let window =
                RunWindow::ending_at(tokio::time::Instant::now() + std::time::Duration::from_mins(1));
            // This run may fail or retry; both are allowed.
            let _ = restore::process_dataset(&restorer, app.dataset_key(), window).await;
            run_remaining_orders(&app).await;
            assert_restored(&app, &packages, &format!("{moment:?} statement {at}")).await;
            if !cutter.state.lock().unwrap().has_cut {
                assert!(cuts > 30, "only {cuts} cuts");
                return;
            }
            cuts += 1;
        }
    }
}

#[tokio::test]
async fn each_call_to_s3_may_be_lost_before_and_after() {
    for operation in ["ListObjectVersions", "DeleteObjects"] {
        for moment in [CutMoment::Before, CutMoment::After] {
            let app = TestApp::start().await;
            let packages = order_deleted_tree(&app).await;
            match moment {
                CutMoment::Before => app.faults.drop_requests(operation, 1),
                CutMoment::After => app.faults.drop_responses(operation, 1),
            }
            app.run_worker().await.unwrap();
            run_remaining_orders(&app).await;
            assert_restored(&app, &packages, &format!("{moment:?} {operation}")).await;
        }
    }
}
