//! `/packages/health` and `/packages/ready`: liveness and readiness probes.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, Problem, openapi};

/// How long the database may take before a readiness check fails.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);

/// The state of the service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthResponse {
    /// `alive` or `ready`.
    status: &'static str,
}

/// Checks that the process responds
///
/// It does not check the database: a restart would not repair that.
#[utoipa::path(
    get, path = "/health", tag = "health", operation_id = "getHealth",
    responses((status = OK, description = "The process responds", body = HealthResponse)),
)]
pub(crate) async fn get_health() -> Json<HealthResponse> {
    Json(HealthResponse { status: "alive" })
}

/// Checks that the service can handle requests
///
/// The database must respond, take writes, and have the service's tables.
#[utoipa::path(
    get, path = "/ready", tag = "health", operation_id = "getReady",
    responses(
        (status = OK, description = "The service can handle requests", body = HealthResponse),
        openapi::UnavailableProblem,
    ),
)]
pub(crate) async fn get_ready(State(app): State<Arc<App>>) -> Result<Json<HealthResponse>, Problem> {
    // Without this limit the check would wait in the queue of a saturated connection pool.
    match tokio::time::timeout(DATABASE_TIMEOUT, restore::db::check_tables(&app.db)).await {
        Ok(Ok(())) => Ok(Json(HealthResponse { status: "ready" })),
        Ok(Err(error)) => Err(Problem::unavailable(error.to_string())),
        Err(_) => Err(Problem::unavailable("the database did not respond in time")),
    }
}
