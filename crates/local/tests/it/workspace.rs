//! A tenant in the test database: what the other tests take for granted about its rows.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use authorize::db::{Identity, find_claims, find_member};
use database::Db;
use local::{
    postgres::Postgres,
    schema, testing,
    workspace::{Dataset, NewPackage, Package, User, Workspace},
};
use packages::access::DatasetRole;
use tokio_postgres::error::SqlState;

const BUCKET: &str = "test-storage";

/// Tells the process that plays a later test run where to write its database's URL.
const REPORT_TO: &str = "LOCAL_TESTS_REPORT_TO";

async fn tenant() -> (Workspace, Dataset) {
    let workspace = testing::workspace().await;
    let dataset = workspace.dataset("Test").await.unwrap();
    (workspace, dataset)
}

/// A folder in a folder with a file in each: 10 bytes at the top, 200 beneath.
async fn tree(workspace: &Workspace, dataset: &Dataset) -> (Package, Package, Package) {
    let top = workspace.collection(dataset, None, "top").await.unwrap();
    let sub = workspace.collection(dataset, Some(&top), "sub").await.unwrap();
    file(workspace, dataset, Some(&top), ("a.txt", 10)).await;
    let deep = file(workspace, dataset, Some(&sub), ("b.txt", 200)).await;
    workspace.populate().await.unwrap();
    (top, sub, deep)
}

async fn file(
    workspace: &Workspace,
    dataset: &Dataset,
    parent: Option<&Package>,
    (name, size): (&str, i64),
) -> Package {
    let key = workspace.storage_key(dataset);
    workspace.file(dataset, parent, name, (BUCKET, &key, size)).await.unwrap()
}

async fn row(workspace: &Workspace, package: &Package) -> (String, String) {
    workspace.row(package.id).await.unwrap()
}

