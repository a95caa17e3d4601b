//! The console of `dev` and of `serve --console`: the web app of the crate `console` in front of the API, and what the app needs
//! beside it.
//!
//! | path | who may read it | what it is |
//! | --- | --- | --- |
//! | `GET /console/settings.json` | everyone | where the API is, and how to log in |
//! | `GET /console/openapi.json` | everyone | the OpenAPI document, for this server |
//! | `GET /console/operations` | operators | metrics, unfinished restores, the signing key |
//! | `POST /console/doctor` | operators | the doctor's report |
//!
//! None of it has CORS headers, so no page of another origin can read it. `dev` adds its users and their tokens.

pub mod loopback;
pub mod operations;
pub mod operators;
mod policy;
pub mod problem;
mod report;
pub mod settings;

use api::PathPrefix;
use axum::Router;
use console::{AppFiles, Console, SecurityHeaders};
use hosting::config::leaves_console_paths;

pub use policy::build_security_headers;

use self::{
    operations::{Operations, operations_router},
    operators::OperatorGuard,
    settings::{ConsoleSettings, settings_router},
};

/// The path of the host beside the API.
const METRICS_PATH: &str = "/metrics";

/// What the console is made of.
pub struct ConsoleParts {
    /// The app.
    pub files: AppFiles,
    /// What its pages may do.
    pub headers: SecurityHeaders,
    /// What it is told.
    pub settings: ConsoleSettings,
    /// The operators' page, and who may see it. Without it the paths do not exist.
    pub operations: Option<(OperatorGuard, Operations)>,
}

/// Why there is no console.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The API has the paths of the console.
    #[error(
        "the console cannot be served with this API_PATH_PREFIX: its pages would be paths of the API. \
         Set another prefix, such as /packages, or turn the console off"
    )]
    PathPrefix,
    /// The OpenAPI document cannot be written.
    #[error("the OpenAPI document cannot be written: {0}")]
    Document(#[from] serde_json::Error),
}

/// Puts the console in front of a host's routes, whose API has this prefix.
pub fn add_console(host: Router, prefix: &PathPrefix, parts: ConsoleParts) -> Result<Router, ConsoleError> {
    check_prefix(prefix)?;
    let ConsoleParts { files, headers, settings, operations } = parts;
    if let Some(advice) = files.missing_app_advice() {
        tracing::warn!(advice, "there is no web app to serve at `/`");
    }
    let mut host = host.merge(settings_router(&settings, prefix)?);
    if let Some((guard, operations)) = operations {
        host = host.merge(operations_router(guard, operations));
    }
    let host_paths = vec![prefix.as_str().to_owned(), METRICS_PATH.to_owned()];
    Ok(Console::new(files, headers, host_paths).wrap(host))
}

/// Refuses a prefix whose paths are those of the console.
pub fn check_prefix(prefix: &PathPrefix) -> Result<(), ConsoleError> {
    if leaves_console_paths(prefix) { Ok(()) } else { Err(ConsoleError::PathPrefix) }
}
