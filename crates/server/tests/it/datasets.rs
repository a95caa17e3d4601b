//! The list of datasets: roles, workspaces, pages.

use std::collections::BTreeMap;

use local::{
    testing,
    workspace::{Dataset, User},
};
use serde_json::{Value, json};

use crate::{
    app::{TestApp, TestResponse, issue_api_key_token, issue_token},
    log_capture::LogCapture,
};

impl TestApp {
    async fn get_datasets(&self, token: &str, query: &str) -> TestResponse {
        self.get(&format!("/packages/datasets?{query}"), token).await
    }

    /// The role in each listed dataset, by its name. The list has one page.
    async fn list_roles(&self, token: &str, query: &str) -> BTreeMap<String, String> {
        let response = self.get_datasets(token, query).await;
        assert_eq!(response.status, 200, "{:?}", response.body);
        let page = response.json();
        assert_eq!(page["next"], Value::Null);
        let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (text(item, "name"), text(item, "role")))
            .collect()
    }

    async fn create_datasets(&self, names: &[&str]) -> Vec<Dataset> {
        let mut datasets = Vec::new();
        for name in names {
            datasets.push(self.workspace.create_dataset(name).await.unwrap());
        }
        datasets
    }

    async fn create_nobody(&self) -> User {
        self.workspace.create_user("nobody@example.org").await.unwrap()
    }
}

fn roles<const N: usize>(roles: [(&str, &str); N]) -> BTreeMap<String, String> {
    roles.map(|(name, role)| (name.to_owned(), role.to_owned())).into()
}

#[tokio::test]
async fn lists_all_fields_of_a_dataset() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    app.create_file(None, "a", b"12345").await;
    app.workspace.populate_usage().await.unwrap();
    app.run_sql(
        r#"UPDATE "WORKSPACE".datasets SET status_id = 2, updated_at = '2026-11-24 11:18:50.75';
           UPDATE pennsieve.organizations SET name = 'Laboratory' WHERE id = WORKSPACE"#,
    )
    .await;
    let expected = json!({
        "items": [{
            "id": app.dataset.node_id, "name": "Test", "role": "viewer", "workspace": app.workspace.id.0,
            "status": "Work in Progress", "bytes": 5, "updated_at": "2026-11-24T11:18:50Z",
        }],
        "workspaces": [{"id": app.workspace.id.0, "name": "Laboratory", "active": true}],
        "next": null,
    });
    let before = app.app.db.statement_count();
    assert_eq!(app.get_datasets(&token, "").await.json(), expected);
    assert_eq!(app.app.db.statement_count() - before, 2, "the caller and the list");
    let same = format!("workspace={}&dataset_id=N:dataset:of-no-meaning", app.workspace.id);
    assert_eq!(app.get_datasets(&token, &same).await.json(), expected);
}

#[tokio::test]
async fn empty_columns_become_null() {
    let app = TestApp::start().await;
    let token = app.create_token("owner").await;
    let [nameless] = app.create_datasets(&["without id"]).await.try_into().unwrap();
    app.workspace.grant_workspace_role(&nameless, "viewer").await.unwrap();
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".datasets SET updated_at = NULL, created_at = NULL, description = NULL, permission_bit = NULL,
               type = NULL, role = NULL, status = NULL, license = NULL, size = NULL WHERE id = {};
           UPDATE "WORKSPACE".datasets SET node_id = NULL WHERE id = {};
           INSERT INTO "WORKSPACE".dataset_storage (dataset_id, size) VALUES ({0}, NULL);
           UPDATE pennsieve.organization_user SET permission_bit = NULL WHERE organization_id = WORKSPACE"#,
        app.dataset.id, nameless.id
    ))
    .await;
    let page = app.get_datasets(&token, "").await.json();
    let expected = json!([{
        "id": app.dataset.node_id, "name": "Test", "role": "owner", "workspace": app.workspace.id.0,
        "status": "No Status", "bytes": null, "updated_at": null,
    }]);
    assert_eq!(page["items"], expected, "a dataset without an id is not listed");
}

