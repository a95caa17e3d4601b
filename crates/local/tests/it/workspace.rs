//! Workspaces in the test database: what the other tests rely on.

#![expect(clippy::unwrap_used, reason = "a test stops at an unexpected result")]

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use authorize::db::{AccessRequest, Identity, TeamList, decide_access};
use database::Db;
use local::{
    postgres::PostgresServer,
    schema, testing,
    workspace::{Dataset, NewPackage, Package, SourceFile, User, Workspace},
};
use packages::access::DatasetRole;
use tokio_postgres::error::SqlState;

const BUCKET: &str = "test-storage";

/// Directs the process of a later test run to the file for its database URL.
const REPORT_PATH_VARIABLE: &str = "LOCAL_TESTS_REPORT_PATH_VARIABLE";

async fn create_workspace() -> (Workspace, Dataset) {
    let workspace = testing::create_workspace().await;
    let dataset = workspace.create_dataset("Test").await.unwrap();
    (workspace, dataset)
}

/// A folder in a folder, with one file in each: 10 bytes in the outer one, 200 in the inner one.
async fn create_folders(workspace: &Workspace, dataset: &Dataset) -> (Package, Package, Package) {
    let top = workspace.create_collection(dataset, None, "top").await.unwrap();
    let sub = workspace.create_collection(dataset, Some(&top), "sub").await.unwrap();
    create_file(workspace, dataset, Some(&top), "a.txt", 10).await;
    let deep = create_file(workspace, dataset, Some(&sub), "b.txt", 200).await;
    workspace.populate_usage().await.unwrap();
    (top, sub, deep)
}

async fn create_file(
    workspace: &Workspace,
    dataset: &Dataset,
    parent: Option<&Package>,
    name: &str,
    size: i64,
) -> Package {
    let key = workspace.storage_key(dataset);
    workspace.create_file(dataset, parent, name, SourceFile::new(BUCKET, &key, size)).await.unwrap()
}

async fn load_row(workspace: &Workspace, package: &Package) -> (String, String) {
    workspace.load_state_and_name(package.id).await.unwrap()
}

