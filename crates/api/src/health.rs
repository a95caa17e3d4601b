//! `/packages/health` and `/packages/ready`: for whoever starts, stops and watches the service.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, Problem, openapi};

/// How long the database may take. Shorter than the patience of those who ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// All is well.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct Answer {
    /// `alive`, or `ready`.
    status: &'static str,
}

/// Whether the process answers
///
/// Whatever else is wrong, starting it anew would not help.
#[utoipa::path(
    get, path = "/health", tag = "health", operation_id = "getHealth",
    responses((status = OK, description = "It does", body = Answer)),
)]
pub(crate) async fn alive() -> Json<Answer> {
    Json(Answer { status: "alive" })
}

/// Whether the database answers too, so that requests may come
#[utoipa::path(
    get, path = "/ready", tag = "health", operation_id = "getReady",
    responses((status = OK, description = "It does", body = Answer), openapi::Unavailable),
)]
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<Answer>, Problem> {
    match tokio::time::timeout(PATIENCE, restore::db::check_tables(&app.db)).await {
        Ok(Ok(())) => Ok(Json(Answer { status: "ready" })),
        Ok(Err(error)) => Err(Problem::unavailable(error.to_string())),
        Err(_) => Err(Problem::unavailable("the database did not answer in time")),
    }
}