/// The same people and datasets as an endpoint that decides on each dataset.
#[tokio::test]
async fn roles_are_those_that_decide() {
    let app = TestApp::start().await;
    let user = app.create_nobody().await;
    let token = issue_token(&user);
    assert_eq!(app.list_roles(&token, "").await, roles([]));
    let names = ["by team", "for all", "highest", "none", "odd", "own", "two teams", "NULLs"];
    let [by_team, for_all, highest, none, odd, own, two_teams, nulls] =
        app.create_datasets(&names).await.try_into().unwrap();
    let (first, second) = (
        app.workspace.create_team("first", &[&user]).await.unwrap(),
        app.workspace.create_team("second", &[&user]).await.unwrap(),
    );
    let foreign = app.workspace.create_team("of others", &[]).await.unwrap();
    app.workspace.grant_team_role(&by_team, &first, "editor").await.unwrap();
    app.workspace.grant_workspace_role(&for_all, "Guest").await.unwrap();
    app.workspace.grant_workspace_role(&highest, "viewer").await.unwrap();
    app.workspace.grant_team_role(&highest, &first, "MANAGER").await.unwrap();
    app.workspace.grant_user_role(&highest, &user, "guest").await.unwrap();
    app.workspace.grant_user_role(&none, &user, "none").await.unwrap();
    app.workspace.grant_team_role(&none, &foreign, "owner").await.unwrap();
    app.workspace.grant_user_role(&odd, &user, "emperor").await.unwrap();
    app.workspace.grant_user_role(&own, &user, "owner").await.unwrap();
    app.workspace.grant_team_role(&two_teams, &first, "viewer").await.unwrap();
    app.workspace.grant_team_role(&two_teams, &second, "editor").await.unwrap();
    app.workspace.grant_user_role(&nulls, &user, "viewer").await.unwrap();
    app.workspace.grant_team_role(&nulls, &first, "viewer").await.unwrap();
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".dataset_user SET role = NULL WHERE dataset_id = {}"#,
        nulls.id
    ))
    .await;
    let expected = roles([
        ("by team", "editor"),
        ("for all", "guest"),
        ("highest", "manager"),
        ("own", "owner"),
        ("two teams", "editor"),
        ("NULLs", "viewer"),
    ]);
    let listed = app.list_roles(&token, "").await;
    assert_eq!(listed, expected);
    for (name, dataset) in names.iter().zip([by_team, for_all, highest, none, odd, own, two_teams, nulls]) {
        let response = app.get(&format!("/packages/children?dataset_id={}", dataset.node_id), &token).await;
        let may_read = listed.get(*name).is_some_and(|role| role != "guest");
        assert_eq!(response.status, if may_read { 200 } else { 403 }, "{name}");
    }
}

#[tokio::test]
async fn of_two_datasets_with_one_id_the_first_decides() {
    let app = TestApp::start().await;
    let user = app.create_user("viewer").await;
    let [twin] = app.create_datasets(&["Twin"]).await.try_into().unwrap();
    app.workspace.grant_user_role(&twin, &user, "owner").await.unwrap();
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".datasets SET node_id = '{}' WHERE id = {}"#,
        app.dataset.node_id, twin.id
    ))
    .await;
    assert_eq!(app.list_roles(&issue_token(&user), "").await, roles([("Test", "viewer")]));
}

