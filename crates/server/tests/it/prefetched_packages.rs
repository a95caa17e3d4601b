//! Once it is known where a dataset is, one statement decides on access and looks the package up. The responses are the same.

use axum::body::Body;
use serde_json::Value;
use server::authentication::authenticate;

use crate::app::{TestApp, TestResponse, build_request, issuer};

/// What has to be the same.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: u16,
    content_length: String,
    body: Option<Value>,
    /// Without its signature.
    location: String,
}

impl Outcome {
    fn of(response: &TestResponse) -> Self {
        let mut body: Option<Value> = serde_json::from_slice(&response.body).ok();
        if let Some(body) = &mut body {
            for changing in [
                "requestId",
                "presigned_url",
                "proxy_url",
                "signed_url",
                "url",
                "query",
                "cookies",
                "expires_at",
            ] {
                body.as_object_mut().unwrap().remove(changing);
            }
        }
        Self {
            status: response.status.as_u16(),
            content_length: response.header("content-length").to_owned(),
            body,
            location: response.header("location").split('?').next().unwrap().to_owned(),
        }
    }
}

/// A server that knows nothing yet.
fn forget_places(app: &mut TestApp) {
    let authorizer = authorize::Authorizer::new(issuer().verifier(), app.app.db.clone(), aws::Clock::System);
    app.router = api::router(app.app.clone(), authenticate(authorizer));
}

#[tokio::test]
async fn a_package_that_was_looked_up_with_the_decision_has_the_same_responses() {
    let mut app = TestApp::start().await;
    let live = app.create_file(None, "live.txt", b"four").await;
    let folder = app.create_folder(None, "folder").await;
    let trashed = app.create_file(None, "trashed.txt", b"-").await;
    app.trash_package(&trashed).await;
    let infected = app.create_file(None, "infected.txt", b"-").await;
    let unknown_state = app.create_file(None, "unknown.txt", b"-").await;
    let without_columns = app.create_file(None, "nulls.txt", b"-").await;
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".files SET scan_status = 'infected' WHERE package_id = {};
           UPDATE "WORKSPACE".packages SET state = 'ARCHIVED' WHERE id = {};
           UPDATE "WORKSPACE".files SET size = NULL, name = NULL WHERE package_id = {}"#,
        infected.id, unknown_state.id, without_columns.id
    ))
    .await;
    let (other_dataset, elsewhere) = app.trash_in_other_dataset().await;
    app.run_sql(&format!(r#"UPDATE "WORKSPACE".packages SET state = 'READY' WHERE id = {}"#, elsewhere.id))
        .await;
    app.put_asset(&live, "a/b.png", b"asset");

    let mut paths = Vec::new();
    for package in [&live, &folder, &trashed, &infected, &unknown_state, &without_columns, &elsewhere] {
        for more in ["", "&redirect=false", "&path=a/b.png", "&path=..", "&disposition=inline"] {
            paths.push(app.presign_path(package, more));
        }
        paths.extend([
            app.sign_path(package, "a/b.png"),
            app.sign_path(package, "a/"),
            app.sign_path(package, ""),
        ]);
        paths.push(app.presign_path(package, "").replace("/presign/s3", "/assets"));
    }
    let path = app.presign_path(&live, "");
    paths.push(path.replace(live.node_id.as_str(), "N:package:unknown"));
    paths.push(path.replace(live.node_id.as_str(), "42"));
    paths.push(format!("{path}&package_id={}", folder.node_id));
    paths.push(path.replace("package_id", "package"));
    paths.push(path.replace(app.dataset.node_id.as_str(), other_dataset.node_id.as_str()));
    let tokens =
        [app.create_token("viewer").await, app.create_token("guest").await, app.create_token("none").await];

    let mut statuses = std::collections::BTreeSet::new();
    for (method, path) in
        ["GET", "HEAD"].iter().flat_map(|method| paths.iter().map(move |path| (*method, path)))
    {
        for token in &tokens {
            let request = || build_request(method, path, token, Body::empty());
            forget_places(&mut app);
            let before = app.app.db.statement_count();
            let first = Outcome::of(&app.send(request()).await);
            let between = app.app.db.statement_count();
            let second = Outcome::of(&app.send(request()).await);
            assert_eq!(first, second, "{method} {path}");
            let (cost, later_cost) = (between - before, app.app.db.statement_count() - between);
            assert!(later_cost <= 1 && later_cost <= cost, "{method} {path}: {cost} {later_cost}");
            statuses.insert(first.status);
        }
    }
    // So all of these were compared.
    assert!(statuses.is_superset(&[200, 307, 400, 403, 404].into()), "{statuses:?}");
}

#[tokio::test]
async fn a_schema_that_the_lookup_cannot_read_decides_nothing() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "a", b"-").await;
    let path = app.presign_path(&package, "");
    let (viewer, guest) = (app.create_token("viewer").await, app.create_token("guest").await);
    assert_eq!(app.get(&path, &viewer).await.status, 307);
    app.run_sql(r#"ALTER TABLE "WORKSPACE".files RENAME TO files_elsewhere"#).await;
    // Who has no access learns nothing of the tables.
    app.get(&path, &guest).await.assert_problem(403);
    app.get(&path, &viewer).await.assert_problem(500);
    app.run_sql(r#"ALTER TABLE "WORKSPACE".files_elsewhere RENAME TO files"#).await;
    assert_eq!(app.get(&path, &viewer).await.status, 307);
}
