//! The Lambda authorizer of the gateway.

use std::time::Duration;

use aws::Clock;
use local::workspace::Workspace;
use packages::access::{Claims, Member};
use serde_json::{Value, json};

use crate::{
    environment::TestEnvironment,
    function::{AUTHORIZER, Function, load_event},
    pools::{API_KEYS, PEOPLE, UserPools, access_token_claims, sign_claims, sign_user_token},
};

struct AuthorizerTest {
    environment: TestEnvironment,
    pools: UserPools,
    function: Function,
}

impl AuthorizerTest {
    async fn start() -> Self {
        let (mut environment, pools) = (TestEnvironment::start().await, UserPools::start().await);
        environment.variables.extend(pools.variables());
        let function = Function::start(AUTHORIZER, &environment.variables).await;
        Self { environment, pools, function }
    }

    async fn authorize_with_sources(&self, sources: Value) -> Result<Value, Value> {
        let mut event = load_event("authorizer");
        event["identitySource"] = sources;
        self.function.invoke(event).await
    }

    async fn authorize(&self, token: &str) -> Result<Value, Value> {
        self.authorize_with_sources(json!([format!("Bearer {token}"), self.environment.dataset.node_id]))
            .await
    }

    async fn is_authorized(&self, token: &str) -> bool {
        let response = self.authorize(token).await.unwrap();
        response["isAuthorized"].as_bool().unwrap()
    }

    /// A token of a new user with this role.
    async fn create_token(&self, role: &str) -> String {
        sign_user_token(&self.environment.create_user(role).await)
    }
}

fn denial() -> Value {
    json!({"isAuthorized": false, "context": {}})
}

#[tokio::test]
async fn authorizes_members_with_their_claims() {
    let test = AuthorizerTest::start().await;
    let user = test.environment.create_user("editor").await;
    let response = test.authorize(&sign_user_token(&user)).await.unwrap();
    assert_eq!(response["isAuthorized"], true);
    let context = &response["context"];
    assert_eq!(context["user_claim"], json!({"Id": user.id, "NodeId": user.node_id, "IsSuperAdmin": false}));
    assert_eq!(
        context["dataset_claim"],
        json!({"Role": 3, "NodeId": test.environment.dataset.node_id, "IntId": test.environment.dataset.id})
    );
    assert_eq!(context["org_claim"]["IntId"], json!(test.environment.workspace.id));
    assert_eq!(context["team_claims"], Value::Null);
    assert!(Claims::from_context(context).is_ok(), "the service accepts the context");
    // A guest is authorized, too. The service requires a higher role.
    assert!(test.is_authorized(&test.create_token("guest").await).await);
}

/// The platform's other services read them. The first decision does not know the dataset's workspace, the second does.
#[tokio::test]
async fn claims_list_the_teams_of_the_caller() {
    let test = AuthorizerTest::start().await;
    let (member, other) =
        (test.environment.create_user("viewer").await, test.environment.create_user("viewer").await);
    let workspace = &test.environment.workspace;
    let team = workspace.create_team("lab", &[&member]).await.unwrap();
    for _ in 0..2 {
        let response = test.authorize(&sign_user_token(&member)).await.unwrap();
        let teams = &response["context"]["team_claims"];
        assert_eq!(teams.as_array().unwrap().len(), 1);
        assert_eq!((&teams[0]["IntId"], &teams[0]["Name"]), (&json!(team.id), &json!("lab")));
        assert!(Claims::from_context(&response["context"]).is_ok(), "the service accepts the context");
        let response = test.authorize(&sign_user_token(&other)).await.unwrap();
        assert_eq!(response["context"]["team_claims"], Value::Null);
    }
}

/// A route whose dataset is optional has the token as its only identity source.
#[tokio::test]
async fn a_token_without_a_dataset_gets_no_role() {
    let test = AuthorizerTest::start().await;
    let user = test.environment.create_user("owner").await;
    let token = format!("Bearer {}", sign_user_token(&user));
    let response = test.authorize_with_sources(json!([token])).await.unwrap();
    assert_eq!(response["isAuthorized"], true);
    let context = &response["context"];
    assert_eq!(Member::from_context(context).unwrap().user.node_id, user.node_id);
    assert!(Claims::from_context(context).is_err(), "no other route accepts the context");
    assert_eq!(test.authorize_with_sources(json!(["Bearer x.y.z"])).await.unwrap(), denial());
}

