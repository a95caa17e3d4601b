//! Who may do what: roles, other datasets, other workspaces, and tokens that are not to be believed.

use authorize::{TokenSubject, TokenVerifier, TrustedIssuer, keys::KeyCache};
use aws::HttpClient;
use axum::body::Body;
use serde_json::json;

use crate::app::{TestApp, api_key_token, expired_token, request, router_believing, token};

/// Every private route, for a package of the app's dataset.
pub(crate) fn routes(app: &TestApp, package: &local::workspace::Package) -> Vec<(&'static str, String)> {
    let dataset = &app.dataset.node_id;
    vec![
        ("GET", app.presign_path(package, "")),
        ("HEAD", app.presign_path(package, "")),
        ("GET", app.presign_path(package, "&path=a.png")),
        ("GET", app.sign_path(package, "a.png")),
        ("GET", format!("/packages/restore?dataset_id={dataset}&package_id={}", package.node_id)),
        ("GET", format!("/packages/trash?dataset_id={dataset}")),
        ("HEAD", format!("/packages/trash?dataset_id={dataset}&outlook=true")),
        ("POST", format!("/packages/restore?dataset_id={dataset}")),
    ]
}

pub(crate) fn body(method: &str, package: &local::workspace::Package) -> Body {
    if method == "POST" {
        Body::from(json!({"nodeIds": [package.node_id]}).to_string())
    } else {
        Body::empty()
    }
}

#[tokio::test]
async fn roles_open_what_they_should() {
    let app = TestApp::start().await;
    let package = app.file(None, "a", b"-").await;
    for (role, reads, restores) in [
        ("none", 403, 403),
        ("guest", 403, 403),
        ("viewer", 200, 403),
        ("editor", 200, 200),
        ("manager", 200, 200),
        ("owner", 200, 200),
    ] {
        let token = app.token(role).await;
        for (method, path) in routes(&app, &package) {
            let status =
                app.send(request(method, &path, &token, body(method, &package))).await.status.as_u16();
            let expected = if method == "POST" { restores } else { reads };
            let expected =
                if expected == 200 && path.contains("presign") && method == "GET" { 307 } else { expected };
            assert_eq!(status, expected, "{role} {method} {path}");
        }
    }
}

#[tokio::test]
async fn without_a_believable_token_nothing_opens() {
    let app = TestApp::start().await;
    let package = app.file(None, "a", b"-").await;
    let user = app.user("owner").await;
    let good = token(&user);
    let parts: Vec<&str> = good.split('.').collect();
    for bad in [
        String::new(),
        "nonsense".to_owned(),
        expired_token(&user),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(parts[2].len())),
        format!("eyJhbGciOiJub25lIn0.{}.", parts[1]),
    ] {
        for (method, path) in routes(&app, &package) {
            let answer = app.send(request(method, &path, &bad, body(method, &package))).await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="example.org""#);
        }
    }
    let mut basic = request("GET", &app.presign_path(&package, ""), "", Body::empty());
    basic.headers_mut().insert("authorization", "Basic dXNlcjpwYXNz".parse().unwrap());
    app.send(basic).await.problem(401);
    let mut two = request("GET", &app.presign_path(&package, ""), &good, Body::empty());
    two.headers_mut().append("authorization", format!("Bearer {good}").parse().unwrap());
    app.send(two).await.problem(401);
}

