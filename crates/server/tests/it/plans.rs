//! The cost of a statement depends on its subject, not on the size of the tenant: no statement reads a whole table of
//! packages or files.

mod decisions;
mod recorder;

use axum::body::Body;
use local::workspace::{PackageTree, TreeShape, TreeSpec};
use recorder::{PlanRecorder, has_auto_explain};
use serde_json::json;

use crate::app::{STORAGE, TestApp, build_request};

/// Files in each tree. The planner chooses the index from about a thousand.
const FILES_PER_TREE: usize = 20_000;

/// A service whose statements are recorded.
async fn start_recorded_app() -> (PlanRecorder, TestApp) {
    let plans = PlanRecorder::start().await;
    let mut app = TestApp::start().await;
    app.set_db(plans.open_db());
    (plans, app)
}

/// Rows of other workspaces in the service's own tables, and statistics of these rows only. The planner then expects no row
/// of any other workspace. No other test and no autovacuum changes the statistics of this database.
const STATISTICS_OF_OTHERS: &str = "
    ALTER TABLE packages_service.restore_orders SET (autovacuum_enabled = off);
    ALTER TABLE packages_service.restore_claims SET (autovacuum_enabled = off);
    ALTER TABLE packages_service.restore_failures SET (autovacuum_enabled = off);
    INSERT INTO packages_service.restore_orders
        (workspace_id, package_id, dataset_id, user_node_id, claimed_at, within_id, finished_at)
    SELECT workspace, id, workspace, 'N:user:other', now(), CASE WHEN id % 3 = 0 THEN id - 1 END, CASE WHEN id % 2 = 0 THEN now() END
    FROM generate_series(900001, 900005) workspace, generate_series(1, 500) id;
    INSERT INTO packages_service.restore_claims (workspace_id, package_id, dataset_id, order_id, position)
    SELECT workspace, id, workspace, id, id FROM generate_series(900001, 900005) workspace, generate_series(1, 500) id;
    INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason, order_id)
    SELECT workspace, id, 'a reason', id FROM generate_series(900001, 900005) workspace, generate_series(1, 500) id;
    ANALYZE packages_service.restore_orders, packages_service.restore_claims, packages_service.restore_failures";

/// Fails if a node of a plan read as many rows as a look-up for each package reads that uses the wrong index.
fn assert_small_effort(plans: &PlanRecorder, what: &str) {
    let (effort, node) = plans.find_most_rows_read();
    assert!(effort < 100_000.0, "{what}: {effort} rows in {node}");
}

pub(crate) async fn fill_live_tree(app: &TestApp, shape: TreeShape) -> PackageTree {
    app.workspace
        .create_tree(&app.dataset, None, &TreeSpec::live(shape, FILES_PER_TREE, STORAGE))
        .await
        .unwrap()
}

/// Creates a deleted tree and updates the planner's statistics.
async fn fill_trashed_tree(app: &TestApp, shape: TreeShape) -> PackageTree {
    let tree = fill_live_tree(app, shape).await;
    let (store, stored) = (app.store.clone(), app.workspace.list_stored_objects(&tree).await.unwrap());
    let objects = tokio::task::spawn_blocking(move || store.put_deleted_objects(STORAGE, &stored));
    app.workspace.trash_tree(&tree).await.unwrap();
    app.workspace.analyze_tables().await.unwrap();
    objects.await.unwrap().unwrap();
    tree
}

fn assert_no_full_scan(plans: &PlanRecorder, app: &TestApp, what: &str) {
    let scans = plans.list_full_scans(app.workspace.id);
    assert!(scans.is_empty(), "{what}: {} full scans, the first: {}", scans.len(), scans[0]);
}

