//! What the app is told: settings, and the OpenAPI document.

use api::{PathPrefix, openapi::server_json};
use axum::{
    Json, Router,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use hosting::config::LoginConfig;
use serde::Serialize;
use serde_json::Value;

use super::problem::ConsoleProblem;

/// `/console/settings.json`. It is public, and has no secret.
#[derive(Debug, Clone, Serialize)]
pub struct ConsoleSettings {
    /// The path beneath which the API is, such as `/packages`.
    pub api: String,
    /// What serves the console.
    pub mode: Mode,
    /// The program's version.
    pub version: &'static str,
    /// How people log in; `null`: they need a token.
    pub login: Option<LoginSettings>,
    /// Whether there is a page for operators.
    pub operator: bool,
    /// Ids of the demo, only in `dev`.
    pub demo: Option<Value>,
}

/// What serves the console.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The local stack. Its users have no passwords.
    Dev,
    /// A server on an existing platform.
    Serve,
}

/// The hosted pages of a user pool, for the authorization code flow with PKCE (RFC 7636; Amazon Cognito Developer Guide,
/// "Authorize endpoint", "Token endpoint", "Logout endpoint").
#[derive(Debug, Clone, Serialize)]
pub struct LoginSettings {
    authorize_url: String,
    token_url: String,
    logout_url: String,
    client_id: String,
    scopes: [&'static str; 1],
}

impl LoginSettings {
    /// The pages of a user pool.
    #[must_use]
    pub fn new(LoginConfig { origin, client_id }: &LoginConfig) -> Self {
        Self {
            authorize_url: format!("{origin}/oauth2/authorize"),
            token_url: token_url(origin),
            logout_url: format!("{origin}/logout"),
            client_id: client_id.clone(),
            // Roles come from the database, so the token needs no other scope.
            scopes: ["openid"],
        }
    }
}

/// Where the app exchanges a code for tokens. It calls nothing else of the user pool: people go to the other pages themselves.
pub(super) fn token_url(origin: &str) -> String {
    format!("{origin}/oauth2/token")
}

/// The routes of what the app is told.
pub(super) fn settings_router(
    settings: &ConsoleSettings,
    prefix: &PathPrefix,
) -> Result<Router, serde_json::Error> {
    let settings = Json(serde_json::to_value(settings)?);
    let document = Bytes::from(server_json(prefix)?);
    let get_settings = get(async move || ([(CACHE_CONTROL, "no-store")], settings));
    let get_document = get(async move || {
        ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], document).into_response()
    });
    Ok(Router::new()
        .route("/console/settings.json", with_problems(get_settings))
        .route("/console/openapi.json", with_problems(get_document)))
}

/// The same route with a problem for other methods.
pub fn with_problems<S: Clone + Send + Sync + 'static>(route: MethodRouter<S>) -> MethodRouter<S> {
    route.fallback(async || ConsoleProblem::method_not_allowed())
}