/// What a package's counter says, be the package live or not.
async fn counter(workspace: &Workspace, package: &Package) -> Option<i64> {
    let sql = format!(r#"SELECT size FROM "{}".package_storage WHERE package_id = $1"#, workspace.id);
    workspace.client.query_opt(&sql, &[&package.id.0]).await.unwrap().and_then(|row| row.get(0))
}

async fn role(workspace: &Workspace, dataset: &Dataset, user: &User) -> Option<DatasetRole> {
    let db = Db::new(testing::database().await.parse().unwrap(), 1).unwrap();
    let member = find_member(&db, &Identity::User(user.cognito_id)).await.unwrap().unwrap();
    assert_eq!(member.workspace.id, workspace.id);
    find_claims(&db, member, &dataset.node_id).await.unwrap().map(|claims| claims.dataset.role)
}

#[tokio::test]
async fn each_tenant_has_tables_of_its_own() {
    let ((one, _), (two, _)) = tokio::join!(tenant(), tenant());
    assert_ne!(one.id, two.id);
    one.dataset("Another").await.unwrap();
    let sql = format!(r#"SELECT count(*) FROM "{}".datasets"#, two.id);
    assert_eq!(two.client.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test]
async fn what_tenants_share_may_be_made_again() {
    let (workspace, dataset) = tenant().await;
    schema::create_shared(&workspace.client).await.unwrap();
    let user = workspace.user("again@example.org").await.unwrap();
    workspace.grant(&dataset, &user, "viewer").await.unwrap();
    assert_eq!(role(&workspace, &dataset, &user).await, Some(DatasetRole::Viewer));
}

#[tokio::test]
async fn the_greatest_role_counts_wherever_it_comes_from() {
    let (workspace, dataset) = tenant().await;
    let (one, two) =
        (workspace.user("1@example.org").await.unwrap(), workspace.user("2@example.org").await.unwrap());
    assert_eq!(role(&workspace, &dataset, &one).await, None);

    workspace.grant_everyone(&dataset, "viewer").await.unwrap();
    let team = workspace.team("Team", &[&one]).await.unwrap();
    workspace.grant_team(&dataset, &team, "editor").await.unwrap();
    assert_eq!(role(&workspace, &dataset, &one).await, Some(DatasetRole::Editor));
    assert_eq!(role(&workspace, &dataset, &two).await, Some(DatasetRole::Viewer));

    workspace.grant(&dataset, &two, "manager").await.unwrap();
    workspace.grant(&dataset, &two, "owner").await.unwrap();
    assert_eq!(role(&workspace, &dataset, &two).await, Some(DatasetRole::Owner));
}

#[tokio::test]
async fn a_name_is_taken_once_in_a_folder_whatever_its_kind() {
    let (workspace, dataset) = tenant().await;
    let folder = workspace.collection(&dataset, None, "x").await.unwrap();
    file(&workspace, &dataset, Some(&folder), ("x", 1)).await;
    let other = workspace.dataset("Other").await.unwrap();
    workspace.collection(&other, None, "x").await.unwrap();

    for (parent, index) in [
        (None, "packages_name_dataset_id__parent_id_null_idx"),
        (Some(&folder), "packages_name_dataset_id_parent_id__parent_id_not_null_idx"),
    ] {
        let clash = workspace.file(&dataset, parent, "x", (BUCKET, "key", 1)).await.unwrap_err();
        let clash = clash.as_db_error().unwrap();
        assert_eq!(clash.code(), &SqlState::UNIQUE_VIOLATION);
        assert_eq!(clash.constraint(), Some(index));
    }
    workspace.trash(&folder).await.unwrap();
    workspace.collection(&dataset, None, "x").await.unwrap();
}

#[tokio::test]
async fn the_trash_takes_all_beneath_and_the_counters_follow() {
    let (workspace, dataset) = tenant().await;
    let (top, sub, deep) = tree(&workspace, &dataset).await;
    let before = workspace.counted().await.unwrap();
    assert_eq!(before, workspace.recount().await.unwrap());
    assert_eq!(before[&format!("package {}", top.id)], 210);
    assert_eq!((before["workspace"], before[&format!("dataset {}", dataset.id)]), (210, 210));

    workspace.trash(&sub).await.unwrap();
    for (package, name) in [(&sub, "sub"), (&deep, "b.txt")] {
        let (state, now) = row(&workspace, package).await;
        assert_eq!((state.as_str(), now), ("DELETED", format!("__DELETED__{}_{name}", package.node_id)));
    }
    assert_eq!(row(&workspace, &top).await, ("READY".to_owned(), "top".to_owned()));
    assert_eq!(workspace.counted().await.unwrap(), workspace.recount().await.unwrap());
    assert_eq!(counter(&workspace, &top).await, Some(10));
    assert_eq!(counter(&workspace, &sub).await, Some(0), "the target is taken off its own counter");
    assert_eq!(counter(&workspace, &deep).await, Some(200), "what lies beneath it is not");

    let (_, name) = row(&workspace, &deep).await;
    workspace.trash(&top).await.unwrap();
    assert_eq!(row(&workspace, &deep).await.1, name, "what is in the trash gets no second prefix");
    assert!(workspace.recount().await.unwrap().is_empty());
    assert!(workspace.counted().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_package_that_was_not_ready_stays_on_the_counters() {
    let (workspace, dataset) = tenant().await;
    let (top, _, deep) = tree(&workspace, &dataset).await;
    workspace.set_state(&deep, "PROCESSING_FAILED").await.unwrap();
    let before = workspace.counted().await.unwrap();
    assert_eq!(before, workspace.recount().await.unwrap(), "it is live all the same");
    workspace.trash(&deep).await.unwrap();
    assert_eq!(workspace.counted().await.unwrap()["workspace"], before["workspace"], "as on the platform");
    assert_eq!(workspace.recount().await.unwrap()[&format!("package {}", top.id)], 10);
}

#[tokio::test]
async fn a_recount_counts_source_files_of_live_packages() {
    let (workspace, dataset) = tenant().await;
    let (top, _, deep) = tree(&workspace, &dataset).await;
    let sql = format!(
        r#"INSERT INTO "{}".files (package_id, size, object_type, processing_state) VALUES
               ($1, 4000, 'source', 'processed'), ($1, 50000, 'view', 'not_processable'),
               ($1, NULL, 'source', 'unprocessed')"#,
        workspace.id
    );
    workspace.client.execute(&sql, &[&deep.id.0]).await.unwrap();
    assert_eq!(workspace.recount().await.unwrap()[&format!("package {}", top.id)], 4210);
    for state in ["UNAVAILABLE", "DELETING", "DELETED", "RESTORING"] {
        workspace.set_state(&deep, state).await.unwrap();
        assert_eq!(workspace.recount().await.unwrap()["workspace"], 10, "{state}");
    }
}

#[tokio::test]
async fn a_file_is_processed_in_the_way_of_its_kind() {
    let (workspace, dataset) = tenant().await;
    let package = file(&workspace, &dataset, None, ("a", 1)).await;
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
async fn many_packages_are_made_at_once_while_others_make_theirs() {
    let (workspace, dataset) = tenant().await;
    let other = testing::connect(testing::database().await).await.unwrap();
    let other = Workspace { client: other.into(), id: workspace.id };
    let folder = workspace.collection(&dataset, None, "many").await.unwrap();
    let key = workspace.storage_key(&dataset);
    let many = |prefix: &str| -> Vec<NewPackage> {
        let name = |n: u32| NewPackage::file(Some(folder.id), &format!("{prefix}{n}"), (BUCKET, &key, 1));
        (0..25_000).map(name).collect()
    };
    let (a, b) = (many("a"), many("b"));
    let begun = Instant::now();
    let (a, b) = tokio::join!(workspace.packages(&dataset, &a), other.packages(&dataset, &b));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let made: BTreeSet<i32> = a.unwrap().iter().chain(&b.unwrap()).map(|package| package.id.0).collect();
    assert_eq!(made.len(), 50_000);
    workspace.populate().await.unwrap();
    assert_eq!(counter(&workspace, &folder).await, Some(50_000));
}

#[test]
fn a_given_server_is_used_and_tidied() {
    let dir = crate::postgres::tempdir();
    let server = Postgres::start(crate::postgres::config(dir.path())).unwrap();
    let random = uuid::Uuid::nil().simple();
    let (old, foreign) = (format!("packages_service_test_1_{random}"), "packages_service_test_results");
    for name in [&old, foreign] {
        crate::postgres::sql(&server.url(), &format!("CREATE DATABASE {name}"));
    }
    let report = dir.path().join("report");
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "workspace::a_later_test_run"])
        .env(REPORT_TO, &report)
        .env("TEST_DATABASE_URL", server.url())
        .stdout(Stdio::null())
        .status();
    assert!(run.unwrap().success());

    let url = fs::read_to_string(report).unwrap();
    assert!(url.starts_with(server.url().trim_end_matches("postgres")), "{url}");
    assert_eq!(
        crate::postgres::sql(&url, "SELECT count(*) FROM pennsieve.organizations").as_deref(),
        Some("1")
    );
    let names = "SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE 'packages%'";
    let names = crate::postgres::sql(&server.url(), names).unwrap();
    assert!(!names.contains(&old), "{names}");
    assert!(names.contains(foreign), "{names}");
}

#[tokio::test]
#[ignore = "a part of a_given_server_is_used_and_tidied, which runs it in a process of its own"]
async fn a_later_test_run() {
    let Some(report) = std::env::var_os(REPORT_TO).map(PathBuf::from) else { return };
    testing::workspace().await;
    fs::write(report, testing::database().await).unwrap();
}
