//! The gateway's authorizer.

use std::time::Duration;

use aws::Clock;
use local::workspace::Workspace;
use packages::access::Claims;
use serde_json::{Value, json};

use crate::{
    function::{AUTHORIZER, Function, recorded},
    pools::{API_KEYS, PEOPLE, Pools, access_token, signed, token},
    stand::Stand,
};

struct Gateway {
    stand: Stand,
    pools: Pools,
    function: Function,
}

impl Gateway {
    async fn start() -> Self {
        let (mut stand, pools) = (Stand::start().await, Pools::publish().await);
        stand.variables.extend(pools.variables());
        let function = Function::start(AUTHORIZER, &stand.variables).await;
        Self { stand, pools, function }
    }

    async fn ask_with(&self, sources: Value) -> Result<Value, Value> {
        let mut event = recorded("authorizer");
        event["identitySource"] = sources;
        self.function.invoke(event).await
    }

    async fn ask(&self, token: &str) -> Result<Value, Value> {
        self.ask_with(json!([format!("Bearer {token}"), self.stand.dataset.node_id])).await
    }

    async fn is_let_in(&self, token: &str) -> bool {
        let answer = self.ask(token).await.unwrap();
        answer["isAuthorized"].as_bool().unwrap()
    }

    /// A token of somebody with this role.
    async fn token(&self, role: &str) -> String {
        token(&self.stand.user(role).await)
    }
}

fn denied() -> Value {
    json!({"isAuthorized": false, "context": {}})
}

#[tokio::test]
async fn who_has_a_role_is_let_in_with_their_claims() {
    let gateway = Gateway::start().await;
    let user = gateway.stand.user("editor").await;
    let answer = gateway.ask(&token(&user)).await.unwrap();
    assert_eq!(answer["isAuthorized"], true);
    let context = &answer["context"];
    assert_eq!(context["user_claim"], json!({"Id": user.id, "NodeId": user.node_id, "IsSuperAdmin": false}));
    assert_eq!(
        context["dataset_claim"],
        json!({"Role": 3, "NodeId": gateway.stand.dataset.node_id, "IntId": gateway.stand.dataset.id})
    );
    assert_eq!(context["org_claim"]["IntId"], json!(gateway.stand.workspace.id));
    assert_eq!(context["team_claims"], Value::Null);
    assert!(Claims::from_context(context).is_ok(), "the service understands it");
    // A guest is let in, too; the service asks for more than that role.
    assert!(gateway.is_let_in(&gateway.token("guest").await).await);
}

#[tokio::test]
async fn an_api_key_acts_for_its_owner() {
    let gateway = Gateway::start().await;
    let user = gateway.stand.user("viewer").await;
    let name = gateway.stand.workspace.create_api_key(&user).await.unwrap();
    let answer = gateway.ask(&signed(&access_token(API_KEYS, &name), API_KEYS, API_KEYS)).await.unwrap();
    assert_eq!(answer["context"]["user_claim"]["NodeId"], json!(user.node_id));
    // The same name in the other pool is nobody's.
    assert!(!gateway.is_let_in(&signed(&access_token(PEOPLE, &name), PEOPLE, PEOPLE)).await);
}

#[tokio::test]
async fn a_token_that_is_not_good_is_denied() {
    let gateway = Gateway::start().await;
    let user = gateway.stand.user("owner").await;
    let good = access_token(PEOPLE, &user.cognito_id.to_string());
    assert!(gateway.is_let_in(&signed(&good, PEOPLE, PEOPLE)).await);
    let changed = |claim: &str, value: Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        signed(&claims, PEOPLE, PEOPLE)
    };
    let other_issuer = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_keys";
    for (what, token) in [
        ("expired", changed("exp", json!(Clock::System.now() - 1))),
        ("an id token", changed("token_use", json!("id"))),
        ("another client", changed("client_id", json!("other"))),
        ("another issuer", changed("iss", json!("https://example.org/us-east-1_people"))),
        ("the issuer of one pool with the client of the other", changed("iss", json!(other_issuer))),
        ("nobody's name", changed("username", json!("61e7c1cf-a836-421b-b919-a2309402c9d6"))),
        ("no text as name", changed("username", json!(7))),
        ("the other pool's key", signed(&good, API_KEYS, API_KEYS)),
        ("the other pool's key by the right name", signed(&good, API_KEYS, PEOPLE)),
        ("an unknown key", signed(&good, "unknown", "unknown")),
        ("no token", "a.b.c".to_owned()),
    ] {
        assert_eq!(gateway.ask(&token).await.unwrap(), denied(), "{what}");
    }
    assert!(
        gateway.pools.asked() <= 4,
        "unknown keys are not asked for again and again: {}",
        gateway.pools.asked()
    );
    assert!(gateway.is_let_in(&signed(&good, PEOPLE, PEOPLE)).await);
}