#[tokio::test]
async fn another_workspace_learns_nothing() {
    let app = TestApp::start().await;
    let other = TestApp::start().await;
    let package = app.file(None, "a", b"-").await;
    app.trash(&app.file(None, "b", b"-").await).await;
    let stranger = other.token("owner").await;

    // Their dataset, their package: refused, and whether either exists makes no difference.
    let mut refusals = Vec::new();
    for (method, path) in routes(&app, &package) {
        let answer = app.send(request(method, &path, &stranger, body(method, &package))).await;
        assert_eq!(answer.status, 403, "{method} {path}");
        let unknown = path.replace(app.dataset.node_id.as_str(), "N:dataset:no-such");
        let nowhere = app.send(request(method, &unknown, &stranger, body(method, &package))).await;
        assert_eq!(nowhere.status, 403);
        if method == "GET" {
            refusals.push((answer.json()["detail"].clone(), nowhere.json()["detail"].clone()));
        }
    }
    assert!(refusals.iter().all(|(known, unknown)| known == unknown));

    // Our dataset, their package: it does not exist.
    for (method, path) in routes(&other, &package) {
        let answer = other.send(request(method, &path, &stranger, body(method, &package))).await;
        if method == "POST" {
            assert_eq!(answer.json()["success"], json!([]));
            assert_eq!(answer.json()["failures"][0]["id"], json!(package.node_id));
        } else if path.contains("/trash") {
            assert_eq!(answer.status, 200, "{method} {path}");
            assert!(
                method == "HEAD" || answer.json() == json!({"items": [], "next": null}),
                "{:?}",
                answer.body
            );
            let inside = format!("{path}&parent={}", package.node_id);
            assert_eq!(other.send(request(method, &inside, &stranger, Body::empty())).await.status, 404);
        } else {
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn another_dataset_of_the_same_workspace_is_another() {
    let app = TestApp::start().await;
    let second = app.workspace.create_dataset("Second").await.unwrap();
    let package = app.file(None, "a", b"-").await;
    let deleted = app.file(None, "b", b"-").await;
    app.trash(&deleted).await;
    let user = app.user("none").await;
    app.workspace.grant_user_role(&second, &user, "owner").await.unwrap();
    let token = token(&user);

    app.get(&app.presign_path(&package, ""), &token).await.problem(403);
    let path = app.presign_path(&package, "").replace(app.dataset.node_id.as_str(), second.node_id.as_str());
    app.get(&path, &token).await.problem(404);
    let path = format!("/packages/restore?dataset_id={}", second.node_id);
    let order = json!({"nodeIds": [deleted.node_id]}).to_string();
    let answer = app.send(request("POST", &path, &token, Body::from(order))).await.json();
    let error = format!("deleted package {} not found in dataset {}", deleted.node_id, second.node_id);
    assert_eq!(answer, json!({"success": [], "failures": [{"id": deleted.node_id, "error": error}]}));
    assert_eq!(app.row(deleted.id).await.0, "DELETED");
}

#[tokio::test]
async fn the_greatest_of_all_roles_counts() {
    let app = TestApp::start().await;
    let package = app.file(None, "a", b"-").await;
    let user = app.user("guest").await;
    let token = token(&user);
    let path = app.presign_path(&package, "");
    app.get(&path, &token).await.problem(403);

    let team = app.workspace.create_team("T", &[&user]).await.unwrap();
    app.workspace.grant_team_role(&app.dataset, &team, "VIEWER").await.unwrap();
    assert_eq!(app.get(&path, &token).await.status, 307, "by a team's role");
    app.sql(r#"DELETE FROM "WORKSPACE".dataset_team"#).await;
    app.get(&path, &token).await.problem(403);
    app.workspace.grant_workspace_role(&app.dataset, "editor").await.unwrap();
    assert_eq!(app.get(&path, &token).await.status, 307, "by the role of everybody in the workspace");

    // A role that nobody knows, or none at all, is no role and no error.
    app.sql(r#"UPDATE "WORKSPACE".datasets SET role = 'emperor'"#).await;
    app.sql(r#"UPDATE "WORKSPACE".dataset_user SET role = NULL"#).await;
    app.get(&path, &token).await.problem(403);
    app.sql(&format!("UPDATE pennsieve.users SET is_super_admin = true WHERE id = {}", user.id)).await;
    app.get(&path, &token).await.problem(403);
}

#[tokio::test]
async fn who_left_the_workspace_is_out_at_once() {
    let app = TestApp::start().await;
    let package = app.file(None, "a", b"-").await;
    let user = app.user("owner").await;
    let token = token(&user);
    assert_eq!(app.get(&app.presign_path(&package, ""), &token).await.status, 307);
    app.sql(&format!("DELETE FROM pennsieve.organization_user WHERE user_id = {}", user.id)).await;
    app.get(&app.presign_path(&package, ""), &token).await.problem(403);
}

#[tokio::test]
async fn an_api_key_acts_for_its_owner_in_its_own_workspace() {
    let (app, other) = (TestApp::start().await, TestApp::start().await);
    let package = app.file(None, "a", b"-").await;
    let path = app.presign_path(&package, "");
    let user = app.user("viewer").await;
    let key = api_key_token(&app.workspace.create_api_key(&user).await.unwrap());
    assert_eq!(app.get(&path, &key).await.status, 307);

    // Where its owner is active makes no difference to the key, nor the key's workspace to its owner.
    app.sql(&format!(
        "UPDATE pennsieve.users SET preferred_org_id = {other} WHERE id = {user};
         INSERT INTO pennsieve.organization_user (organization_id, user_id) VALUES ({other}, {user})",
        other = other.workspace.id,
        user = user.id,
    ))
    .await;
    assert_eq!(app.get(&path, &key).await.status, 307);
    app.get(&path, &token(&user)).await.problem(403);
    let key_of_other = api_key_token(&other.workspace.create_api_key(&user).await.unwrap());
    app.get(&path, &key_of_other).await.problem(403);

    // It has its owner's role, and is gone with its row.
    app.workspace.grant_user_role(&app.dataset, &user, "guest").await.unwrap();
    app.get(&path, &key).await.problem(403);
    app.workspace.grant_user_role(&app.dataset, &user, "viewer").await.unwrap();
    assert_eq!(app.get(&path, &key).await.status, 307);
    app.sql("DELETE FROM pennsieve.tokens WHERE organization_id = WORKSPACE").await;
    app.get(&path, &key).await.problem(403);
    app.get(&path, &api_key_token("nobody's")).await.problem(403);
    app.get(&path, &api_key_token(&user.cognito_id.to_string())).await.problem(403);
}

#[tokio::test]
async fn without_the_issuers_keys_nobody_is_refused() {
    let mut app = TestApp::start().await;
    let package = app.file(None, "a", b"-").await;
    let (path, token) = (app.presign_path(&package, ""), app.token("owner").await);
    let issuer = local::tokens::pool(TokenSubject::People);
    let keys = KeyCache::from_issuer(&issuer, Some("http://127.0.0.1:1"), HttpClient::new().unwrap());
    app.router = router_believing(&app.app, TokenVerifier::new(vec![TrustedIssuer { issuer, keys }]));
    let answer = app.get(&path, &token).await;
    assert!(!answer.problem(503).contains("people"), "why is for the log");
    assert!(!answer.header("retry-after").is_empty());
    app.get(&path, "nonsense").await.problem(401);
    app.get(&path, "").await.problem(401);
}