#[tokio::test]
async fn a_person_lists_their_own_workspaces_only() {
    let app = TestApp::start().await;
    let (user, active) = (app.create_user("viewer").await, testing::create_workspace_in(&app.database).await);
    app.run_sql(&format!(
        "UPDATE pennsieve.users SET preferred_org_id = {active} WHERE id = {user};
         INSERT INTO pennsieve.organization_user (organization_id, user_id) VALUES ({active}, {user});
         UPDATE pennsieve.organizations SET name = 'B' WHERE id = WORKSPACE;
         UPDATE pennsieve.organizations SET name = 'A' WHERE id = {active}",
        active = active.id,
        user = user.id,
    ))
    .await;
    let token = issue_token(&user);
    let page = app.get_datasets(&token, "").await.json();
    let workspaces = json!([
        {"id": active.id.0, "name": "A", "active": true}, {"id": app.workspace.id.0, "name": "B", "active": false},
    ]);
    assert_eq!((&page["items"], &page["workspaces"]), (&json!([]), &workspaces));
    let here = format!("workspace={}", app.workspace.id);
    assert_eq!(app.list_roles(&token, &here).await, roles([("Test", "viewer")]));

    // An API key acts in the workspace that it was created in.
    let key = issue_api_key_token(&app.workspace.create_api_key(&user).await.unwrap());
    assert_eq!(app.list_roles(&key, "").await, roles([("Test", "viewer")]));
    let page = app.get_datasets(&key, "").await.json();
    assert_eq!(page["workspaces"], json!([{"id": app.workspace.id.0, "name": "B", "active": true}]));
    app.get_datasets(&key, &format!("workspace={}", active.id)).await.assert_problem(403);

    // Another's workspace, and one that does not exist.
    let other = testing::create_workspace_in(&app.database).await;
    let details = [other.id.0, i32::MAX].map(|number| format!("workspace={number}"));
    for token in [&token, &key] {
        for query in &details {
            let log = LogCapture::start();
            let detail = app.get_datasets(token, query).await.assert_problem(403);
            assert_eq!(detail, "you have no access to this workspace", "{query}");
            let logged = log.take();
            assert!(logged.contains("access refused"), "{logged}");
        }
    }
    // A former member.
    app.run_sql(&format!(
        "DELETE FROM pennsieve.organization_user WHERE organization_id = WORKSPACE AND user_id = {}",
        user.id
    ))
    .await;
    app.get_datasets(&token, &here).await.assert_problem(403);
    app.get_datasets(&key, "").await.assert_problem(403);
    app.get_datasets("", "").await.assert_problem(401);
}

#[tokio::test]
async fn a_workspace_without_tables_is_a_clear_problem_for_its_members() {
    let app = TestApp::start_with_own_database().await;
    let user = app.create_user("viewer").await;
    let stranger = TestApp::start_in(&app.database).await.create_token("owner").await;
    app.run_sql(r#"ALTER SCHEMA "WORKSPACE" RENAME TO gone"#).await;
    let expected = "cannot be read: its tables are missing, or closed to this service";
    let detail = app.get_datasets(&issue_token(&user), "").await.assert_problem(500);
    assert_eq!(detail, format!("workspace {} {expected}", app.workspace.id));
    let query = format!("workspace={}", app.workspace.id);
    let detail = app.get_datasets(&stranger, &query).await.assert_problem(403);
    assert_eq!(detail, "you have no access to this workspace");
}

#[tokio::test]
async fn pages_list_every_dataset_once() {
    let app = TestApp::start().await;
    let user = app.create_nobody().await;
    let token = issue_token(&user);
    app.run_sql(
        r#"INSERT INTO "WORKSPACE".datasets (name, state, node_id, status_id, role)
           SELECT 'name ' || i / 3, 'READY', 'N:dataset:' || gen_random_uuid(), 1,
                  CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN 'none' ELSE 'viewer' END
           FROM generate_series(1, 60) i"#,
    )
    .await;
    for limit in [1, 7, 36, 1000] {
        let (mut ids, mut names, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = app.get_datasets(&token, &format!("limit={limit}{cursor}")).await.json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            ids.extend(items.iter().map(|item| item["id"].to_string()));
            names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert!(names.is_sorted(), "{names:?}");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), names.len()), (36, 36), "each once, {limit}");
    }
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "workspace=0",
        "workspace=-1",
        "workspace=x",
        "cursor=x",
        "cursor=MTc",
    ] {
        app.get_datasets(&token, query).await.assert_problem(400);
    }
}
