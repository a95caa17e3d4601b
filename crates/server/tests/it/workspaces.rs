//! People in several workspaces: the dataset says which workspace counts. Also what a decision costs, and how long a server
//! remembers it.

use std::time::Duration;

use authorize::Authorizer;
use aws::Clock;
use axum::body::Body;
use local::{testing, workspace::User};
use serde_json::json;
use server::authentication::authenticate;

use crate::{
    app::{TestApp, build_request, issue_api_key_token, issue_token, issuer},
    routes::{PrivateRequest, private_requests},
};

/// A viewer of the app's dataset, who last visited another workspace of theirs.
async fn create_visitor(app: &TestApp) -> User {
    let user = app.create_user("viewer").await;
    let other = testing::create_workspace_in(&app.database).await;
    app.run_sql(&format!(
        "UPDATE pennsieve.users SET preferred_org_id = {other} WHERE id = {user};
         INSERT INTO pennsieve.organization_user (organization_id, user_id) VALUES ({other}, {user})",
        other = other.id,
        user = user.id,
    ))
    .await;
    user
}

#[tokio::test]
async fn the_workspace_is_that_of_the_dataset() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let user = create_visitor(&app).await;
    app.workspace.grant_user_role(&app.dataset, &user, "owner").await.unwrap();
    let token = issue_token(&user);
    for request in private_requests(&app, &package) {
        let status = app.send(request.build(&token)).await.status;
        assert_eq!(status, request.success, "{} {}", request.method, request.path());
    }
    // Teams and membership are those of the dataset's workspace, too.
    app.run_sql(r#"DELETE FROM "WORKSPACE".dataset_user"#).await;
    let path = app.presign_path(&package, "");
    app.get(&path, &token).await.assert_problem(403);
    let team = app.workspace.create_team("T", &[&user]).await.unwrap();
    app.workspace.grant_team_role(&app.dataset, &team, "viewer").await.unwrap();
    assert_eq!(app.get(&path, &token).await.status, 307);
    app.run_sql(&format!(
        "DELETE FROM pennsieve.organization_user WHERE organization_id = WORKSPACE AND user_id = {}",
        user.id
    ))
    .await;
    app.get(&path, &token).await.assert_problem(403);
}

#[tokio::test]
async fn an_api_key_works_in_its_own_workspace_only() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let user = create_visitor(&app).await;
    let key = issue_api_key_token(&app.workspace.create_api_key(&user).await.unwrap());
    let other = TestApp::start().await;
    app.run_sql(&format!(
        "INSERT INTO pennsieve.organization_user (organization_id, user_id) VALUES ({}, {})",
        other.workspace.id, user.id
    ))
    .await;
    other.workspace.grant_user_role(&other.dataset, &user, "owner").await.unwrap();
    let file = other.create_file(None, "b", b"-").await;

    assert_eq!(app.get(&app.presign_path(&package, ""), &key).await.status, 307);
    for request in private_requests(&other, &file).into_iter().filter(PrivateRequest::names_dataset) {
        let status = other.send(request.build(&key)).await.status;
        assert_eq!(status, 403, "{} {}", request.method, request.path());
    }
    // Its owner may.
    assert_eq!(other.get(&other.presign_path(&file, ""), &issue_token(&user)).await.status, 307);
}

/// A platform that does not have its table of the workspaces of datasets yet.
#[tokio::test]
async fn without_the_platforms_table_the_active_workspace_counts() {
    let app = TestApp::start_with_own_database().await;
    app.run_sql(
        r#"DROP TRIGGER datasets_keep_organization ON "WORKSPACE".datasets;
           DROP TABLE pennsieve.dataset_organization"#,
    )
    .await;
    let package = app.create_file(None, "a", b"-").await;
    let path = app.presign_path(&package, "");
    let token = app.create_token("viewer").await;
    assert_eq!(app.get(&path, &token).await.status, 307);
    assert_eq!(app.get(&path, &token).await.status, 307, "again, with the place that is known now");

    let visitor = app.create_user("viewer").await;
    app.run_sql(&format!("UPDATE pennsieve.users SET preferred_org_id = NULL WHERE id = {}", visitor.id))
        .await;
    app.get(&path, &issue_token(&visitor)).await.assert_problem(403);
    let key = issue_api_key_token(&app.workspace.create_api_key(&visitor).await.unwrap());
    assert_eq!(app.get(&path, &key).await.status, 307);
}

