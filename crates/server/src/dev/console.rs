//! The console of `dev`: it gives its pages tokens of the demo's users, and shows the operators' page to whoever uses this machine.

use std::sync::Arc;

use api::App;
use aws::Clock;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::header::CACHE_CONTROL,
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use console::AppFiles;
use hosting::config::ServerConfig;
use local::tokens::LocalIssuer;
use serde::Serialize;
use serde_json::json;
use server::console::{
    ConsoleParts, add_console, build_security_headers,
    loopback::{require_loopback_host, require_own_page},
    operations::{Operations, RunDoctor},
    operators::OperatorGuard,
    problem::ConsoleProblem,
    settings::{ConsoleSettings, Mode, with_problems},
};
use signing_keys::KeyRotation;
use telemetry::Telemetry;
use uuid::Uuid;

use crate::{
    CommandError,
    dev::{
        LocalStack,
        environment::Variables,
        stack_file::{StackFile, User},
        token::TOKEN_LIFETIME_SECONDS,
    },
    doctor::run_checks,
};

/// What the console is made from.
pub(super) struct ConsoleSource<'a> {
    pub(super) config: &'a ServerConfig,
    pub(super) app: &'a App,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) key: KeyRotation,
    pub(super) variables: &'a Variables,
}

impl LocalStack<'_> {
    /// Puts the console in front of the routes, unless it is turned off. Every path then answers only to names of this machine:
    /// a page whose host name was made to point here reads nothing.
    pub(super) async fn add_console(
        &self,
        router: Router,
        file: &StackFile,
        source: ConsoleSource<'_>,
    ) -> Result<Router, CommandError> {
        let loopback = from_fn(require_loopback_host);
        if self.options.no_console {
            return Ok(router.layer(loopback));
        }
        let router = router.merge(users_router(&file.users, Arc::clone(&self.stack.issuer)));
        let prefix = source.config.path_prefix.clone();
        let parts = self.build_console(file, source).await?;
        Ok(add_console(router, &prefix, parts)?.layer(loopback))
    }

    async fn build_console(
        &self,
        file: &StackFile,
        ConsoleSource { config, app, telemetry, key, variables }: ConsoleSource<'_>,
    ) -> Result<ConsoleParts, CommandError> {
        let variables = variables.clone();
        let doctor: RunDoctor = Arc::new(move || run_checks(&|name| variables.get(name).cloned()));
        let operations =
            Operations { db: app.db.clone(), telemetry, key: Arc::new(key), clock: app.clock, doctor };
        let settings = ConsoleSettings {
            api: config.path_prefix.as_str().to_owned(),
            mode: Mode::Dev,
            version: env!("CARGO_PKG_VERSION"),
            login: None,
            operator: true,
            demo: Some(serde_json::to_value(&file.demo)?),
        };
        Ok(ConsoleParts {
            files: self.options.console_dir.clone().map_or_else(AppFiles::embedded, AppFiles::Directory),
            headers: build_security_headers(&config.service, &config.console, &app.objects).await?,
            settings,
            operations: Some((OperatorGuard::Loopback, operations)),
        })
    }
}

/// A user of the demo.
#[derive(Clone, Serialize)]
struct ConsoleUser {
    /// The name in the path of tokens.
    name: String,
    email: String,
    node_id: String,
    role: Option<String>,
    workspace: i32,
    #[serde(skip)]
    cognito_id: Uuid,
}

impl ConsoleUser {
    fn new(user: &User) -> Self {
        Self {
            name: user.name().to_owned(),
            email: user.email.clone(),
            node_id: user.node_id.clone(),
            role: user.role.clone(),
            workspace: user.workspace_id,
            cognito_id: user.cognito_id,
        }
    }
}

#[derive(Clone)]
struct Users {
    users: Arc<[ConsoleUser]>,
    issuer: Arc<LocalIssuer>,
}

/// The demo's users and their tokens, only for this server's own pages and for programs on this machine.
fn users_router(users: &[User], issuer: Arc<LocalIssuer>) -> Router {
    let users = users.iter().map(ConsoleUser::new).collect();
    Router::new()
        .route("/console/users", with_problems(get(list_users)))
        .route("/console/users/{name}/token", with_problems(post(issue_token)))
        .layer(from_fn(require_own_page))
        .with_state(Users { users, issuer })
}

async fn list_users(State(Users { users, .. }): State<Users>) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(json!({ "users": &users[..] }))).into_response()
}

async fn issue_token(
    State(Users { users, issuer }): State<Users>,
    Path(name): Path<String>,
) -> Result<Response, ConsoleProblem> {
    let unknown = ConsoleProblem::not_found("there is no such user: GET /console/users lists them");
    let user = users.iter().find(|user| user.name == name).ok_or(unknown)?;
    let now = Clock::System.now();
    let token = issuer.issue_user_token(user.cognito_id, now, TOKEN_LIFETIME_SECONDS).map_err(|error| {
        tracing::error!(%error, "a token could not be signed");
        ConsoleProblem::internal()
    })?;
    let body = json!({ "token": token, "expires_at": now + TOKEN_LIFETIME_SECONDS });
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
