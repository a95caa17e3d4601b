//! Two user pools of Cognito: tokens, and a server that publishes the keys.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use aws::Clock;
use axum::{Json, Router, extract::Path, routing::get};
use http::StatusCode;
use local::{tokens::TokenKey, workspace::User};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::environment::Variables;

pub(crate) const PEOPLE: &str = "people";
pub(crate) const API_KEYS: &str = "keys";

/// A key for each pool, and one that is not published.
static KEYS: LazyLock<[TokenKey; 3]> = LazyLock::new(|| [(); 3].map(|()| TokenKey::generate().unwrap()));

fn pool_key(pool: &str) -> &'static TokenKey {
    match pool {
        PEOPLE => &KEYS[0],
        API_KEYS => &KEYS[1],
        _ => &KEYS[2],
    }
}

/// The server that publishes the keys. It stops when this value is dropped.
pub(crate) struct UserPools {
    endpoint: String,
    requests: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl UserPools {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let jwks = async move |Path(pool): Path<String>| {
            count.fetch_add(1, Relaxed);
            find_jwks(&pool).map(Json).ok_or(StatusCode::NOT_FOUND)
        };
        let router = Router::new().route("/{pool}/.well-known/jwks.json", get(jwks));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { endpoint, requests, server }
    }

    /// How often keys were requested.
    pub(crate) fn count_key_requests(&self) -> usize {
        self.requests.load(Relaxed)
    }

    /// The variables that lead an authorizer to the pools.
    pub(crate) fn variables(&self) -> Variables {
        Variables::from([
            ("USER_POOL", format!("us-east-1_{PEOPLE}")),
            ("USER_CLIENT", PEOPLE.to_owned()),
            ("TOKEN_POOL", format!("us-east-1_{API_KEYS}")),
            ("TOKEN_CLIENT", API_KEYS.to_owned()),
            ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", self.endpoint.clone()),
        ])
    }
}

impl Drop for UserPools {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn find_jwks(pool: &str) -> Option<Value> {
    let pool = pool.strip_prefix("us-east-1_").filter(|pool| [PEOPLE, API_KEYS].contains(pool))?;
    Some(json!({"keys": [pool_key(pool).to_jwk(pool).unwrap()]}))
}

/// The claims of a valid access token of a pool.
pub(crate) fn access_token_claims(pool: &str, username: &str) -> Value {
    let now = Clock::System.now();
    json!({
        "iss": format!("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_{pool}"), "client_id": pool,
        "token_use": "access", "scope": "aws.cognito.signin.user.admin", "username": username, "sub": username,
        "iat": now, "exp": now + 3600,
    })
}

/// A token with these claims, signed with the key of a pool and naming `key_id`.
pub(crate) fn sign_claims(claims: &Value, pool: &str, key_id: &str) -> String {
    pool_key(pool).sign(claims, key_id).unwrap()
}

/// A valid access token of a person.
pub(crate) fn sign_user_token(user: &User) -> String {
    sign_claims(&access_token_claims(PEOPLE, &user.cognito_id.to_string()), PEOPLE, PEOPLE)
}
