//! The queue of orders with the workers of a server: a bounded number of them, shared fairly by datasets.

use std::{sync::Arc, time::Duration};

use packages::id::PackageNodeId;
use restore::Restorer;
use server::worker::WorkerThread;
use tokio::sync::Notify;

use crate::app::{TestApp, wait_until};

/// Starts the workers of a server, with their own connections. They poll: no test wakes them.
fn start_workers(app: &TestApp) -> WorkerThread {
    let restorer = Restorer { db: app.open_db(6), ..app.restorer.clone() };
    WorkerThread::start(restorer, Arc::new(Notify::new()), Duration::from_hours(24)).unwrap()
}

async fn order_packages(app: &TestApp, packages: &[&PackageNodeId]) {
    assert_eq!(app.order_restore(&app.create_token("editor").await, packages).await.status, 200);
}

#[tokio::test]
async fn repeated_orders_are_one_row() {
    let app = TestApp::start_with_own_database().await;
    let file = app.create_file(None, "file", b"-").await;
    app.trash_package(&file).await;
    for _ in 0..50 {
        order_packages(&app, &[&file.node_id]).await;
    }
    let sql = "SELECT (SELECT count(*) FROM packages_service.restore_orders),
                      (SELECT count(*) FROM packages_service.restore_queue),
                      (SELECT count(*) FROM packages_service.restore_claims)";
    let row = app.workspace.client.query_one(sql, &[]).await.unwrap();
    assert_eq!([row.get::<_, i64>(0), row.get(1), row.get(2)], [1, 1, 0]);
    assert_eq!(app.run_orders().await.restored, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_dataset_uses_one_worker_and_other_datasets_continue() {
    let mut app = TestApp::start_with_own_database().await;
    let (other, single) = app.trash_in_other_dataset().await;
    let folder = app.create_folder(None, "folder").await;
    let files = app.create_files(&folder, 5).await;
    app.trash_package(&folder).await;
    let held = local::testing::connect(&app.database).await.unwrap();
    let sql = format!(
        r#"BEGIN; SELECT 1 FROM "{}".packages WHERE id = {} FOR UPDATE"#,
        app.workspace.id, files[4].id
    );
    held.batch_execute(&sql).await.unwrap();
    // More orders than workers.
    order_packages(&app, &[&folder.node_id]).await;
    for file in &files[..4] {
        order_packages(&app, &[&file.node_id]).await;
    }
    let _workers = start_workers(&app);
    let home = std::mem::replace(&mut app.dataset, other);
    order_packages(&app, &[&single.node_id]).await;
    wait_until("the file in the other dataset is restored", async || {
        app.load_row(single.id).await.0 == "READY"
    })
    .await;
    assert_ne!(app.load_row(files[4].id).await.0, "READY", "its row is locked");

    held.batch_execute("ROLLBACK").await.unwrap();
    app.dataset = home;
    wait_until("the folder is restored", async || app.load_row(files[4].id).await.0 == "READY").await;
    wait_until("no order is left", async || app.count_unfinished_orders().await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_dataset_does_not_delay_other_datasets() {
    let mut app = TestApp::start_with_own_database().await;
    let _workers = start_workers(&app);
    let (other, single) = app.trash_in_other_dataset().await;
    let broken = app.create_file(None, "broken", b"-").await;
    app.trash_package(&broken).await;
    let sql = r#"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
                 CREATE TRIGGER refuse BEFORE UPDATE ON "WORKSPACE".packages FOR EACH ROW
                 WHEN (NEW.id = BROKEN AND NEW.state = 'READY') EXECUTE FUNCTION refuse()"#;
    app.run_sql(&sql.replace("BROKEN", &broken.id.to_string())).await;
    order_packages(&app, &[&broken.node_id]).await;
    let home = std::mem::replace(&mut app.dataset, other);
    order_packages(&app, &[&single.node_id]).await;
    wait_until("the file in the other dataset is restored", async || {
        app.load_row(single.id).await.0 == "READY"
    })
    .await;
    app.dataset = home;
    wait_until("the broken order is abandoned", async || app.load_row(broken.id).await.0 == "DELETED").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_the_work() {
    let app = TestApp::start_with_own_database().await;
    let _servers = [start_workers(&app), start_workers(&app)];
    let mut folders = Vec::new();
    for n in 0..3 {
        let folder = app.create_folder(None, &format!("folder {n}")).await;
        app.create_files(&folder, 20).await;
        folders.push(folder);
    }
    app.workspace.populate_usage().await.unwrap();
    for folder in &folders {
        app.trash_package(folder).await;
        order_packages(&app, &[&folder.node_id]).await;
    }
    wait_until("all orders are finished", async || app.count_unfinished_orders().await == 0).await;
    for folder in &folders {
        assert_eq!(app.load_row(folder.id).await.0, "READY");
    }
    app.assert_usage_is_exact().await;
}
