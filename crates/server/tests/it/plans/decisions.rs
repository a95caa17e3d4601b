//! The statement of a decision reads a few rows in tenants of every shape, also with one plan for all parameters.

use authorize::{Authorizer, Credential};
use aws::Clock;

use crate::{
    app::{TestApp, issue_token, issuer},
    plans::recorder::{PlanRecorder, has_auto_explain},
};

/// Rows that are many for a decision.
const MANY: i32 = 5_000;

/// Teams of one person. The gateway's authorizer reads them all, because its claims list them.
const TEAMS: i32 = 200;

/// The most rows that one node of a plan may read: the teams, and as many roles of teams.
const MAX_ROWS_READ: f64 = 1_000.0;

/// `WORKSPACE`, `DATASET` and `CALLER` stand for the numbers.
const SHAPES: [(&str, &str); 4] = [
    ("one dataset", ""),
    (
        "many datasets, the caller has a role in each",
        r#"INSERT INTO "WORKSPACE".datasets (name, state, node_id, status_id)
           SELECT n, 'READY', 'N:dataset:w-WORKSPACE-' || n, 1 FROM generate_series(1, MANY) n;
           INSERT INTO "WORKSPACE".dataset_user (dataset_id, user_id, role)
           SELECT id, CALLER, 'viewer' FROM "WORKSPACE".datasets ON CONFLICT DO NOTHING"#,
    ),
    (
        "many members, each has a role in the dataset",
        r#"INSERT INTO pennsieve.users (email, first_name, last_name, is_super_admin, preferred_org_id, node_id, cognito_id)
           SELECT n || '@example.org', '', '', false, WORKSPACE, 'N:user:w-WORKSPACE-' || n, gen_random_uuid()
           FROM generate_series(1, MANY) n;
           INSERT INTO pennsieve.organization_user (organization_id, user_id, permission_bit)
           SELECT WORKSPACE, id, 8 FROM pennsieve.users WHERE preferred_org_id = WORKSPACE ON CONFLICT DO NOTHING;
           INSERT INTO "WORKSPACE".dataset_user (dataset_id, user_id, role)
           SELECT DATASET, id, 'viewer' FROM pennsieve.users WHERE preferred_org_id = WORKSPACE ON CONFLICT DO NOTHING"#,
    ),
    (
        "many teams, each has a role in the dataset",
        r#"WITH teams AS (
               INSERT INTO pennsieve.teams (name, node_id)
               SELECT n, 'N:team:w-WORKSPACE-' || n FROM generate_series(1, TEAMS) n RETURNING id
           ), owned AS (
               INSERT INTO pennsieve.organization_team (organization_id, team_id) SELECT WORKSPACE, id FROM teams
           ), joined AS (
               INSERT INTO pennsieve.team_user (team_id, user_id)
               SELECT teams.id, users.id FROM teams, (SELECT id FROM pennsieve.users ORDER BY id LIMIT 50) users
           ), member AS (
               INSERT INTO pennsieve.team_user (team_id, user_id) SELECT id, CALLER FROM teams ON CONFLICT DO NOTHING
           )
           INSERT INTO "WORKSPACE".dataset_team (dataset_id, team_id, role) SELECT DATASET, id, 'viewer' FROM teams"#,
    ),
];

#[tokio::test]
async fn decisions_read_few_rows_in_tenants_of_every_shape() {
    if !has_auto_explain().await {
        return;
    }
    // The shared tables have these people and teams only.
    let database = local::testing::isolated_database_url().await;
    for (shape, rows) in SHAPES {
        let plans = PlanRecorder::start_for(&database).await;
        let mut app = TestApp::start_in(&database).await;
        app.set_db(plans.open_generic_db());
        let user = app.create_user("viewer").await;
        let numbers = [("DATASET", app.dataset.id.0), ("CALLER", user.id), ("MANY", MANY), ("TEAMS", TEAMS)];
        let rows = numbers.iter().fold(rows.to_owned(), |sql, (name, n)| sql.replace(name, &n.to_string()));
        app.run_sql(&rows).await;
        app.run_sql("ANALYZE").await;
        let package = app.create_file(None, "a", b"-").await;
        let (path, token) = (app.presign_path(&package, ""), issue_token(&user));
        // The first decision does not know the dataset's workspace, the others do.
        for _ in 0..10 {
            assert_eq!(app.get(&path, &token).await.status, 307, "{shape}");
        }
        // The gateway's authorizer also lists teams.
        let authorizer = Authorizer::new(issuer().verifier(), app.app.db.clone(), Clock::System).with_teams();
        let credential = Credential::parse(&format!("Bearer {token}")).unwrap();
        for _ in 0..10 {
            authorizer.authorize(&credential, &app.dataset.node_id, None).await.unwrap();
        }
        let decisions = plans.list_statements().iter().filter(|sql| sql.contains("located")).count();
        assert_eq!(decisions, 20, "{shape}");
        let (effort, node) = plans.find_most_rows_read();
        assert!(effort <= MAX_ROWS_READ, "{shape}: {effort} rows in {node}");
    }
}
