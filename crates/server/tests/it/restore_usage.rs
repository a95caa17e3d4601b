//! After any restore the counters of stored bytes equal a recount.

use crate::app::TestApp;

#[tokio::test]
async fn counters_equal_a_recount_after_each_restore() {
    let app = TestApp::start().await;
    let top = app.folder(None, "top").await;
    let middle = app.folder(Some(&top), "middle").await;
    let a = app.file(Some(&middle), "a", &[0; 10]).await;
    let b = app.file(Some(&middle), "b", &[0; 200]).await;
    let c = app.file(Some(&top), "c", &[0; 3000]).await;
    app.file(None, "d", &vec![0; 40_000]).await;
    app.workspace.populate_usage().await.unwrap();
    app.assert_counted().await;

    app.trash(&a).await;
    app.assert_counted().await;
    app.trash(&middle).await;
    app.trash(&top).await;
    for package in [&b, &middle, &top, &c, &a] {
        app.restore_if_deleted(package).await;
        app.assert_counted().await;
    }
    assert_eq!(app.workspace.load_usage().await.unwrap()["workspace"], 43_210);
}

#[tokio::test]
async fn a_folder_of_folders_is_counted_once() {
    let app = TestApp::start().await;
    let live = app.folder(None, "live").await;
    let mut folder = app.folder(Some(&live), "0").await;
    let top = folder.clone();
    for depth in 1..8 {
        app.file(Some(&folder), "file", &vec![0; depth * 7]).await;
        folder = app.folder(Some(&folder), &depth.to_string()).await;
    }
    app.workspace.populate_usage().await.unwrap();
    app.trash(&top).await;
    assert_eq!(app.workspace.load_usage().await.unwrap().get("workspace"), None);
    app.restore(&top).await;
    app.assert_counted().await;
}

#[tokio::test]
async fn counting_happens_once_however_often_a_worker_is_woken() {
    let app = TestApp::start().await;
    let file = app.file(None, "a", &[0; 100]).await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&file).await;
    let token = app.token("editor").await;
    app.order(&token, &[&file.node_id]).await;
    for _ in 0..3 {
        app.run().await.unwrap();
        app.assert_counted().await;
    }
    assert_eq!(app.changelog().0.len(), 1);
}

#[tokio::test]
async fn counters_that_are_null_or_missing_count_as_nothing() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let file = app.file(Some(&folder), "a", &[0; 100]).await;
    app.trash(&file).await;
    app.sql(&format!(
        r#"INSERT INTO "WORKSPACE".package_storage VALUES ({}, NULL);
           INSERT INTO "WORKSPACE".dataset_storage VALUES ({}, NULL);
           INSERT INTO pennsieve.organization_storage VALUES (WORKSPACE, NULL)"#,
        folder.id, app.dataset.id
    ))
    .await;
    app.restore(&file).await;
    app.assert_counted().await;
}

#[tokio::test]
async fn a_file_without_a_size_counts_as_nothing_and_harms_no_counter() {
    let app = TestApp::start().await;
    let live = app.folder(None, "live").await;
    let folder = app.folder(Some(&live), "folder").await;
    let file = app.file(Some(&folder), "a", &[0; 100]).await;
    let unknown = app.file(Some(&folder), "b", &[0; 7]).await;
    app.sql(&format!(r#"UPDATE "WORKSPACE".files SET size = NULL WHERE package_id = {}"#, unknown.id)).await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&folder).await;
    app.restore(&unknown).await;
    app.restore(&file).await;
    let counted = app.workspace.load_usage().await.unwrap();
    for package in [&live, &folder, &file] {
        assert_eq!(counted[&format!("package {}", package.id)], 100);
    }
    app.assert_counted().await;
    let sql = format!(r#"SELECT count(*) FROM "{}".package_storage WHERE size IS NULL"#, app.workspace.id);
    let nulls: i64 = app.workspace.client.query_one(&sql, &[]).await.unwrap().get(0);
    assert_eq!(nulls, 0);
}

impl TestApp {
    async fn restore_if_deleted(&self, package: &local::workspace::Package) {
        if self.row(package.id).await.0 == "DELETED" {
            self.restore(package).await;
        }
    }
}
