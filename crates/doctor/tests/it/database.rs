//! Databases that lack what the service needs.

use doctor::Status::{Failure, Ok, Warning};
use doctor::queries::{Purpose, grant_statements};

use crate::environment::{TestEnvironment, assert_check, list_failures};

/// Connects as a role with only the privileges that the service needs. Returns its name.
async fn use_restricted_role(environment: &mut TestEnvironment) -> String {
    let role = format!("doctor_{}", environment.database.rsplit('_').next().unwrap());
    environment.run_sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'hunter2'")).await;
    for purpose in [
        Purpose::Roles,
        Purpose::Listings,
        Purpose::Links,
        Purpose::Trash,
        Purpose::Orders,
        Purpose::Restores,
    ] {
        for grant in grant_statements(purpose, &environment.workspace.id.to_string(), &role) {
            environment.run_sql(&grant).await;
        }
    }
    environment.set_variable("POSTGRES_USER", &role);
    environment.set_variable("POSTGRES_PASSWORD", "hunter2");
    role
}

#[tokio::test]
async fn reports_a_refused_login() {
    let environment = TestEnvironment::start().await;
    let report = environment.run_checks_with(&[("POSTGRES_USER", "nobody_at_all")]).await;
    assert_check(
        &report,
        "connection",
        Failure,
        ["password authentication failed", "POSTGRES_USER and POSTGRES_PASSWORD"],
    );
    let report = environment.run_checks_with(&[("PENNSIEVE_DB", "nothing_at_all")]).await;
    assert_check(&report, "connection", Failure, ["nothing_at_all", "PENNSIEVE_DB names no database"]);
    let report = environment.run_checks_with(&[("POSTGRES_SSL_MODE", "require")]).await;
    assert_check(&report, "connection", Failure, ["TLS", "POSTGRES_SSL_MODE=disable"]);
    let report = environment
        .run_checks_with(&[("POSTGRES_CA_FILE", "/no/such/file"), ("POSTGRES_SSL_MODE", "require")])
        .await;
    assert_check(&report, "settings", Failure, ["/no/such/file", "correct the variable"]);
}

#[tokio::test]
async fn reports_missing_timeouts_of_the_role() {
    let mut environment = TestEnvironment::start().await;
    let role = use_restricted_role(&mut environment).await;
    let advice = format!("ALTER ROLE {role} SET lock_timeout = '10s'");
    assert_check(&environment.run_checks().await, "settings of the role", Warning, ["lock_timeout", &advice]);
    for (limit, value) in [
        ("lock_timeout", "10s"),
        ("statement_timeout", "5min"),
        ("idle_in_transaction_session_timeout", "60s"),
    ] {
        environment.run_sql(&format!("ALTER ROLE {role} SET {limit} = '{value}'")).await;
    }
    assert_check(&environment.run_checks().await, "settings of the role", Ok, ["timeouts are set", ""]);
}

#[tokio::test]
async fn reports_each_missing_privilege_with_its_grant() {
    let mut environment = TestEnvironment::start().await;
    let role = use_restricted_role(&mut environment).await;
    let report = environment.run_checks().await;
    assert_eq!(list_failures(&report), [""; 0], "the grants are complete");
    let id = environment.workspace.id.to_string();
    for (table, privilege, line) in [
        ("pennsieve.users", "SELECT", "privileges: roles of people"),
        ("WORKSPACE.dataset_status", "SELECT", "privileges: listings"),
        ("WORKSPACE.files", "SELECT", "privileges: links"),
        ("packages_service.restore_failures", "SELECT", "privileges: the trash"),
        ("packages_service.restore_queue", "INSERT", "privileges: restore orders"),
        ("WORKSPACE.packages", "UPDATE", "privileges: restores"),
        ("packages_service.restore_outbox", "DELETE", "privileges: restores"),
    ] {
        environment.run_sql(&format!("REVOKE {privilege} ON {table} FROM {role}")).await;
        let report = environment.run_checks().await;
        let place = table.replace("WORKSPACE", &id);
        let found = format!("no {privilege} on {place}");
        assert_check(&report, line, Failure, [&found, "GRANT"]);
        environment.run_sql(&format!("GRANT {privilege} ON {table} TO {role}")).await;
    }
    environment.run_sql(&format!("REVOKE USAGE ON SCHEMA packages_service FROM {role}")).await;
    let grant = format!("GRANT USAGE ON SCHEMA \"packages_service\" TO \"{role}\"");
    assert_check(&environment.run_checks().await, "privileges: restores", Failure, ["restore_queue", &grant]);
}

#[tokio::test]
async fn reports_missing_and_outdated_tables() {
    let environment = TestEnvironment::start().await;
    for (change, found) in [
        ("DROP INDEX packages_service.restore_claims_position_idx", "restore_claims_position_idx"),
        ("ALTER TABLE packages_service.restore_orders DROP COLUMN bytes", "restore_orders.bytes"),
        ("DROP TABLE packages_service.restore_outbox", "restore_outbox"),
        ("DROP SCHEMA packages_service CASCADE", "restore_queue"),
    ] {
        environment.run_sql(change).await;
        assert_check(
            &environment.run_checks().await,
            "own tables",
            Failure,
            [found, "packages-service schema"],
        );
    }
    let report = environment.run_checks().await;
    assert_check(&report, "privileges: restores", Failure, ["no table packages_service.restore_claims", ""]);
}

