//! The operators' page: what `/metrics` and the database know, and the doctor.

use std::{fmt, io, sync::Arc, time::Duration};

use aws::Clock;
use axum::{
    Json, Router,
    extract::State,
    http::header::CACHE_CONTROL,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use database::Db;
use doctor::Report;
use restore::db::overview::load_overview;
use signing_keys::KeyRotation;
use telemetry::Telemetry;
use tokio::sync::Mutex;

use super::{
    operators::{OperatorGuard, require_operator},
    problem::ConsoleProblem,
    report::{MetricsReport, OperationsReport, RestoresReport, SigningKeyReport, format_time},
    settings::with_problems,
};

/// How long the database may take. The page shows the rest without it.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the doctor. It blocks its thread for some seconds.
pub type RunDoctor = Arc<dyn Fn() -> io::Result<Report> + Send + Sync>;

/// Where the operators' page has its numbers from.
#[derive(Clone)]
pub struct Operations {
    /// Postgres.
    pub db: Db,
    /// The metrics.
    pub telemetry: Arc<Telemetry>,
    /// The key that signs links.
    pub key: Arc<KeyRotation>,
    /// The time.
    pub clock: Clock,
    /// The doctor.
    pub doctor: RunDoctor,
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct OperationsState {
    operations: Operations,
    started_at: u64,
    /// Held while the doctor runs.
    examination: Arc<Mutex<()>>,
}

/// The routes of the operators' page.
pub(super) fn operations_router(guard: OperatorGuard, operations: Operations) -> Router {
    let started_at = operations.clock.now();
    let state = OperationsState { operations, started_at, examination: Arc::default() };
    Router::new()
        .route("/console/operations", with_problems(get(get_operations)))
        .route("/console/doctor", with_problems(post(post_doctor)))
        // Around the whole routes: who may not see them learns nothing of their methods.
        .layer(from_fn_with_state(guard, require_operator))
        .with_state(state)
}

async fn get_operations(State(state): State<OperationsState>) -> Response {
    let OperationsState { operations: Operations { db, telemetry, key, clock, .. }, started_at, .. } = state;
    let now = clock.now();
    let report = OperationsReport {
        at: format_time(clock.now_utc()),
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: now.saturating_sub(started_at),
        metrics: MetricsReport::new(&telemetry.list_metrics()),
        restores: load_restores(&db).await,
        signing_key: key.current_key().map(|key| SigningKeyReport::new(&key, now)),
    };
    ([(CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

/// `None` if the database does not answer.
async fn load_restores(db: &Db) -> Option<RestoresReport> {
    let error = match tokio::time::timeout(DATABASE_TIMEOUT, load_overview(db)).await {
        Ok(Ok(overview)) => return Some(RestoresReport::new(&overview)),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(error, "the operators' page has no restores");
    None
}

/// Runs the doctor, once at a time: it opens connections of its own. If the client goes away, it runs to its end.
async fn post_doctor(State(state): State<OperationsState>) -> Result<Response, ConsoleProblem> {
    let Ok(turn) = state.examination.try_lock_owned() else {
        return Err(ConsoleProblem::unavailable("the doctor is running already; try again in a few seconds"));
    };
    let run_doctor = state.operations.doctor;
    let examination = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        run_doctor()
    });
    match examination.await {
        Ok(Ok(report)) => Ok(([(CACHE_CONTROL, "no-store")], Json(report)).into_response()),
        Ok(Err(error)) => {
            tracing::error!(%error, "the doctor could not run");
            Err(ConsoleProblem::internal())
        }
        // The panic hook has logged the place.
        Err(_) => Err(ConsoleProblem::internal()),
    }
}
