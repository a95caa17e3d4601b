//! `GET /metrics`: what was counted since the start, for Prometheus. Beside the API and not beneath `/packages`, so that
//! what leads people to the API need not lead them here.

use std::sync::Arc;

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use telemetry::{Telemetry, prometheus};

/// The one route.
pub fn route(telemetry: Telemetry) -> Router {
    let telemetry = Arc::new(telemetry);
    let render = async move || ([(CONTENT_TYPE, prometheus::CONTENT_TYPE)], telemetry.render_metrics());
    Router::new().route("/metrics", get(render))
}
