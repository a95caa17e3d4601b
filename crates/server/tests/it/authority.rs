//! Roles, other datasets, other workspaces, and invalid tokens.

use authorize::{TokenSubject, TokenVerifier, TrustedIssuer, keys::KeyCache};
use aws::HttpClient;
use axum::body::Body;
use packages::access::DatasetRole;
use serde_json::json;

use crate::{
    app::{
        TestApp, build_request, build_router_with_verifier, issue_api_key_token, issue_expired_token,
        issue_token,
    },
    routes::{PrivateRequest, private_requests},
};

#[tokio::test]
async fn each_role_has_its_permissions() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    for (name, role) in [
        ("none", DatasetRole::None),
        ("guest", DatasetRole::Guest),
        ("viewer", DatasetRole::Viewer),
        ("editor", DatasetRole::Editor),
        ("manager", DatasetRole::Manager),
        ("owner", DatasetRole::Owner),
    ] {
        let token = app.create_token(name).await;
        for request in private_requests(&app, &package) {
            let expected = if role >= request.least_role { request.success } else { 403 };
            let status = app.send(request.build(&token)).await.status;
            assert_eq!(status, expected, "{name} {} {}", request.method, request.path());
        }
    }
}

#[tokio::test]
async fn rejects_invalid_tokens_on_every_private_route() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let user = app.create_user("owner").await;
    let good = issue_token(&user);
    let parts: Vec<&str> = good.split('.').collect();
    for bad in [
        String::new(),
        "nonsense".to_owned(),
        issue_expired_token(&user),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(parts[2].len())),
        format!("eyJhbGciOiJub25lIn0.{}.", parts[1]),
    ] {
        for request in private_requests(&app, &package) {
            let response = app.send(request.build(&bad)).await;
            assert_eq!(response.status, 401, "{} {}", request.method, request.path());
            assert_eq!(response.header("www-authenticate"), r#"Bearer realm="example.org""#);
        }
    }
    let mut basic = build_request("GET", &app.presign_path(&package, ""), "", Body::empty());
    basic.headers_mut().insert("authorization", "Basic dXNlcjpwYXNz".parse().unwrap());
    app.send(basic).await.assert_problem(401);
    let mut two = build_request("GET", &app.presign_path(&package, ""), &good, Body::empty());
    two.headers_mut().append("authorization", format!("Bearer {good}").parse().unwrap());
    app.send(two).await.assert_problem(401);
}

#[tokio::test]
async fn another_workspace_gets_no_access() {
    let app = TestApp::start().await;
    let other = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    app.trash_package(&app.create_file(None, "b", b"-").await).await;
    let stranger = other.create_token("owner").await;

    // Another workspace's dataset and package: 403, whether or not they exist.
    for request in private_requests(&app, &package).into_iter().filter(PrivateRequest::names_dataset) {
        let known = app.send(request.build(&stranger)).await;
        assert_eq!(known.status, 403, "{} {}", request.method, request.path());
        let request = request.with_parameter("dataset_id", "N:dataset:no-such");
        let unknown = app.send(request.build(&stranger)).await;
        assert_eq!(unknown.status, 403, "{} {}", request.method, request.path());
        if request.method != "HEAD" {
            assert_eq!(known.json()["detail"], unknown.json()["detail"], "{}", request.path());
        }
    }

    // Another workspace's package in the caller's own dataset: it does not exist.
    for request in private_requests(&other, &package).into_iter().filter(PrivateRequest::names_dataset) {
        let response = other.send(request.build(&stranger)).await;
        match (request.method.as_str(), request.route.as_str()) {
            ("POST", "/restore") => {
                assert_eq!(response.json()["success"], json!([]));
                assert_eq!(response.json()["failures"][0]["id"], json!(package.node_id));
            }
            ("POST", "/presign/s3") => {
                assert_eq!(response.json()["items"][0]["problem"]["status"], 404);
            }
            ("POST", "/download-manifest") => {
                assert_eq!(response.json()["data"], json!([]));
                assert_eq!(response.json()["skipped"][0]["reason"], "not-found");
            }
            (method, "/children") => {
                assert_eq!(response.status, 200, "{method} {}", request.path());
                let is_empty = || response.json() == json!({"items": [], "path": [], "next": null});
                assert!(method == "HEAD" || is_empty(), "{:?}", response.body);
                let inside = request.with_parameter("parent", package.node_id.as_str());
                assert_eq!(other.send(inside.build(&stranger)).await.status, 404);
            }
            (method, "/trash") => {
                assert_eq!(response.status, 200, "{method} {}", request.path());
                let is_empty = || response.json() == json!({"items": [], "next": null});
                assert!(method == "HEAD" || is_empty(), "{:?}", response.body);
                let inside = request.with_parameter("parent", package.node_id.as_str());
                assert_eq!(other.send(inside.build(&stranger)).await.status, 404);
            }
            (method, _) => assert_eq!(response.status, 404, "{method} {}", request.path()),
        }
    }
}

