//! A database that is not as the service needs it.

use doctor::Status::{Failure, Ok, Warning};
use doctor::queries::{Purpose, grant_statements};

use crate::scene::{Scene, assert_check, failures};

/// A role with what the service needs, and no more.
async fn restrict(scene: &mut Scene) -> String {
    let role = format!("doctor_{}", scene.database.rsplit('_').next().unwrap());
    scene.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'hunter2'")).await;
    for purpose in [Purpose::Roles, Purpose::Links, Purpose::Trash, Purpose::Orders, Purpose::Restores] {
        for grant in grant_statements(purpose, &scene.workspace.id.to_string(), &role) {
            scene.sql(&grant).await;
        }
    }
    scene.set("POSTGRES_USER", &role);
    scene.set("POSTGRES_PASSWORD", "hunter2");
    role
}

#[tokio::test]
async fn who_is_not_let_in_is_told() {
    let scene = Scene::start().await;
    let report = scene.report_with(&[("POSTGRES_USER", "nobody_at_all")]).await;
    assert_check(
        &report,
        "connection",
        Failure,
        ["password authentication failed", "POSTGRES_USER and POSTGRES_PASSWORD"],
    );
    let report = scene.report_with(&[("PENNSIEVE_DB", "nothing_at_all")]).await;
    assert_check(&report, "connection", Failure, ["nothing_at_all", "PENNSIEVE_DB names no database"]);
    let report = scene.report_with(&[("POSTGRES_SSL_MODE", "require")]).await;
    assert_check(&report, "connection", Failure, ["TLS", "POSTGRES_SSL_MODE=disable"]);
    let report =
        scene.report_with(&[("POSTGRES_CA_FILE", "/no/such/file"), ("POSTGRES_SSL_MODE", "require")]).await;
    assert_check(&report, "settings", Failure, ["/no/such/file", "correct the variable"]);
}

#[tokio::test]
async fn limits_of_the_role_are_told() {
    let mut scene = Scene::start().await;
    let role = restrict(&mut scene).await;
    let advice = format!("ALTER ROLE {role} SET lock_timeout = '10s'");
    assert_check(&scene.report().await, "settings of the role", Warning, ["lock_timeout", &advice]);
    for (limit, value) in [
        ("lock_timeout", "10s"),
        ("statement_timeout", "5min"),
        ("idle_in_transaction_session_timeout", "60s"),
    ] {
        scene.sql(&format!("ALTER ROLE {role} SET {limit} = '{value}'")).await;
    }
    assert_check(&scene.report().await, "settings of the role", Ok, ["timeouts are set", ""]);
}

#[tokio::test]
async fn each_privilege_that_is_missing_is_told_with_its_grant() {
    let mut scene = Scene::start().await;
    let role = restrict(&mut scene).await;
    let report = scene.report().await;
    assert_eq!(failures(&report), [""; 0], "the grants are all that is needed");
    let id = scene.workspace.id.to_string();
    for (table, privilege, line) in [
        ("pennsieve.users", "SELECT", "privileges: roles of people"),
        ("WORKSPACE.files", "SELECT", "privileges: links"),
        ("packages_service.restore_failures", "SELECT", "privileges: the trash"),
        ("packages_service.restore_queue", "INSERT", "privileges: restore orders"),
        ("WORKSPACE.packages", "UPDATE", "privileges: restores"),
        ("packages_service.restore_outbox", "DELETE", "privileges: restores"),
    ] {
        scene.sql(&format!("REVOKE {privilege} ON {table} FROM {role}")).await;
        let report = scene.report().await;
        let place = table.replace("WORKSPACE", &id);
        let found = format!("no {privilege} on {place}");
        assert_check(&report, line, Failure, [&found, "GRANT"]);
        scene.sql(&format!("GRANT {privilege} ON {table} TO {role}")).await;
    }
    scene.sql(&format!("REVOKE USAGE ON SCHEMA packages_service FROM {role}")).await;
    let grant = format!("GRANT USAGE ON SCHEMA \"packages_service\" TO \"{role}\"");
    assert_check(&scene.report().await, "privileges: restores", Failure, ["restore_queue", &grant]);
}