#[tokio::test]
async fn recognises_full_scans() {
    if !has_auto_explain().await {
        return;
    }
    let (plans, app) = start_recorded_app().await;
    let other = local::testing::create_workspace().await;
    let file = app.create_file(None, "file", b"-").await;
    let client = plans.connect().await;
    let sql = |sql: &str| sql.replace("WORKSPACE", &app.workspace.id.to_string());
    client.batch_execute("SET enable_seqscan = off").await.unwrap();
    client.query(&sql(r#"SELECT 1 FROM "WORKSPACE".packages WHERE id = $1"#), &[&file.id.0]).await.unwrap();
    assert_no_full_scan(&plans, &app, "one package");
    client.query(&sql(r#"SELECT 1 FROM "WORKSPACE".packages ORDER BY id"#), &[]).await.unwrap();
    assert_eq!(plans.list_full_scans(app.workspace.id).len(), 1, "a full index scan");
    client.batch_execute("RESET enable_seqscan").await.unwrap();
    let join = r#"SELECT 1 FROM "WORKSPACE".packages p, "WORKSPACE".files f, "WORKSPACE".datasets d WHERE f.size > 0"#;
    client.query(&sql(join), &[]).await.unwrap();
    let never = r#"SELECT 1 WHERE false AND EXISTS (SELECT 1 FROM "WORKSPACE".files)"#;
    client.query(&sql(never), &[]).await.unwrap();
    let scans = plans.list_full_scans(app.workspace.id);
    assert_eq!(scans.len(), 3, "{scans:?}");
    assert!(scans[1].contains("Seq Scan") && scans[1].contains("FROM"), "{}", scans[1]);
    assert_eq!(plans.list_full_scans(other.id), Vec::<String>::new());
}

#[tokio::test]
async fn links_use_indexes() {
    if !has_auto_explain().await {
        return;
    }
    let (plans, mut app) = start_recorded_app().await;
    app.set_db(plans.open_preparing_db());
    let tree = fill_live_tree(&app, TreeShape::FewHuge).await;
    app.workspace.analyze_tables().await.unwrap();
    let package = app.workspace.list_files(&tree, 1).await.unwrap().remove(0);
    let token = app.create_token("viewer").await;
    for path in [
        app.presign_path(&package, ""),
        app.presign_path(&package, "&path=a.png"),
        app.sign_path(&package, "a.png"),
    ] {
        // From the sixth use of a prepared statement on, Postgres may use one plan for all parameters.
        for _ in 0..10 {
            let response = app.get(&path, &token).await;
            assert!(response.status.as_u16() < 400, "{path}: {:?}", response.body);
        }
    }
    assert_no_full_scan(&plans, &app, "links");
    assert!(
        plans.list_statements().iter().any(|sql| sql.contains(".files")),
        "no statement on files was recorded"
    );
}

#[tokio::test]
async fn links_to_many_files_use_indexes_in_trees_of_every_shape() {
    if !has_auto_explain().await {
        return;
    }
    let (plans, app) = start_recorded_app().await;
    let token = app.create_token("viewer").await;
    for shape in TreeShape::ALL {
        let tree = fill_live_tree(&app, shape).await;
        app.workspace.analyze_tables().await.unwrap();
        let files = app.workspace.list_files(&tree, 1000).await.unwrap();
        let items: Vec<_> = files.iter().map(|file| json!({"package_id": file.node_id})).collect();
        for (path, body) in [
            ("presign/s3", json!({ "items": items })),
            ("download-manifest", json!({"nodeIds": [tree.root.node_id]})),
        ] {
            let path = format!("/packages/{path}?dataset_id={}", app.dataset.node_id);
            let response = app.send(build_request("POST", &path, &token, Body::from(body.to_string()))).await;
            assert_eq!(response.status, 200, "{path}: {:?}", response.body);
            response.json();
        }
        assert_no_full_scan(&plans, &app, &format!("{shape:?}"));
    }
}

#[tokio::test]
async fn many_open_orders_use_indexes() {
    if !has_auto_explain().await {
        return;
    }
    let database = local::testing::isolated_database_url().await;
    let plans = PlanRecorder::start_for(&database).await;
    let mut app = TestApp::start_in(&database).await;
    app.set_db(plans.open_db());
    let tree = fill_trashed_tree(&app, TreeShape::FewHuge).await;
    // Two thousand orders of one file each. The statistics are from before: only other workspaces had orders.
    app.run_sql(STATISTICS_OF_OTHERS).await;
    // Each file has a reason from a restore before.
    app.run_sql(
        r#"INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason, order_id)
           SELECT WORKSPACE, id, 'a reason', id FROM "WORKSPACE".packages WHERE state = 'DELETED'"#,
    )
    .await;
    let files = app.workspace.list_files(&tree, 4000).await.unwrap();
    let ids: Vec<_> = files.iter().map(|file| &file.node_id).collect();
    let (first, second) = ids.split_at(2000);
    let token = app.create_token("editor").await;
    assert_eq!(app.order_restore(&token, first).await.status, 200);
    app.run_worker().await.unwrap();
    assert_small_effort(&plans, "without statistics of this workspace");

    // As many again, with current statistics.
    assert_eq!(app.order_restore(&token, second).await.status, 200);
    app.run_sql("ANALYZE packages_service.restore_orders, packages_service.restore_claims").await;
    app.order_restore(&token, &[&tree.root.node_id]).await;
    app.load_progress(&token, &tree.root).await;
    app.run_orders().await;
    let ready = app.workspace.count_in_state(&tree, "READY").await.unwrap();
    assert_eq!(ready, tree.files + tree.folders.len());
    assert_small_effort(&plans, "with orders inside an order");
    let progress = app.load_progress(&token, &tree.root).await;
    assert_eq!(
        progress["restored"],
        tree.files - first.len(),
        "the first files and all folders were already restored"
    );
    assert_no_full_scan(&plans, &app, "many orders");
}

#[tokio::test]
async fn restores_use_indexes_in_trees_of_every_shape() {
    if !has_auto_explain().await {
        return;
    }
    let (plans, app) = start_recorded_app().await;
    fill_live_tree(&app, TreeShape::ManySmall).await;
    for shape in TreeShape::ALL {
        let tree = fill_trashed_tree(&app, shape).await;
        app.restore_package(&tree.root).await;
        let ready = app.workspace.count_in_state(&tree, "READY").await.unwrap();
        assert_eq!(ready, tree.files + tree.folders.len(), "{shape:?}");
        assert_no_full_scan(&plans, &app, &format!("{shape:?}"));
    }
}
