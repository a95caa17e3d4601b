//! Maintenance walks all workspaces. One that cannot be read neither stops nor delays the others.

use std::time::{Duration, Instant};

use local::workspace::{Package, SourceFile, Workspace};
use restore::{MaintenanceReport, run_maintenance};

use crate::{
    app::{STORAGE, TestApp},
    log_capture::LogCapture,
};

const DAY: Duration = Duration::from_hours(24);

/// A service with two more workspaces: one before and one after its own in the order of their ids.
async fn start_between_others() -> (TestApp, [Workspace; 2]) {
    let database = local::testing::isolated_database_url().await;
    let before = local::testing::create_workspace_in(&database).await;
    let app = TestApp::start_in(&database).await;
    let after = local::testing::create_workspace_in(&database).await;
    (app, [before, after])
}

/// Creates a package that has been RESTORING for too long, without an order.
async fn create_stray(workspace: &Workspace) -> Package {
    let dataset = workspace.create_dataset("Strays").await.unwrap();
    let source = SourceFile::new(STORAGE, &workspace.storage_key(&dataset), 1);
    let package = workspace.create_file(&dataset, None, "stray", source).await.unwrap();
    let sql = format!(
        r#"ALTER TABLE "{0}".packages DISABLE TRIGGER USER;
           UPDATE "{0}".packages SET state = 'RESTORING', updated_at = now() - interval '25 hours' WHERE id = {1};
           ALTER TABLE "{0}".packages ENABLE TRIGGER USER"#,
        workspace.id, package.id
    );
    workspace.client.batch_execute(&sql).await.unwrap();
    package
}

async fn assert_released(workspace: &Workspace, stray: &Package) {
    assert_eq!(workspace.load_state_and_name(stray.id).await.unwrap().0, "DELETED");
}

async fn maintain(app: &TestApp) -> (u64, u64) {
    let MaintenanceReport { released, broken } = run_maintenance(&app.restorer, DAY).await.unwrap();
    (released, broken)
}

#[tokio::test]
async fn a_workspace_that_is_half_migrated_does_not_stop_others_and_is_logged_once() {
    let (app, [before, after]) = start_between_others().await;
    let log = LogCapture::start();
    let failed = "maintenance of a workspace failed";
    for (round, column) in ["state", "state", "updated_at"].into_iter().enumerate() {
        let broken = format!(r#"ALTER TABLE "{}".packages RENAME COLUMN {column} TO renamed"#, before.id);
        app.run_sql(&broken).await;
        let stray = create_stray(&after).await;
        assert_eq!(maintain(&app).await, (1, 1));
        assert_released(&after, &stray).await;
        // The same error is logged once, another one again.
        assert_eq!(log.count(failed), 1 + round / 2);
        assert_eq!(log.count("works again"), 0);
        app.run_sql(&broken.replace(&format!("{column} TO renamed"), &format!("renamed TO {column}"))).await;
    }
    for _ in 0..2 {
        assert_eq!(maintain(&app).await, (0, 0));
        assert_eq!((log.count(failed), log.count("works again")), (2, 1));
    }
    app.run_sql(&format!(r#"ALTER TABLE "{}".packages RENAME COLUMN state TO renamed"#, before.id)).await;
    assert_eq!(maintain(&app).await, (0, 1));
    assert_eq!(log.count(failed), 3, "it is logged again after it worked");
}

/// As one whose table is being changed.
#[tokio::test]
async fn a_workspace_that_is_locked_delays_others_once_only() {
    let (mut app, [before, after]) = start_between_others().await;
    app.restorer.db = app.restorer.db.with_statement_timeout(Duration::from_secs(2));
    let migration = local::testing::connect(&app.database).await.unwrap();
    migration.batch_execute(&format!(r#"BEGIN; LOCK "{}".packages"#, before.id)).await.unwrap();
    let stray = create_stray(&after).await;
    assert_eq!(maintain(&app).await, (1, 1));
    assert_released(&after, &stray).await;

    let stray = create_stray(&after).await;
    let begun = Instant::now();
    let released = async {
        while after.load_state_and_name(stray.id).await.unwrap().0 != "DELETED" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    };
    let (maintained, released) = tokio::join!(maintain(&app), released);
    assert_eq!(maintained, (1, 1));
    assert!(released + Duration::from_secs(1) < begun.elapsed(), "{released:?} of {:?}", begun.elapsed());
}

/// A grant was forgotten when the workspace was created.
#[tokio::test]
async fn a_workspace_that_the_role_may_not_use_does_not_stop_others() {
    let (mut app, [before, after]) = start_between_others().await;
    let role = format!("worker_{}", uuid::Uuid::new_v4().simple());
    app.run_sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{role}'")).await;
    for workspace in [app.workspace.id, after.id] {
        for grant in doctor::queries::grant_statements(
            doctor::queries::Purpose::Restores,
            &workspace.to_string(),
            &role,
        ) {
            app.run_sql(&grant).await;
        }
    }
    let mut config: tokio_postgres::Config = app.database.parse().unwrap();
    config.user(&role).password(&role);
    app.restorer.db = database::Db::new(config, 2).unwrap();
    let stray = create_stray(&after).await;
    create_stray(&before).await;
    assert_eq!(maintain(&app).await, (1, 1));
    assert_released(&after, &stray).await;
}

#[tokio::test]
async fn without_a_database_no_workspace_is_blamed() {
    let (mut app, _others) = start_between_others().await;
    app.run_sql("ALTER TABLE packages_service.restore_failures RENAME TO gone").await;
    let log = LogCapture::start();
    assert!(run_maintenance(&app.restorer, DAY).await.is_err());
    app.restorer.db = database::Db::new("host=127.0.0.1 port=1 user=nobody".parse().unwrap(), 1).unwrap();
    assert!(run_maintenance(&app.restorer, DAY).await.is_err());
    assert_eq!(log.count("maintenance of a workspace failed"), 0);
}