/// The counter of a package, live or not.
async fn load_counter(workspace: &Workspace, package: &Package) -> Option<i64> {
    let sql = format!(r#"SELECT size FROM "{}".package_storage WHERE package_id = $1"#, workspace.id);
    workspace.client.query_opt(&sql, &[&package.id.0]).await.unwrap().and_then(|row| row.get(0))
}

async fn find_role(workspace: &Workspace, dataset: &Dataset, user: &User) -> Option<DatasetRole> {
    let db = Db::new(testing::database_url().await.parse().unwrap(), 1).unwrap();
    let identity = Identity::User(user.cognito_id);
    let (identity, dataset) = (&identity, &dataset.node_id);
    let request = AccessRequest { identity, dataset, package: None, teams: TeamList::Omitted };
    let decision = decide_access(&db, request, None).await.unwrap();
    let claims = decision.result.ok()?;
    assert_eq!(claims.workspace.id, workspace.id);
    Some(claims.dataset.role)
}

#[tokio::test]
async fn each_workspace_has_its_own_tables() {
    let ((one, _), (two, _)) = tokio::join!(create_workspace(), create_workspace());
    assert_ne!(one.id, two.id);
    one.create_dataset("Another").await.unwrap();
    let sql = format!(r#"SELECT count(*) FROM "{}".datasets"#, two.id);
    assert_eq!(two.client.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test]
async fn shared_tables_may_be_created_again() {
    let (workspace, dataset) = create_workspace().await;
    schema::create_shared_tables(&workspace.client).await.unwrap();
    let user = workspace.create_user("again@example.org").await.unwrap();
    workspace.grant_user_role(&dataset, &user, "viewer").await.unwrap();
    assert_eq!(find_role(&workspace, &dataset, &user).await, Some(DatasetRole::Viewer));
}

#[tokio::test]
async fn the_highest_role_counts() {
    let (workspace, dataset) = create_workspace().await;
    let (one, two) = (
        workspace.create_user("1@example.org").await.unwrap(),
        workspace.create_user("2@example.org").await.unwrap(),
    );
    assert_eq!(find_role(&workspace, &dataset, &one).await, None);

    workspace.grant_workspace_role(&dataset, "viewer").await.unwrap();
    let team = workspace.create_team("Team", &[&one]).await.unwrap();
    workspace.grant_team_role(&dataset, &team, "editor").await.unwrap();
    assert_eq!(find_role(&workspace, &dataset, &one).await, Some(DatasetRole::Editor));
    assert_eq!(find_role(&workspace, &dataset, &two).await, Some(DatasetRole::Viewer));

    workspace.grant_user_role(&dataset, &two, "manager").await.unwrap();
    workspace.grant_user_role(&dataset, &two, "owner").await.unwrap();
    assert_eq!(find_role(&workspace, &dataset, &two).await, Some(DatasetRole::Owner));
}

#[tokio::test]
async fn names_in_a_folder_are_unique() {
    let (workspace, dataset) = create_workspace().await;
    let folder = workspace.create_collection(&dataset, None, "x").await.unwrap();
    create_file(&workspace, &dataset, Some(&folder), "x", 1).await;
    let other = workspace.create_dataset("Other").await.unwrap();
    // Another dataset may have the same name.
    workspace.create_collection(&other, None, "x").await.unwrap();

    // The service recognises a clash by the name of its index.
    for (parent, index) in [
        (None, "packages_name_dataset_id__parent_id_null_idx"),
        (Some(&folder), "packages_name_dataset_id_parent_id__parent_id_not_null_idx"),
    ] {
        let clash = workspace
            .create_file(&dataset, parent, "x", SourceFile::new(BUCKET, "key", 1))
            .await
            .unwrap_err();
        let clash = clash.as_db_error().unwrap();
        assert_eq!(clash.code(), &SqlState::UNIQUE_VIOLATION);
        assert_eq!(clash.constraint(), Some(index));
    }
    // A package in the trash has another name, so its old one is free.
    workspace.trash(&folder).await.unwrap();
    workspace.create_collection(&dataset, None, "x").await.unwrap();
}

#[tokio::test]
async fn trash_includes_everything_below_and_updates_the_counters() {
    let (workspace, dataset) = create_workspace().await;
    let (top, sub, deep) = create_folders(&workspace, &dataset).await;
    let before = workspace.load_usage().await.unwrap();
    assert_eq!(before, workspace.compute_usage().await.unwrap());
    assert_eq!(before[&format!("package {}", top.id)], 210);
    assert_eq!((before["workspace"], before[&format!("dataset {}", dataset.id)]), (210, 210));

    workspace.trash(&sub).await.unwrap();
    for (package, name) in [(&sub, "sub"), (&deep, "b.txt")] {
        let (state, now) = load_row(&workspace, package).await;
        assert_eq!((state.as_str(), now), ("DELETED", format!("__DELETED__{}_{name}", package.node_id)));
    }
    assert_eq!(load_row(&workspace, &top).await, ("READY".to_owned(), "top".to_owned()));
    assert_eq!(workspace.load_usage().await.unwrap(), workspace.compute_usage().await.unwrap());
    assert_eq!(load_counter(&workspace, &top).await, Some(10));
    assert_eq!(load_counter(&workspace, &sub).await, Some(0), "a package is subtracted from its own counter");
    assert_eq!(load_counter(&workspace, &deep).await, Some(200), "packages below it keep their counters");

    let (_, name) = load_row(&workspace, &deep).await;
    workspace.trash(&top).await.unwrap();
    assert_eq!(load_row(&workspace, &deep).await.1, name, "no second prefix in the trash");
    assert!(workspace.compute_usage().await.unwrap().is_empty());
    assert!(workspace.load_usage().await.unwrap().is_empty());
}

#[tokio::test]
async fn trash_does_not_subtract_packages_that_are_not_ready() {
    let (workspace, dataset) = create_workspace().await;
    let (top, _, deep) = create_folders(&workspace, &dataset).await;
    workspace.set_state(&deep, "PROCESSING_FAILED").await.unwrap();
    let before = workspace.load_usage().await.unwrap();
    assert_eq!(before, workspace.compute_usage().await.unwrap(), "it is live");
    workspace.trash(&deep).await.unwrap();
    assert_eq!(workspace.load_usage().await.unwrap()["workspace"], before["workspace"], "as on the platform");
    assert_eq!(workspace.compute_usage().await.unwrap()[&format!("package {}", top.id)], 10);
}

#[tokio::test]
async fn usage_counts_source_files_of_live_packages() {
    let (workspace, dataset) = create_workspace().await;
    let (top, _, deep) = create_folders(&workspace, &dataset).await;
    let sql = format!(
        r#"INSERT INTO "{}".files (package_id, size, object_type, processing_state) VALUES
               ($1, 4000, 'source', 'processed'), ($1, 50000, 'view', 'not_processable'),
               ($1, NULL, 'source', 'unprocessed')"#,
        workspace.id
    );
    workspace.client.execute(&sql, &[&deep.id.0]).await.unwrap();
    assert_eq!(workspace.compute_usage().await.unwrap()[&format!("package {}", top.id)], 4210);
    for state in ["UNAVAILABLE", "DELETING", "DELETED", "RESTORING"] {
        workspace.set_state(&deep, state).await.unwrap();
        assert_eq!(workspace.compute_usage().await.unwrap()["workspace"], 10, "{state}");
    }
}

#[tokio::test]
async fn the_processing_state_matches_the_file_type() {
    let (workspace, dataset) = create_workspace().await;
    let package = create_file(&workspace, &dataset, None, "a", 1).await;
    let sql = format!(
        r#"INSERT INTO "{}".files (package_id, object_type, processing_state) VALUES ($1, $2, $3)"#,
        workspace.id
    );
    for (kind, state, fits) in [
        ("source", "processed", true),
        ("source", "unprocessed", true),
        ("source", "not_processable", false),
        ("view", "not_processable", true),
        ("file", "processed", false),
    ] {
        let inserted = workspace.client.execute(&sql, &[&package.id.0, &kind, &state]).await;
        assert_eq!(inserted.is_ok(), fits, "{kind} {state}");
    }
}

#[tokio::test]
async fn creates_many_packages_concurrently() {
    let (workspace, dataset) = create_workspace().await;
    let other = testing::connect(testing::database_url().await).await.unwrap();
    let other = Workspace { client: other.into(), id: workspace.id };
    let folder = workspace.create_collection(&dataset, None, "many").await.unwrap();
    let key = workspace.storage_key(&dataset);
    let many = |prefix: &str| -> Vec<NewPackage> {
        let name = |n: u32| {
            NewPackage::file(Some(folder.id), &format!("{prefix}{n}"), SourceFile::new(BUCKET, &key, 1))
        };
        (0..25_000).map(name).collect()
    };
    let (a, b) = (many("a"), many("b"));
    let both =
        async { tokio::join!(workspace.create_packages(&dataset, &a), other.create_packages(&dataset, &b)) };
    // Only a deadlock takes that long.
    let (a, b) = tokio::time::timeout(Duration::from_mins(5), both).await.unwrap();
    let ids: BTreeSet<i32> = a.unwrap().iter().chain(&b.unwrap()).map(|package| package.id.0).collect();
    assert_eq!(ids.len(), 50_000);
    workspace.populate_usage().await.unwrap();
    assert_eq!(load_counter(&workspace, &folder).await, Some(50_000));
}

#[test]
fn an_external_server_is_used_and_old_databases_are_dropped() {
    let dir = crate::postgres::create_temp_dir();
    let server = PostgresServer::start(crate::postgres::config(dir.path())).unwrap();
    let random = uuid::Uuid::nil().simple();
    let (old, foreign) = (format!("packages_service_test_1_{random}"), "packages_service_test_results");
    for name in [&old, foreign] {
        crate::postgres::run_sql(&server.url(), &format!("CREATE DATABASE {name}"));
    }
    let report = dir.path().join("report");
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "workspace::later_test_run"])
        .env(REPORT_PATH_VARIABLE, &report)
        .env("TEST_DATABASE_URL", server.url())
        .stdout(Stdio::null())
        .status();
    assert!(run.unwrap().success());

    let url = fs::read_to_string(report).unwrap();
    assert!(url.starts_with(server.url().trim_end_matches("postgres")), "{url}");
    assert_eq!(
        crate::postgres::run_sql(&url, "SELECT count(*) FROM pennsieve.organizations").as_deref(),
        Some("1")
    );
    let names = "SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE 'packages%'";
    let names = crate::postgres::run_sql(&server.url(), names).unwrap();
    assert!(!names.contains(&old), "{names}");
    assert!(names.contains(foreign), "{names}");
}

#[tokio::test]
#[ignore = "an_external_server_is_used_and_old_databases_are_dropped runs it in another process"]
async fn later_test_run() {
    let Some(report) = std::env::var_os(REPORT_PATH_VARIABLE).map(PathBuf::from) else { return };
    testing::create_workspace().await;
    fs::write(report, testing::database_url().await).unwrap();
}
