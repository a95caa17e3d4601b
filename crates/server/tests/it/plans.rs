//! What the service asks of Postgres costs as much as what it is about, however large the tenant is: no statement reads a
//! whole table of packages or files.

mod recorder;

use local::workspace::{PackageTree, TreeShape, TreeSpec};
use recorder::{Plans, can_explain};

use crate::app::{STORAGE, TestApp};

/// Files in each tree. The planner goes by the index from about a thousand.
const FILES: usize = 20_000;

/// A service whose statements are recorded.
async fn recorded() -> (Plans, TestApp) {
    let plans = Plans::record().await;
    let mut app = TestApp::start().await;
    app.through(plans.db());
    (plans, app)
}

async fn fill(app: &TestApp, shape: TreeShape) -> PackageTree {
    app.workspace.create_tree(&app.dataset, None, &TreeSpec::live(shape, FILES, STORAGE)).await.unwrap()
}

/// A tree in the trash, which the planner knows of.
async fn trashed(app: &TestApp, shape: TreeShape) -> PackageTree {
    let tree = fill(app, shape).await;
    let (store, stored) = (app.store.clone(), app.workspace.list_stored_objects(&tree).await.unwrap());
    let objects = tokio::task::spawn_blocking(move || store.put_deleted_objects(STORAGE, &stored));
    app.workspace.trash_tree(&tree).await.unwrap();
    app.workspace.analyze_tables().await.unwrap();
    objects.await.unwrap().unwrap();
    tree
}

fn assert_goes_by_index(plans: &Plans, app: &TestApp, what: &str) {
    let scans = plans.whole_scans(app.workspace.id);
    assert!(scans.is_empty(), "{what}: {} whole scans, the first: {}", scans.len(), scans[0]);
}

#[tokio::test]
async fn a_whole_scan_is_recognised() {
    if !can_explain().await {
        return;
    }
    let (plans, app) = recorded().await;
    let other = local::testing::create_workspace().await;
    let file = app.file(None, "file", b"-").await;
    let client = plans.client().await;
    let sql = |sql: &str| sql.replace("WORKSPACE", &app.workspace.id.to_string());
    client.batch_execute("SET enable_seqscan = off").await.unwrap();
    client.query(&sql(r#"SELECT 1 FROM "WORKSPACE".packages WHERE id = $1"#), &[&file.id.0]).await.unwrap();
    assert_goes_by_index(&plans, &app, "one package");
    client.query(&sql(r#"SELECT 1 FROM "WORKSPACE".packages ORDER BY id"#), &[]).await.unwrap();
    assert_eq!(plans.whole_scans(app.workspace.id).len(), 1, "a whole index");
    client.batch_execute("RESET enable_seqscan").await.unwrap();
    let join = r#"SELECT 1 FROM "WORKSPACE".packages p, "WORKSPACE".files f, "WORKSPACE".datasets d WHERE f.size > 0"#;
    client.query(&sql(join), &[]).await.unwrap();
    let never = r#"SELECT 1 WHERE false AND EXISTS (SELECT 1 FROM "WORKSPACE".files)"#;
    client.query(&sql(never), &[]).await.unwrap();
    let scans = plans.whole_scans(app.workspace.id);
    assert_eq!(scans.len(), 3, "{scans:?}");
    assert!(scans[1].contains("Seq Scan") && scans[1].contains("FROM"), "{}", scans[1]);
    assert_eq!(plans.whole_scans(other.id), Vec::<String>::new());
}

#[tokio::test]
async fn links_follow_indexes() {
    if !can_explain().await {
        return;
    }
    let (plans, app) = recorded().await;
    let tree = fill(&app, TreeShape::FewHuge).await;
    app.workspace.analyze_tables().await.unwrap();
    let package = app.workspace.list_files(&tree, 1).await.unwrap().remove(0);
    let token = app.token("viewer").await;
    for path in [
        app.presign_path(&package, ""),
        app.presign_path(&package, "&path=a.png"),
        app.sign_path(&package, "a.png"),
    ] {
        let answer = app.get(&path, &token).await;
        assert!(answer.status.as_u16() < 400, "{path}: {:?}", answer.body);
    }
    assert_goes_by_index(&plans, &app, "links");
    assert!(plans.statements().iter().any(|sql| sql.contains(".files")), "nothing was heard of files");
}

#[tokio::test]
async fn orders_follow_indexes_when_many_are_open() {
    if !can_explain().await {
        return;
    }
    let (plans, app) = recorded().await;
    let tree = trashed(&app, TreeShape::FewHuge).await;
    // Two thousand files are ordered each by itself, and no statistics tell the planner so. What it knows is of a quiet day.
    app.sql("ANALYZE packages_service.restore_orders, packages_service.restore_claims").await;
    let files = app.workspace.list_files(&tree, 4000).await.unwrap();
    let ids: Vec<_> = files.iter().map(|file| &file.node_id).collect();
    let (first, second) = ids.split_at(2000);
    let token = app.token("editor").await;
    assert_eq!(app.order(&token, first).await.status, 200);
    app.run().await.unwrap();
    let (effort, node) = plans.most_effort();
    assert!(effort < 100_000.0, "{effort} rows in {node}");

    // And as many while it knows.
    assert_eq!(app.order(&token, second).await.status, 200);
    app.sql("ANALYZE packages_service.restore_orders, packages_service.restore_claims").await;
    app.order(&token, &[&tree.root.node_id]).await;
    app.progress(&token, &tree.root).await;
    app.work().await;
    let ready = app.workspace.count_in_state(&tree, "READY").await.unwrap();
    assert_eq!(ready, tree.files + tree.folders.len());
    let progress = app.progress(&token, &tree.root).await;
    assert_eq!(progress["restored"], tree.files - first.len(), "those and the folders were back");
    assert_goes_by_index(&plans, &app, "many orders");
}

#[tokio::test]
async fn restore_follows_indexes_in_every_shape() {
    if !can_explain().await {
        return;
    }
    let (plans, app) = recorded().await;
    fill(&app, TreeShape::ManySmall).await;
    for shape in TreeShape::ALL {
        let tree = trashed(&app, shape).await;
        app.restore(&tree.root).await;
        let ready = app.workspace.count_in_state(&tree, "READY").await.unwrap();
        assert_eq!(ready, tree.files + tree.folders.len(), "{shape:?}");
        assert_goes_by_index(&plans, &app, &format!("{shape:?}"));
    }
}