/// For a route without a dataset, a person is in some workspace of theirs, also if they last chose none that they belong to.
#[tokio::test]
async fn a_person_without_an_active_workspace_is_in_one_of_theirs() {
    let test = AuthorizerTest::start().await;
    let user = test.environment.create_user("viewer").await;
    let client = &test.environment.workspace.client;
    client
        .execute("UPDATE pennsieve.users SET preferred_org_id = NULL WHERE id = $1", &[&user.id])
        .await
        .unwrap();
    let token = format!("Bearer {}", sign_user_token(&user));
    let response = test.authorize_with_sources(json!([token])).await.unwrap();
    assert_eq!(response["context"]["org_claim"]["IntId"], json!(test.environment.workspace.id));
    assert_eq!(response["context"]["any_workspace"], true);
    client.execute("DELETE FROM pennsieve.organization_user WHERE user_id = $1", &[&user.id]).await.unwrap();
    assert_eq!(test.authorize_with_sources(json!([token])).await.unwrap(), denial());
}

#[tokio::test]
async fn an_api_key_acts_for_its_owner() {
    let test = AuthorizerTest::start().await;
    let user = test.environment.create_user("viewer").await;
    let name = test.environment.workspace.create_api_key(&user).await.unwrap();
    let response = test
        .authorize(&sign_claims(&access_token_claims(API_KEYS, &name), API_KEYS, API_KEYS))
        .await
        .unwrap();
    assert_eq!(response["context"]["user_claim"]["NodeId"], json!(user.node_id));
    // The other pool has no user with this name.
    assert!(!test.is_authorized(&sign_claims(&access_token_claims(PEOPLE, &name), PEOPLE, PEOPLE)).await);
}

#[tokio::test]
async fn denies_invalid_tokens() {
    let test = AuthorizerTest::start().await;
    let user = test.environment.create_user("owner").await;
    let good = access_token_claims(PEOPLE, &user.cognito_id.to_string());
    assert!(test.is_authorized(&sign_claims(&good, PEOPLE, PEOPLE)).await);
    let changed = |claim: &str, value: Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        sign_claims(&claims, PEOPLE, PEOPLE)
    };
    let other_issuer = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_keys";
    for (what, token) in [
        ("expired", changed("exp", json!(Clock::System.now() - 1))),
        ("an id token", changed("token_use", json!("id"))),
        ("another client", changed("client_id", json!("other"))),
        ("another issuer", changed("iss", json!("https://example.org/us-east-1_people"))),
        ("the issuer of one pool with the client of the other", changed("iss", json!(other_issuer))),
        ("the name of no user", changed("username", json!("61e7c1cf-a836-421b-b919-a2309402c9d6"))),
        ("no text as name", changed("username", json!(7))),
        ("the other pool's key", sign_claims(&good, API_KEYS, API_KEYS)),
        ("the other pool's key by the right name", sign_claims(&good, API_KEYS, PEOPLE)),
        ("an unknown key", sign_claims(&good, "unknown", "unknown")),
        ("no token", "a.b.c".to_owned()),
    ] {
        assert_eq!(test.authorize(&token).await.unwrap(), denial(), "{what}");
    }
    assert!(
        test.pools.count_key_requests() <= 4,
        "unknown keys must not cause repeated requests: {}",
        test.pools.count_key_requests()
    );
    assert!(test.is_authorized(&sign_claims(&good, PEOPLE, PEOPLE)).await);
}

#[tokio::test]
async fn denies_users_without_a_role() {
    let test = AuthorizerTest::start().await;
    let stranger = test.environment.workspace.create_user("stranger@example.org").await.unwrap();
    assert_eq!(test.authorize(&sign_user_token(&stranger)).await.unwrap(), denial());
    assert!(!test.is_authorized(&test.create_token("none").await).await);
    let other = test.environment.workspace.create_dataset("Other").await.unwrap();
    let token = test.create_token("editor").await;
    for dataset in [other.node_id.as_str(), "N:dataset:0", "x' OR '1'='1", ""] {
        let response =
            test.authorize_with_sources(json!([format!("Bearer {token}"), dataset])).await.unwrap();
        assert_eq!(response, denial(), "{dataset}");
    }
}

#[tokio::test]
async fn the_decision_depends_only_on_the_identity_sources() {
    let test = AuthorizerTest::start().await;
    let token = test.create_token("editor").await;
    let (bearer, dataset) = (json!(format!("Bearer {token}")), json!(test.environment.dataset.node_id));
    let with_sources = |sources: Value| {
        // The header and the parameter are valid, but the gateway caches responses by the identity sources.
        let mut event = load_event("authorizer");
        event["headers"]["authorization"] = bearer.clone();
        event["queryStringParameters"]["dataset_id"] = dataset.clone();
        event["identitySource"] = sources;
        event
    };
    for sources in [
        json!(null),
        json!([]),
        json!("x"),
        json!([token]),
        json!([dataset, bearer]),
        json!([bearer, dataset, dataset]),
        json!([bearer, 7]),
        json!([null, dataset]),
    ] {
        assert_eq!(test.function.invoke(with_sources(sources)).await.unwrap(), denial());
    }
    let without_dataset = test.function.invoke(with_sources(json!([bearer]))).await.unwrap();
    assert!(without_dataset["context"].get("dataset_claim").is_none(), "{without_dataset}");
    assert_eq!(test.function.invoke(json!("hunter2")).await.unwrap(), denial());
    assert!(test.is_authorized(&token).await);
    for secret in [token.as_str(), "hunter2"] {
        assert!(!test.function.stdout().contains(secret));
    }
}