#[tokio::test]
async fn who_has_no_role_is_denied() {
    let gateway = Gateway::start().await;
    let stranger = gateway.stand.workspace.create_user("stranger@example.org").await.unwrap();
    assert_eq!(gateway.ask(&token(&stranger)).await.unwrap(), denied());
    assert!(!gateway.is_let_in(&gateway.token("none").await).await);
    let other = gateway.stand.workspace.create_dataset("Other").await.unwrap();
    let token = gateway.token("editor").await;
    for dataset in [other.node_id.as_str(), "N:dataset:0", "x' OR '1'='1", ""] {
        let answer = gateway.ask_with(json!([format!("Bearer {token}"), dataset])).await.unwrap();
        assert_eq!(answer, denied(), "{dataset}");
    }
}

#[tokio::test]
async fn an_answer_depends_on_nothing_but_the_identity_sources() {
    let gateway = Gateway::start().await;
    let token = gateway.token("editor").await;
    let (bearer, dataset) = (json!(format!("Bearer {token}")), json!(gateway.stand.dataset.node_id));
    for sources in [
        json!(null),
        json!([]),
        json!("x"),
        json!([bearer]),
        json!([dataset, bearer]),
        json!([bearer, dataset, dataset]),
        json!([bearer, 7]),
        json!([null, dataset]),
    ] {
        // The header and the parameter would do, but the gateway would keep the answer under other names.
        let mut event = recorded("authorizer");
        event["headers"]["authorization"] = bearer.clone();
        event["queryStringParameters"]["dataset_id"] = dataset.clone();
        event["identitySource"] = sources;
        assert_eq!(gateway.function.invoke(event).await.unwrap(), denied());
    }
    assert_eq!(gateway.function.invoke(json!("hunter2")).await.unwrap(), denied());
    assert!(gateway.is_let_in(&token).await);
    for secret in [token.as_str(), "hunter2"] {
        assert!(!gateway.function.stdout().contains(secret));
    }
}

#[tokio::test]
async fn without_the_database_nothing_is_decided() {
    let mut stand = Stand::start().await;
    let pools = Pools::publish().await;
    stand.variables.extend(pools.variables());
    stand.variables.insert("POSTGRES_PORT", "1".to_owned());
    let function = Function::start(AUTHORIZER, &stand.variables).await;
    let gateway = Gateway { stand, pools, function };
    let error = gateway.ask(&gateway.token("editor").await).await.unwrap_err();
    assert_eq!(error["errorMessage"], "authorization is unavailable");
    // What needs no database is decided.
    assert_eq!(gateway.ask("a.b.c").await.unwrap(), denied());
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_not_waited_for_until_lambda_ends_the_process() {
    let gateway = Gateway::start().await;
    let token = gateway.token("editor").await;
    let Workspace { client, id, .. } = &gateway.stand.workspace;
    client.batch_execute(&format!(r#"BEGIN; LOCK TABLE "{id}".datasets"#)).await.unwrap();
    let mut event = recorded("authorizer");
    event["identitySource"] = json!([format!("Bearer {token}"), gateway.stand.dataset.node_id]);
    let answer = gateway.function.invoke_within(event, Duration::from_secs(10)).await;
    assert_eq!(answer.unwrap_err()["errorMessage"], "authorization is unavailable");
    client.batch_execute("ROLLBACK").await.unwrap();
    assert!(gateway.is_let_in(&token).await);
}

#[tokio::test]
async fn without_the_pools_keys_nothing_is_decided() {
    let (mut stand, pools) = (Stand::start().await, Pools::publish().await);
    stand.variables.extend(pools.variables());
    stand.variables.insert("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "http://127.0.0.1:1".to_owned());
    let function = Function::start(AUTHORIZER, &stand.variables).await;
    let gateway = Gateway { stand, pools, function };
    let error = gateway.ask(&gateway.token("editor").await).await.unwrap_err();
    assert_eq!(error["errorMessage"], "authorization is unavailable");
}
