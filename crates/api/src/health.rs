//! `/packages/health` and `/packages/ready`: for whoever starts, stops and watches the service.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Serialize;

use crate::{App, Problem};

/// How long the database may take. Shorter than the patience of those who ask.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    status: &'static str,
}

/// The process answers. Whatever else is wrong, starting it anew would not help.
pub(crate) async fn alive() -> Json<Answer> {
    Json(Answer { status: "alive" })
}

/// The database answers too, so requests may come.
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<Answer>, Problem> {
    match tokio::time::timeout(PATIENCE, app.db.check()).await {
        Ok(Ok(())) => Ok(Json(Answer { status: "ready" })),
        Ok(Err(error)) => Err(Problem::unavailable(error.to_string())),
        Err(_) => Err(Problem::unavailable("the database did not answer in time")),
    }
}