#[tokio::test]
async fn a_role_in_one_dataset_gives_no_access_to_another() {
    let app = TestApp::start().await;
    let second = app.workspace.create_dataset("Second").await.unwrap();
    let package = app.create_file(None, "a", b"-").await;
    let deleted = app.create_file(None, "b", b"-").await;
    app.trash_package(&deleted).await;
    let user = app.create_user("none").await;
    app.workspace.grant_user_role(&second, &user, "owner").await.unwrap();
    let token = issue_token(&user);

    app.get(&app.presign_path(&package, ""), &token).await.assert_problem(403);
    let path = app.presign_path(&package, "").replace(app.dataset.node_id.as_str(), second.node_id.as_str());
    app.get(&path, &token).await.assert_problem(404);
    let path = format!("/packages/restore?dataset_id={}", second.node_id);
    let order = json!({"nodeIds": [deleted.node_id]}).to_string();
    let response = app.send(build_request("POST", &path, &token, Body::from(order))).await.json();
    let error = format!("deleted package {} not found in dataset {}", deleted.node_id, second.node_id);
    assert_eq!(response, json!({"success": [], "failures": [{"id": deleted.node_id, "error": error}]}));
    assert_eq!(app.load_row(deleted.id).await.0, "DELETED");
}

#[tokio::test]
async fn the_highest_role_counts() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let user = app.create_user("guest").await;
    let token = issue_token(&user);
    let path = app.presign_path(&package, "");
    app.get(&path, &token).await.assert_problem(403);

    let team = app.workspace.create_team("T", &[&user]).await.unwrap();
    app.workspace.grant_team_role(&app.dataset, &team, "VIEWER").await.unwrap();
    assert_eq!(app.get(&path, &token).await.status, 307, "by the role of a team");
    app.run_sql(r#"DELETE FROM "WORKSPACE".dataset_team"#).await;
    app.get(&path, &token).await.assert_problem(403);
    app.workspace.grant_workspace_role(&app.dataset, "editor").await.unwrap();
    assert_eq!(app.get(&path, &token).await.status, 307, "by the default role of the dataset");

    // An unknown role and a null role give no access and no error.
    app.run_sql(r#"UPDATE "WORKSPACE".datasets SET role = 'emperor'"#).await;
    app.run_sql(r#"UPDATE "WORKSPACE".dataset_user SET role = NULL"#).await;
    app.get(&path, &token).await.assert_problem(403);
    app.run_sql(&format!("UPDATE pennsieve.users SET is_super_admin = true WHERE id = {}", user.id)).await;
    app.get(&path, &token).await.assert_problem(403);
}

#[tokio::test]
async fn a_former_member_loses_access_at_once() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let user = app.create_user("owner").await;
    let token = issue_token(&user);
    assert_eq!(app.get(&app.presign_path(&package, ""), &token).await.status, 307);
    app.run_sql(&format!("DELETE FROM pennsieve.organization_user WHERE user_id = {}", user.id)).await;
    app.get(&app.presign_path(&package, ""), &token).await.assert_problem(403);
}

#[tokio::test]
async fn an_api_key_acts_for_its_owner_in_its_workspace() {
    let (app, other) = (TestApp::start().await, TestApp::start().await);
    let package = app.create_file(None, "a", b"-").await;
    let path = app.presign_path(&package, "");
    let user = app.create_user("viewer").await;
    let key = issue_api_key_token(&app.workspace.create_api_key(&user).await.unwrap());
    assert_eq!(app.get(&path, &key).await.status, 307);

    // The owner's active workspace does not change the key's workspace.
    app.run_sql(&format!(
        "UPDATE pennsieve.users SET preferred_org_id = {other} WHERE id = {user};
         INSERT INTO pennsieve.organization_user (organization_id, user_id) VALUES ({other}, {user})",
        other = other.workspace.id,
        user = user.id,
    ))
    .await;
    assert_eq!(app.get(&path, &key).await.status, 307);
    assert_eq!(app.get(&path, &issue_token(&user)).await.status, 307);
    let key_of_other = issue_api_key_token(&other.workspace.create_api_key(&user).await.unwrap());
    app.get(&path, &key_of_other).await.assert_problem(403);

    // The key has its owner's role, and no access once its row is deleted.
    app.workspace.grant_user_role(&app.dataset, &user, "guest").await.unwrap();
    app.get(&path, &key).await.assert_problem(403);
    app.workspace.grant_user_role(&app.dataset, &user, "viewer").await.unwrap();
    assert_eq!(app.get(&path, &key).await.status, 307);
    app.run_sql("DELETE FROM pennsieve.tokens WHERE organization_id = WORKSPACE").await;
    app.get(&path, &key).await.assert_problem(403);
    app.get(&path, &issue_api_key_token("unknown-key")).await.assert_problem(403);
    app.get(&path, &issue_api_key_token(&user.cognito_id.to_string())).await.assert_problem(403);
}

#[tokio::test]
async fn without_the_keys_of_the_issuer_a_request_is_503() {
    let mut app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let (path, token) = (app.presign_path(&package, ""), app.create_token("owner").await);
    let issuer = local::tokens::pool(TokenSubject::People);
    let keys = KeyCache::from_issuer(&issuer, Some("http://127.0.0.1:1"), HttpClient::new().unwrap());
    app.router =
        build_router_with_verifier(&app.app, TokenVerifier::new(vec![TrustedIssuer { issuer, keys }]));
    let response = app.get(&path, &token).await;
    assert!(!response.assert_problem(503).contains("people"), "the cause is only logged");
    assert!(!response.header("retry-after").is_empty());
    app.get(&path, "nonsense").await.assert_problem(401);
    app.get(&path, "").await.assert_problem(401);
}
