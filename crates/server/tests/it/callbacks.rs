//! Callbacks: a service that acts for a person on one dataset. Its validator is a Lambda function.

use authorize::{Authorizer, CallbackFunctions, CallbackValidators, FunctionArn};
use aws::{Clock, HttpClient, JsonClient};
use axum::body::Body;
use http::Request;
use local::aws::scripted::{ScriptedReply, ScriptedServer};
use serde_json::{Value, json};
use server::authentication::authenticate;

use crate::app::{TestApp, TestResponse, issuer};

struct CallbackTest {
    app: TestApp,
    lambda: ScriptedServer,
}

impl CallbackTest {
    /// A validator that returns these results.
    async fn start(replies: impl IntoIterator<Item = ScriptedReply>) -> Self {
        let (mut app, lambda) = (TestApp::start().await, ScriptedServer::start(replies).await.unwrap());
        app.router = build_router(&app, &lambda);
        Self { app, lambda }
    }

    async fn get(&self, path: &str, credential: &str) -> TestResponse {
        let request = Request::get(path).header("authorization", format!("Callback {credential}"));
        self.app.send(request.body(Body::empty()).unwrap()).await
    }
}

fn build_router(app: &TestApp, lambda: &ScriptedServer) -> axum::Router {
    let client = JsonClient::lambda(&lambda.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    let arn = FunctionArn::parse("arn:aws:lambda:us-east-1:1:function:validate").unwrap();
    let functions = CallbackFunctions::from([("workflow-service".to_owned(), arn)]);
    let authorizer = Authorizer::new(issuer().verifier(), app.app.db.clone(), Clock::System)
        .with_callbacks(CallbackValidators::new(client, functions));
    api::router(app.app.clone(), authenticate(authorizer))
}

fn result(value: &Value) -> ScriptedReply {
    ScriptedReply::Response(200, value.to_string())
}

#[tokio::test]
async fn a_callback_acts_on_the_dataset_that_its_validator_names() {
    let mut test = CallbackTest::start([]).await;
    let app = &test.app;
    let package = app.create_file(None, "a", b"-").await;
    let user = app.create_user("viewer").await;
    let workspace = format!("N:organization:{}", app.workspace.id);
    app.run_sql(&format!("UPDATE pennsieve.organizations SET node_id = '{workspace}' WHERE id = WORKSPACE"))
        .await;
    let valid = json!({
        "isAuthorized": true, "userNodeId": user.node_id, "organizationNodeId": workspace,
        "datasetNodeId": app.dataset.node_id,
    });
    let with = |member: &str, value: Value| {
        let mut changed = valid.clone();
        changed[member] = value;
        result(&changed)
    };
    let other = app.workspace.create_dataset("Other").await.unwrap();
    app.workspace.grant_user_role(&other, &user, "owner").await.unwrap();
    let replies = [
        result(&valid),
        with("isAuthorized", json!(false)),
        with("datasetNodeId", json!(other.node_id)),
        with("organizationNodeId", json!("N:organization:other")),
        with("userNodeId", json!("N:user:nobody")),
        with("userNodeId", Value::Null),
    ];
    test.lambda = ScriptedServer::start(replies).await.unwrap();
    test.app.router = build_router(&test.app, &test.lambda);

    let path = test.app.presign_path(&package, "");
    for (status, why) in [
        (307, "a valid callback"),
        (401, "refused by the validator"),
        (403, "another dataset"),
        (403, "another workspace"),
        (403, "an unknown user"),
        (503, "a malformed result"),
    ] {
        assert_eq!(test.get(&path, "workflow-service:run-7:hunter2").await.status, status, "{why}");
    }
    let requests = test.lambda.requests();
    assert_eq!(requests[0].body, json!({"callbackToken": "hunter2", "executionRunId": "run-7"}));
    assert!(requests[0].headers["authorization"].to_str().unwrap().contains("/lambda/aws4_request"));
}

#[tokio::test]
async fn a_callback_without_a_validator_is_refused_without_a_call() {
    let test = CallbackTest::start([]).await;
    let package = test.app.create_file(None, "a", b"-").await;
    let path = test.app.presign_path(&package, "");
    for credential in ["other-service:run:token", "workflow-service:run", "workflow-service::token", "x"] {
        test.get(&path, credential).await.assert_problem(401);
    }
    assert!(test.lambda.requests().is_empty());
}

#[tokio::test]
async fn a_validator_that_fails_is_503() {
    let test = CallbackTest::start([
        ScriptedReply::Response(403, r#"{"Message":"hunter2 may not invoke"}"#.to_owned()),
        ScriptedReply::Disconnect,
        ScriptedReply::Response(500, String::new()),
    ])
    .await;
    let package = test.app.create_file(None, "a", b"-").await;
    let path = test.app.presign_path(&package, "");
    for _ in 0..2 {
        let response = test.get(&path, "workflow-service:run:token").await;
        assert!(!response.assert_problem(503).contains("hunter2"));
        assert!(!response.header("retry-after").is_empty());
    }
}