#[tokio::test]
async fn reports_missing_indexes() {
    let environment = TestEnvironment::start().await;
    assert_check(&environment.run_checks().await, "indexes", Ok, ["all 10 lookups", ""]);
    for (change, found) in [
        ("ALTER TABLE WORKSPACE.packages DROP CONSTRAINT unique_node_id", "none on packages (node_id)"),
        ("DROP INDEX WORKSPACE.packages_parent_id_idx", "none on packages (parent_id)"),
        (
            "ALTER TABLE WORKSPACE.packages DROP CONSTRAINT packages_dataset_id_import_id_key",
            "none on packages (dataset_id)",
        ),
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
        environment.run_sql(change).await;
        let report = environment.run_checks().await;
        let check = report.checks().find(|check| check.name == "indexes" && check.found.starts_with(found));
        let advice = check.unwrap_or_else(|| panic!("{found}: {report:?}")).advice.as_deref().unwrap();
        assert!(advice.contains("CREATE INDEX CONCURRENTLY ON"), "{advice}");
    }
}

/// The planner then looks up a name by the folder, which has few packages or none. The index on names is there nevertheless.
#[tokio::test]
async fn finds_the_indexes_on_names_whatever_the_statistics_say() {
    let environment = TestEnvironment::start().await;
    let dataset = environment.workspace.create_dataset("Large").await.unwrap();
    let folder = environment.workspace.create_collection(&dataset, None, "folder").await.unwrap();
    let fill = format!(
        "INSERT INTO WORKSPACE.packages (name, type, state, dataset_id, parent_id, node_id)
         SELECT 'trial ' || i, 'CSV', 'READY', {}, {}, 'N:package:' || gen_random_uuid() FROM generate_series(1, 10000) i;
         ANALYZE WORKSPACE.packages",
        dataset.id, folder.id
    );
    environment.run_sql(&fill).await;
    assert_check(&environment.run_checks().await, "indexes", Ok, ["all 10 lookups", ""]);
}

#[tokio::test]
async fn a_workspace_that_is_half_migrated_does_not_hide_other_lookups() {
    let environment = TestEnvironment::start().await;
    environment.run_sql("ALTER TABLE WORKSPACE.packages DROP COLUMN parent_id CASCADE").await;
    environment.run_sql("DROP INDEX pennsieve.users_cognito_id_idx").await;
    let report = environment.run_checks().await;
    for found in ["packages (parent_id) in workspace", "none on pennsieve.users (cognito_id)"] {
        let is_found = report.checks().any(|check| check.name == "indexes" && check.found.starts_with(found));
        assert!(is_found, "{found}: {report:?}");
    }
}

#[tokio::test]
async fn reports_a_read_only_server() {
    let environment = TestEnvironment::start().await;
    assert!(environment.run_checks().await.checks().all(|check| check.name != "writes"));
    let database = environment.database.rsplit('/').next().unwrap();
    environment
        .run_sql(&format!("ALTER DATABASE \"{database}\" SET default_transaction_read_only = on"))
        .await;
    assert_check(&environment.run_checks().await, "writes", Failure, ["read-only", "primary"]);
}

#[tokio::test]
async fn checks_the_largest_workspace() {
    let environment = TestEnvironment::start().await;
    let large = local::testing::create_workspace_in(&environment.database).await;
    let dataset = large.create_dataset("Large").await.unwrap();
    for n in 0..5 {
        large.create_collection(&dataset, None, &n.to_string()).await.unwrap();
    }
    large.client.batch_execute(&format!("ANALYZE \"{}\".packages", large.id)).await.unwrap();
    let found = format!("in workspace {} (about 5 packages)", large.id);
    assert_check(&environment.run_checks().await, "indexes", Ok, [&found, ""]);
}

#[tokio::test]
async fn reports_a_database_without_workspaces() {
    let environment = TestEnvironment::start().await;
    environment.run_sql("DROP SCHEMA WORKSPACE CASCADE").await;
    assert_check(&environment.run_checks().await, "workspaces", Failure, ["there is none", "PENNSIEVE_DB"]);
}

#[tokio::test]
async fn reports_overdue_work() {
    let environment = TestEnvironment::start().await;
    assert_check(&environment.run_checks().await, "backlog", Ok, ["nothing is overdue", ""]);
    let (workspace, dataset) = (environment.workspace.id, environment.dataset.id);
    environment
        .run_sql(&format!(
            "INSERT INTO packages_service.restore_queue (workspace_id, dataset_id, due_at)
             VALUES ({workspace}, {dataset}, now() - interval '20 minutes')"
        ))
        .await;
    assert_check(
        &environment.run_checks().await,
        "backlog",
        Warning,
        ["datasets 1, announcements 0", "check that a worker and the schedule run"],
    );
}

/// Here reading a table writes to another one, as a trigger or a view over a function may do.
#[tokio::test]
async fn checks_run_in_read_only_transactions() {
    let environment = TestEnvironment::start().await;
    environment
        .run_sql(
            "CREATE TABLE packages_service.noted (n int);
             CREATE FUNCTION packages_service.note() RETURNS int LANGUAGE sql VOLATILE
                 AS 'INSERT INTO packages_service.noted VALUES (1) RETURNING n';
             INSERT INTO packages_service.restore_queue (workspace_id, dataset_id, due_at) VALUES (1, 1, '-infinity');
             ALTER TABLE packages_service.restore_queue RENAME TO queue;
             CREATE VIEW packages_service.restore_queue AS
                 SELECT * FROM packages_service.queue WHERE packages_service.note() = 1",
        )
        .await;
    let report = environment.run_checks().await;
    assert_check(&report, "backlog", Failure, ["read-only transaction", "show this to the database's owner"]);
}
