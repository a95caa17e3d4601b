//! After each restore the counters of stored bytes equal a recount.

use crate::app::TestApp;

#[tokio::test]
async fn counters_equal_a_recount_after_each_restore() {
    let app = TestApp::start().await;
    let top = app.create_folder(None, "top").await;
    let middle = app.create_folder(Some(&top), "middle").await;
    let a = app.create_file(Some(&middle), "a", &[0; 10]).await;
    let b = app.create_file(Some(&middle), "b", &[0; 200]).await;
    let c = app.create_file(Some(&top), "c", &[0; 3000]).await;
    app.create_file(None, "d", &vec![0; 40_000]).await;
    app.workspace.populate_usage().await.unwrap();
    app.assert_usage_is_exact().await;

    app.trash_package(&a).await;
    app.assert_usage_is_exact().await;
    app.trash_package(&middle).await;
    app.trash_package(&top).await;
    for package in [&b, &middle, &top, &c, &a] {
        app.restore_if_deleted(package).await;
        app.assert_usage_is_exact().await;
    }
    assert_eq!(app.workspace.load_usage().await.unwrap()["workspace"], 43_210);
}

#[tokio::test]
async fn a_folder_of_folders_is_counted_once() {
    let app = TestApp::start().await;
    let live = app.create_folder(None, "live").await;
    let mut folder = app.create_folder(Some(&live), "0").await;
    let top = folder.clone();
    for depth in 1..8 {
        app.create_file(Some(&folder), "file", &vec![0; depth * 7]).await;
        folder = app.create_folder(Some(&folder), &depth.to_string()).await;
    }
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&top).await;
    assert_eq!(app.workspace.load_usage().await.unwrap().get("workspace"), None);
    app.restore_package(&top).await;
    app.assert_usage_is_exact().await;
}

#[tokio::test]
async fn repeated_runs_count_bytes_once() {
    let app = TestApp::start().await;
    let file = app.create_file(None, "a", &[0; 100]).await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&file).await;
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&file.node_id]).await;
    for _ in 0..3 {
        app.run_worker().await.unwrap();
        app.assert_usage_is_exact().await;
    }
    assert_eq!(app.read_changelog().0.len(), 1);
}

#[tokio::test]
async fn null_and_missing_counters_count_as_zero() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "folder").await;
    let file = app.create_file(Some(&folder), "a", &[0; 100]).await;
    app.trash_package(&file).await;
    app.run_sql(&format!(
        r#"INSERT INTO "WORKSPACE".package_storage VALUES ({}, NULL);
           INSERT INTO "WORKSPACE".dataset_storage VALUES ({}, NULL);
           INSERT INTO pennsieve.organization_storage VALUES (WORKSPACE, NULL)"#,
        folder.id, app.dataset.id
    ))
    .await;
    app.restore_package(&file).await;
    app.assert_usage_is_exact().await;
}

#[tokio::test]
async fn a_file_without_a_size_counts_as_zero() {
    let app = TestApp::start().await;
    let live = app.create_folder(None, "live").await;
    let folder = app.create_folder(Some(&live), "folder").await;
    let file = app.create_file(Some(&folder), "a", &[0; 100]).await;
    let unknown = app.create_file(Some(&folder), "b", &[0; 7]).await;
    app.run_sql(&format!(r#"UPDATE "WORKSPACE".files SET size = NULL WHERE package_id = {}"#, unknown.id))
        .await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&folder).await;
    app.restore_package(&unknown).await;
    app.restore_package(&file).await;
    let counted = app.workspace.load_usage().await.unwrap();
    for package in [&live, &folder, &file] {
        assert_eq!(counted[&format!("package {}", package.id)], 100);
    }
    app.assert_usage_is_exact().await;
    let sql = format!(r#"SELECT count(*) FROM "{}".package_storage WHERE size IS NULL"#, app.workspace.id);
    let nulls: i64 = app.workspace.client.query_one(&sql, &[]).await.unwrap().get(0);
    assert_eq!(nulls, 0);
}

impl TestApp {
    async fn restore_if_deleted(&self, package: &local::workspace::Package) {
        if self.load_row(package.id).await.0 == "DELETED" {
            self.restore_package(package).await;
        }
    }
}
