//! `GET /metrics`: the metrics since the start, for Prometheus. The path is outside `/packages`, so that a proxy that
//! forwards `/packages` does not expose it.

use std::sync::Arc;

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use telemetry::{Telemetry, prometheus};

/// The router of `/metrics`.
pub fn metrics_router(telemetry: Arc<Telemetry>) -> Router {
    let render = async move || ([(CONTENT_TYPE, prometheus::CONTENT_TYPE)], telemetry.render_metrics());
    Router::new().route("/metrics", get(render))
}