/// The gateway may pass the parameter on as it stands in the URL.
#[tokio::test]
async fn an_encoded_dataset_is_decoded_once() {
    let test = AuthorizerTest::start().await;
    let bearer = format!("Bearer {}", test.create_token("editor").await);
    let dataset = test.environment.dataset.node_id.as_str();
    let once = dataset.replace(':', "%3A");
    let response = test.authorize_with_sources(json!([bearer, once])).await.unwrap();
    assert_eq!(response["context"]["dataset_claim"]["NodeId"], dataset);
    let twice = once.replace('%', "%25");
    assert_eq!(test.authorize_with_sources(json!([bearer, twice])).await.unwrap(), denial());
}

#[tokio::test]
async fn each_decision_is_an_audit_event() {
    let test = AuthorizerTest::start().await;
    let dataset = json!(test.environment.dataset.node_id);
    let stranger = test.environment.workspace.create_user("stranger@example.org").await.unwrap();
    let editor = test.environment.create_user("editor").await;
    test.authorize(&sign_user_token(&editor)).await.unwrap();
    test.authorize(&sign_user_token(&stranger)).await.unwrap();
    test.authorize("a.b.c").await.unwrap();
    test.authorize_with_sources(json!(["Basic hunter2", dataset])).await.unwrap();
    let log = test.function.log();
    let events: Vec<_> = log.iter().filter(|line| line["target"] == "audit").collect();
    let fields: Vec<_> = events
        .iter()
        .map(|event| json!([event["message"], event["user"], event["dataset"], event["reason"]]))
        .collect();
    assert_eq!(
        fields,
        [
            json!(["caller identified", editor.node_id, dataset, null]),
            json!(["access refused", stranger.node_id, dataset, "the user has no role in the dataset"]),
            json!(["access refused", null, dataset, "the bearer token is malformed"]),
            json!([
                "access refused",
                null,
                null,
                "exactly one credential and at most one dataset are required"
            ]),
        ]
    );
    assert!(!test.function.stdout().contains("hunter2"));
}

#[tokio::test]
async fn fails_without_the_database() {
    let mut environment = TestEnvironment::start().await;
    let pools = UserPools::start().await;
    environment.variables.extend(pools.variables());
    environment.variables.insert("POSTGRES_PORT", "1".to_owned());
    let function = Function::start(AUTHORIZER, &environment.variables).await;
    let test = AuthorizerTest { environment, pools, function };
    let error = test.authorize(&test.create_token("editor").await).await.unwrap_err();
    assert_eq!(error["errorMessage"], "authorization is unavailable");
    // A malformed token is denied without the database.
    assert_eq!(test.authorize("a.b.c").await.unwrap(), denial());
}

#[tokio::test]
async fn fails_before_the_deadline_when_the_database_does_not_answer() {
    let test = AuthorizerTest::start().await;
    let token = test.create_token("editor").await;
    let Workspace { client, id, .. } = &test.environment.workspace;
    client.batch_execute(&format!(r#"BEGIN; LOCK TABLE "{id}".datasets"#)).await.unwrap();
    let mut event = load_event("authorizer");
    event["identitySource"] = json!([format!("Bearer {token}"), test.environment.dataset.node_id]);
    let response = test.function.invoke_within(event, Duration::from_secs(10)).await;
    assert_eq!(response.unwrap_err()["errorMessage"], "authorization is unavailable");
    client.batch_execute("ROLLBACK").await.unwrap();
    assert!(test.is_authorized(&token).await);
}

#[tokio::test]
async fn fails_without_the_keys_of_the_pools() {
    let (mut environment, pools) = (TestEnvironment::start().await, UserPools::start().await);
    environment.variables.extend(pools.variables());
    environment
        .variables
        .insert("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "http://127.0.0.1:1".to_owned());
    let function = Function::start(AUTHORIZER, &environment.variables).await;
    let test = AuthorizerTest { environment, pools, function };
    let error = test.authorize(&test.create_token("editor").await).await.unwrap_err();
    assert_eq!(error["errorMessage"], "authorization is unavailable");
}
