//! Audit events: each decision is one, with names and without secrets.

use serde_json::{Value, json};

use crate::{
    app::{TestApp, issue_api_key_token, issue_token},
    log_capture::LogCapture,
};

/// What the only refusal in a log says.
fn find_refusal(log: &str) -> Value {
    let lines = log.lines().map(|line| -> Value { serde_json::from_str(line).unwrap() });
    let refusals: Vec<Value> = lines.filter(|line| line["message"] == "access refused").collect();
    let [refusal] = refusals.as_slice() else { panic!("{log}") };
    assert_eq!(refusal["target"], "audit");
    let fields =
        ["user", "workspace", "dataset", "reason"].map(|name| (name.to_owned(), refusal[name].clone()));
    fields.into_iter().collect()
}

#[tokio::test]
async fn each_refusal_names_who_what_and_why() {
    let (app, other) = (TestApp::start().await, TestApp::start().await);
    let package = app.create_file(None, "a", b"-").await;
    let path = app.presign_path(&package, "");
    let stranger = other.create_user("owner").await;
    let without_role = app.create_user("none").await;
    let foreign_key = issue_api_key_token(&other.workspace.create_api_key(&without_role).await.unwrap());
    app.run_sql(&format!(
        "INSERT INTO pennsieve.organization_user (organization_id, user_id) VALUES ({}, {})",
        other.workspace.id, without_role.id
    ))
    .await;
    let guest = app.create_user("guest").await;
    let unknown = path.replace(app.dataset.node_id.as_str(), "N:dataset:unknown");

    let log = LogCapture::start_json(&["api", "audit", "authorize"]);
    let (here, workspace) = (&path, json!(app.workspace.id));
    let (not_member, no_role) =
        ("the user is not a member of the workspace", "the user has no role in the dataset");
    let no_permission = "your role in this dataset lacks the permission ViewFiles";
    for (token, path, user, workspace, reason) in [
        (issue_token(&stranger), here, json!(stranger.node_id), &workspace, not_member),
        (issue_token(&without_role), here, json!(without_role.node_id), &workspace, no_role),
        (
            foreign_key,
            here,
            json!(without_role.node_id),
            &workspace,
            "the credential is for another workspace",
        ),
        (issue_token(&guest), &unknown, json!(guest.node_id), &Value::Null, "the dataset is unknown"),
        (issue_api_key_token("unknown"), here, Value::Null, &Value::Null, "the caller is unknown"),
        ("a.b.c".to_owned(), here, Value::Null, &Value::Null, "the bearer token is malformed"),
        (issue_token(&guest), here, json!(guest.node_id), &workspace, no_permission),
    ] {
        let status = app.get(path, &token).await.status;
        assert!(matches!(status.as_u16(), 401 | 403), "{reason}");
        let text = log.take();
        assert!(!text.contains(&token), "{reason}");
        let dataset = path.split(['=', '&']).nth(1).unwrap();
        assert_eq!(
            find_refusal(&text),
            json!({"user": user, "workspace": workspace, "dataset": dataset, "reason": reason})
        );
    }
    let token = issue_token(&app.create_user("viewer").await);
    assert_eq!(app.get(&path, &token).await.status, 307);
    let text = log.take();
    assert_eq!(text.matches(r#""message":"caller identified""#).count(), 1, "{text}");
    assert_eq!(text.matches(r#""message":"link issued""#).count(), 1, "{text}");
    assert!(!text.contains(&token));
}
