//! A restore that loses its connection to Postgres at each of its statements in turn, once before the statement is carried
//! out and once after, and that loses each of its calls to S3: whoever comes next finishes it, and the end is the same.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use database::Db;
use local::workspace::Package;
use restore::{self, Restorer, RunWindow};

use crate::{
    app::{STORAGE, TestApp},
    wire::{Flow, Listener, database_through},
};

/// When a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Postgres does not hear of the statement.
    Before,
    /// Postgres has carried the statement out, and the service does not hear of that.
    After,
}

/// Cuts a connection at a statement, counted over all connections.
struct Cutter {
    at: usize,
    moment: Moment,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    statements: usize,
    /// The connection whose answer is lost.
    losing: Option<usize>,
    has_cut: bool,
}

impl Listener for Cutter {
    fn request(&self, connection: usize, tag: u8, _: &[u8]) -> Flow {
        let mut state = self.state.lock().unwrap();
        if !matches!(tag, b'P' | b'Q') {
            return Flow::Pass;
        }
        state.statements += 1;
        if state.statements != self.at {
            return Flow::Pass;
        }
        state.has_cut = true;
        if self.moment == Moment::Before {
            return Flow::Cut;
        }
        state.losing = Some(connection);
        Flow::Pass
    }

    fn answer(&self, connection: usize, tag: u8, _: &[u8]) -> Flow {
        let state = self.state.lock().unwrap();
        match (state.losing == Some(connection), tag) {
            (false, _) => Flow::Pass,
            (true, b'Z') => Flow::Cut,
            (true, _) => Flow::Lose,
        }
    }
}

/// A folder with a folder in it, three files, and one whose name is taken; in the trash, and ordered.
async fn ordered(app: &TestApp) -> Vec<Package> {
    let top = app.folder(None, "top").await;
    let sub = app.folder(Some(&top), "sub").await;
    let mut packages = app.files(&sub, 3).await;
    packages.push(app.file(Some(&top), "taken", b"hello").await);
    app.workspace.populate_usage().await.unwrap();
    app.trash(&top).await;
    app.file(Some(&top), "taken", b"").await;
    app.order(&app.token("editor").await, &[&top.node_id]).await;
    packages.extend([top, sub]);
    packages
}

/// Goes on as a worker would whom nothing disturbs.
async fn finish(app: &TestApp) {
    app.expire_leases().await;
    app.work().await;
    app.deliver_all().await;
}

async fn assert_restored(app: &TestApp, packages: &[Package], when: &str) {
    for package in packages {
        let (state, name) = app.row(package.id).await;
        assert_eq!(state, "READY", "{when}");
        assert!(!name.contains("__DELETED__"), "{name} {when}");
        for key in app.keys(package).await {
            assert!(!app.store.list_versions(STORAGE, &key)[0].delete_marker, "{when}");
        }
    }
    let names = app.row(packages[3].id).await.1;
    assert_eq!(names, "taken-restored_1", "{when}");
    app.assert_counted().await;
    app.assert_idle().await;
    let events = app.changelog().0;
    let told: BTreeSet<_> = events.iter().map(|event| event["eventDetail"]["id"].to_string()).collect();
    assert_eq!(told.len(), packages.len(), "every event, at least once, {when}");
    let top = &packages[packages.len() - 2];
    let progress = app.progress(&app.token("viewer").await, top).await;
    let numbers = ["total", "restored", "failures"].map(|name| progress[name].as_u64());
    assert_eq!(numbers, [Some(5), Some(5), Some(0)], "{when}");
}

#[tokio::test]
async fn a_connection_may_be_lost_before_and_after_each_statement() {
    let mut cuts = 0;
    for at in 1.. {
        for moment in [Moment::Before, Moment::After] {
            let app = TestApp::start().await;
            let packages = ordered(&app).await;
            let cutter = Arc::new(Cutter { at, moment, state: Mutex::default() });
            let db = Db::new(database_through(Arc::clone(&cutter)).await, 4).unwrap();
            let restorer = Restorer { db, ..app.restorer.clone() };
            let window = RunWindow::until(tokio::time::Instant::now() + std::time::Duration::from_mins(1));
            // Whether that run is told of a failure or has tried again is its own affair.
            let _ = restore::process_dataset(&restorer, app.key(), window).await;
            finish(&app).await;
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
        for moment in [Moment::Before, Moment::After] {
            let app = TestApp::start().await;
            let packages = ordered(&app).await;
            match moment {
                Moment::Before => app.faults.drop_requests(operation, 1),
                Moment::After => app.faults.drop_responses(operation, 1),
            }
            app.run().await.unwrap();
            finish(&app).await;
            assert_restored(&app, &packages, &format!("{moment:?} {operation}")).await;
        }
    }
}