#[tokio::test]
async fn a_dataset_that_moved_is_found_again() {
    let app = TestApp::start_with_own_database().await;
    let package = app.create_file(None, "a", b"-").await;
    let user = app.create_user("viewer").await;
    let (path, token) = (app.presign_path(&package, ""), issue_token(&user));
    assert_eq!(app.get(&path, &token).await.status, 307);
    let other = testing::create_workspace_in(&app.database).await;
    app.run_sql(&format!("UPDATE pennsieve.dataset_organization SET organization_id = {}", other.id)).await;
    app.get(&path, &token).await.assert_problem(403);
    app.run_sql("UPDATE pennsieve.dataset_organization SET organization_id = WORKSPACE").await;
    assert_eq!(app.get(&path, &token).await.status, 307);
    // The schema of the known place is gone.
    app.run_sql(r#"ALTER SCHEMA "WORKSPACE" RENAME TO gone"#).await;
    assert_eq!(app.get(&path, &token).await.status, 500);
    app.run_sql(r#"ALTER SCHEMA gone RENAME TO "WORKSPACE""#).await;
    assert_eq!(app.get(&path, &token).await.status, 307);
}

#[tokio::test]
async fn names_with_any_characters_do_not_disturb_a_decision() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let user = app.create_user("none").await;
    let name = "<&\"'%1$I \u{1}\u{fffe} ]]> $roles$ 𝒳";
    let team = app.workspace.create_team(name, &[&user]).await.unwrap();
    app.workspace.grant_team_role(&app.dataset, &team, "viewer").await.unwrap();
    let (path, token) = (app.presign_path(&package, ""), issue_token(&user));
    for attempt in ["first", "second"] {
        assert_eq!(app.get(&path, &token).await.status, 307, "{attempt}");
    }
    app.run_sql(r#"UPDATE "WORKSPACE".dataset_team SET role = E'\x01<viewer>'"#).await;
    app.get(&path, &token).await.assert_problem(403);
}

#[tokio::test]
async fn a_decision_is_one_statement() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let token = app.create_token("viewer").await;
    let refused = app.create_token("none").await;
    let path = app.presign_path(&package, "");
    let count = async |token: &str, status: u16| {
        let before = app.app.db.statement_count();
        assert_eq!(app.get(&path, token).await.status, status);
        app.app.db.statement_count() - before
    };
    assert_eq!(count(&refused, 403).await, 1, "a dataset that is not known yet");
    assert_eq!(count(&token, 307).await, 1, "the caller and the file");
    assert_eq!(count(&token, 307).await, 1);
    assert_eq!(count(&issue_api_key_token("unknown"), 403).await, 2, "the dataset's place is of no use");
}

fn remember_decisions(app: &mut TestApp, window: Duration) {
    let authorizer = Authorizer::new(issuer().verifier(), app.app.db.clone(), Clock::System);
    app.router = api::router(app.app.clone(), authenticate(authorizer.with_decision_cache(window)));
}

#[tokio::test]
async fn a_server_remembers_who_has_access_for_a_while() {
    let mut app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    remember_decisions(&mut app, Duration::from_hours(1));
    let user = app.create_user("viewer").await;
    let (path, token) = (app.presign_path(&package, ""), issue_token(&user));
    assert_eq!(app.get(&path, &token).await.status, 307);

    // What the claims do not allow is refused, whoever is remembered.
    let second = app.workspace.create_dataset("Second").await.unwrap();
    let elsewhere = path.replace(app.dataset.node_id.as_str(), second.node_id.as_str());
    app.get(&elsewhere, &token).await.assert_problem(403);
    app.get(&path, &issue_token(&app.create_user("none").await)).await.assert_problem(403);
    let restore = format!("/packages/restore?dataset_id={}", app.dataset.node_id);
    let order = Body::from(json!({"nodeIds": [package.node_id]}).to_string());
    app.send(build_request("POST", &restore, &token, order)).await.assert_problem(403);
    // A package that left the dataset is gone at once: its link asks the database.
    app.run_sql(&format!(r#"UPDATE "WORKSPACE".packages SET dataset_id = {}"#, second.id)).await;
    app.get(&path, &token).await.assert_problem(404);
    app.run_sql(&format!(r#"UPDATE "WORKSPACE".packages SET dataset_id = {}"#, app.dataset.id)).await;

    let before = app.app.db.statement_count();
    app.workspace.grant_user_role(&app.dataset, &user, "none").await.unwrap();
    assert_eq!(app.get(&path, &token).await.status, 307, "the role is remembered");
    assert_eq!(app.app.db.statement_count() - before, 1, "the file");

    app.workspace.grant_user_role(&app.dataset, &user, "viewer").await.unwrap();
    remember_decisions(&mut app, Duration::from_secs(1));
    assert_eq!(app.get(&path, &token).await.status, 307);
    app.workspace.grant_user_role(&app.dataset, &user, "none").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    app.get(&path, &token).await.assert_problem(403);
    // A role that was just given counts at once.
    app.workspace.grant_user_role(&app.dataset, &user, "viewer").await.unwrap();
    assert_eq!(app.get(&path, &token).await.status, 307);
}