#[tokio::test]
async fn own_tables_that_are_missing_or_old_are_told() {
    let scene = Scene::start().await;
    for (change, found) in [
        ("DROP INDEX packages_service.restore_claims_next_idx", "restore_claims_next_idx"),
        ("ALTER TABLE packages_service.restore_orders DROP COLUMN bytes", "restore_orders.bytes"),
        ("DROP TABLE packages_service.restore_outbox", "restore_outbox"),
        ("DROP SCHEMA packages_service CASCADE", "restore_queue"),
    ] {
        scene.sql(change).await;
        assert_check(&scene.report().await, "own tables", Failure, [found, "packages-service schema"]);
    }
    let report = scene.report().await;
    assert_check(&report, "privileges: restores", Failure, ["no table packages_service.restore_claims", ""]);
}

#[tokio::test]
async fn an_index_that_queries_need_is_told() {
    let scene = Scene::start().await;
    assert_check(&scene.report().await, "indexes", Ok, ["all 9 lookups", ""]);
    for (change, found) in [
        ("ALTER TABLE WORKSPACE.packages DROP CONSTRAINT unique_node_id", "none on packages (node_id)"),
        ("DROP INDEX WORKSPACE.packages_parent_id_idx", "none on packages (parent_id)"),
        ("DROP INDEX WORKSPACE.files_package_id_idx", "none on files (package_id)"),
        ("DROP INDEX WORKSPACE.datasets_tmp_node_id_idx", "none on datasets (node_id)"),
        ("DROP INDEX pennsieve.users_cognito_id_idx", "none on pennsieve.users (cognito_id)"),
        (
            "DROP INDEX WORKSPACE.packages_name_dataset_id__parent_id_null_idx",
            "none on packages (name, dataset_id)",
        ),
        (
            "DROP INDEX WORKSPACE.packages_name_dataset_id_parent_id__parent_id_not_null_idx",
            "none on packages (name, dataset_id, parent_id)",
        ),
    ] {
        scene.sql(change).await;
        let report = scene.report().await;
        let told = report.checks().find(|check| check.name == "indexes" && check.found.starts_with(found));
        let advice = told.unwrap_or_else(|| panic!("{found}: {report:?}")).advice.as_deref().unwrap();
        assert!(advice.contains("CREATE INDEX CONCURRENTLY ON"), "{advice}");
    }
}

#[tokio::test]
async fn the_largest_workspace_is_looked_at() {
    let scene = Scene::start().await;
    let large = local::testing::create_workspace_in(&scene.database).await;
    let dataset = large.create_dataset("Large").await.unwrap();
    for n in 0..5 {
        large.create_collection(&dataset, None, &n.to_string()).await.unwrap();
    }
    large.client.batch_execute(&format!("ANALYZE \"{}\".packages", large.id)).await.unwrap();
    let found = format!("in workspace {} (about 5 packages)", large.id);
    assert_check(&scene.report().await, "indexes", Ok, [&found, ""]);
}

#[tokio::test]
async fn a_database_without_workspaces_is_told() {
    let scene = Scene::start().await;
    scene.sql("DROP SCHEMA WORKSPACE CASCADE").await;
    assert_check(&scene.report().await, "workspaces", Failure, ["there is none", "PENNSIEVE_DB"]);
}

#[tokio::test]
async fn work_that_nobody_does_is_told() {
    let scene = Scene::start().await;
    assert_check(&scene.report().await, "backlog", Ok, ["nothing is overdue", ""]);
    let (workspace, dataset) = (scene.workspace.id, scene.dataset.id);
    scene
        .sql(&format!(
            "INSERT INTO packages_service.restore_queue (workspace_id, dataset_id, due_at)
             VALUES ({workspace}, {dataset}, now() - interval '20 minutes')"
        ))
        .await;
    assert_check(
        &scene.report().await,
        "backlog",
        Warning,
        ["datasets 1, announcements 0", "check that a worker and the schedule run"],
    );
}

/// A table that is written to when it is read, as one with a trigger or a view over a function may be.
#[tokio::test]
async fn a_look_can_change_nothing() {
    let scene = Scene::start().await;
    scene
        .sql(
            "CREATE TABLE packages_service.noted (n int);
             CREATE FUNCTION packages_service.note() RETURNS int LANGUAGE sql VOLATILE
                 AS 'INSERT INTO packages_service.noted VALUES (1) RETURNING n';
             INSERT INTO packages_service.restore_queue (workspace_id, dataset_id, due_at) VALUES (1, 1, '-infinity');
             ALTER TABLE packages_service.restore_queue RENAME TO queue;
             CREATE VIEW packages_service.restore_queue AS
                 SELECT * FROM packages_service.queue WHERE packages_service.note() = 1",
        )
        .await;
    let report = scene.report().await;
    assert_check(&report, "backlog", Failure, ["read-only transaction", "show this to the database's owner"]);
}
