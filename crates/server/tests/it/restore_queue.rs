//! The queue of orders, with the workers of a server: bounded, and one dataset's work is not another's.

use std::{sync::Arc, time::Duration};

use packages::id::PackageNodeId;
use restore::Restorer;
use server::worker::WorkerThread;
use tokio::sync::Notify;

use crate::{app::TestApp, limits::until};

/// Workers as a server has them, with connections of their own. Nobody wakes them: they look by themselves.
fn start_workers(app: &TestApp) -> WorkerThread {
    let restorer = Restorer { db: app.separate_db(6), ..app.restorer.clone() };
    WorkerThread::start(restorer, Arc::new(Notify::new()), Duration::from_hours(24)).unwrap()
}

async fn order(app: &TestApp, packages: &[&PackageNodeId]) {
    assert_eq!(app.order(&app.token("editor").await, packages).await.status, 200);
}

#[tokio::test]
async fn an_order_is_one_row_however_often_it_is_asked_for() {
    let app = TestApp::start_alone().await;
    let file = app.file(None, "file", b"-").await;
    app.trash(&file).await;
    for _ in 0..50 {
        order(&app, &[&file.node_id]).await;
    }
    let sql = "SELECT (SELECT count(*) FROM packages_service.restore_orders),
                      (SELECT count(*) FROM packages_service.restore_queue),
                      (SELECT count(*) FROM packages_service.restore_claims)";
    let row = app.workspace.client.query_one(sql, &[]).await.unwrap();
    assert_eq!([row.get::<_, i64>(0), row.get(1), row.get(2)], [1, 1, 0]);
    assert_eq!(app.work().await.restored, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dataset_that_is_held_up_takes_one_worker_and_a_file_elsewhere_comes_back_meanwhile() {
    let mut app = TestApp::start_alone().await;
    let (other, single) = app.trash_elsewhere().await;
    let folder = app.folder(None, "folder").await;
    let files = app.files(&folder, 5).await;
    app.trash(&folder).await;
    let held = local::testing::connect(&app.database).await.unwrap();
    let sql = format!(
        r#"BEGIN; SELECT 1 FROM "{}".packages WHERE id = {} FOR UPDATE"#,
        app.workspace.id, files[4].id
    );
    held.batch_execute(&sql).await.unwrap();
    // More orders than there are workers, one after another.
    order(&app, &[&folder.node_id]).await;
    for file in &files[..4] {
        order(&app, &[&file.node_id]).await;
    }
    let _workers = start_workers(&app);
    let home = std::mem::replace(&mut app.dataset, other);
    order(&app, &[&single.node_id]).await;
    until("the file elsewhere is back", async || app.row(single.id).await.0 == "READY").await;
    assert_ne!(app.row(files[4].id).await.0, "READY", "it is held");

    held.batch_execute("ROLLBACK").await.unwrap();
    app.dataset = home;
    until("the folder is back", async || app.row(files[4].id).await.0 == "READY").await;
    until("nothing is left", async || app.unfinished().await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dataset_that_cannot_be_restored_delays_nobody() {
    let mut app = TestApp::start_alone().await;
    let _workers = start_workers(&app);
    let (other, single) = app.trash_elsewhere().await;
    let broken = app.file(None, "broken", b"-").await;
    app.trash(&broken).await;
    let sql = r#"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
                 CREATE TRIGGER refuse BEFORE UPDATE ON "WORKSPACE".packages FOR EACH ROW
                 WHEN (NEW.id = BROKEN AND NEW.state = 'READY') EXECUTE FUNCTION refuse()"#;
    app.sql(&sql.replace("BROKEN", &broken.id.to_string())).await;
    order(&app, &[&broken.node_id]).await;
    let home = std::mem::replace(&mut app.dataset, other);
    order(&app, &[&single.node_id]).await;
    until("the file elsewhere is back", async || app.row(single.id).await.0 == "READY").await;
    app.dataset = home;
    until("the other is given up", async || app.row(broken.id).await.0 == "DELETED").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_the_work() {
    let app = TestApp::start_alone().await;
    let _servers = [start_workers(&app), start_workers(&app)];
    let mut folders = Vec::new();
    for n in 0..3 {
        let folder = app.folder(None, &format!("folder {n}")).await;
        app.files(&folder, 20).await;
        folders.push(folder);
    }
    app.workspace.populate_usage().await.unwrap();
    for folder in &folders {
        app.trash(folder).await;
        order(&app, &[&folder.node_id]).await;
    }
    until("all are back", async || app.unfinished().await == 0).await;
    for folder in &folders {
        assert_eq!(app.row(folder.id).await.0, "READY");
    }
    app.assert_counted().await;
}
