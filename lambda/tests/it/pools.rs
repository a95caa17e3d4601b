//! Two user pools as Cognito has them: tokens, and a server that publishes the keys.

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

use crate::stand::Variables;

pub(crate) const PEOPLE: &str = "people";
pub(crate) const API_KEYS: &str = "keys";

/// Of either pool, and one that nobody publishes.
static KEYS: LazyLock<[TokenKey; 3]> = LazyLock::new(|| [(); 3].map(|()| TokenKey::generate().unwrap()));

fn key(pool: &str) -> &'static TokenKey {
    match pool {
        PEOPLE => &KEYS[0],
        API_KEYS => &KEYS[1],
        _ => &KEYS[2],
    }
}

/// The published keys. They are gone with this value.
pub(crate) struct Pools {
    endpoint: String,
    asked: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Pools {
    pub(crate) async fn publish() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let jwks = async move |Path(pool): Path<String>| {
            count.fetch_add(1, Relaxed);
            published(&pool).map(Json).ok_or(StatusCode::NOT_FOUND)
        };
        let router = Router::new().route("/{pool}/.well-known/jwks.json", get(jwks));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { endpoint, asked, server }
    }

    /// How often keys were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }

    /// The variables by which an authorizer finds the pools.
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

impl Drop for Pools {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn published(pool: &str) -> Option<Value> {
    let pool = pool.strip_prefix("us-east-1_").filter(|pool| [PEOPLE, API_KEYS].contains(pool))?;
    Some(json!({"keys": [key(pool).to_jwk(pool).unwrap()]}))
}

/// What a good access token of a pool says.
pub(crate) fn access_token(pool: &str, username: &str) -> Value {
    let now = Clock::System.now();
    json!({
        "iss": format!("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_{pool}"), "client_id": pool,
        "token_use": "access", "scope": "aws.cognito.signin.user.admin", "username": username, "sub": username,
        "iat": now, "exp": now + 3600,
    })
}

/// The token with these claims, signed by a pool's key and naming one.
pub(crate) fn signed(claims: &Value, pool: &str, key_id: &str) -> String {
    key(pool).sign(claims, key_id).unwrap()
}

/// A good access token of a person.
pub(crate) fn token(user: &User) -> String {
    signed(&access_token(PEOPLE, &user.cognito_id.to_string()), PEOPLE, PEOPLE)
}
