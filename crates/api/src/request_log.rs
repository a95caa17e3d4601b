//! One log line and the metrics of each request.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use http::{Method, StatusCode};
use telemetry::TraceContext;
use tokio::time::Instant;
use tracing::{Span, field::Empty};

use crate::{
    request_id::RequestId,
    request_metrics::{EndedRequest, RequestMetrics},
};

/// Collects what is logged about a request, and logs it when dropped. So a request whose client disconnects is logged
/// too.
pub(crate) struct RequestLog {
    span: Span,
    metrics: Arc<RequestMetrics>,
    method: &'static str,
    /// The matched route. Not the path, which the client chooses, and never the query, which may hold a link.
    route: Option<MatchedPath>,
    started_at: Instant,
    status: Option<StatusCode>,
    statements: Option<u64>,
}

impl RequestLog {
    pub(crate) fn start(
        request: &Request,
        id: &RequestId,
        trace: &TraceContext,
        metrics: Arc<RequestMetrics>,
    ) -> Self {
        let method = method_label(request.method());
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self {
            span: request_span(id, trace, method, route_label(route.as_ref())),
            metrics,
            method,
            route,
            started_at: Instant::now(),
            status: None,
            statements: None,
        }
    }

    /// The span of the request.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Sets the number of SQL statements.
    pub(crate) fn set_statements(&mut self, statements: u64) {
        self.statements = Some(statements);
    }

    /// Sets the status of the response.
    pub(crate) fn set_status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        let duration = self.started_at.elapsed();
        self.metrics.record(EndedRequest {
            route: route_label(self.route.as_ref()),
            method: self.method,
            status: self.status,
            duration,
            statements: self.statements.unwrap_or_default(),
        });
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (span, status) = (&self.span, self.status.map(|status| status.as_u16()));
        tracing::record_all!(span, status = status, statements = self.statements);
        if status.is_some() {
            tracing::info!(parent: span, duration_ms, "request completed");
        } else {
            tracing::info!(parent: span, duration_ms, "the client disconnected before the response");
        }
    }
}

/// The span of a request. Every log line and trace of the request has its fields.
fn request_span(id: &RequestId, trace: &TraceContext, method: &str, route: &str) -> Span {
    // At level `error`, so that its fields are there with `RUST_LOG=error` too.
    tracing::error_span!(
        target: "trace.root", "request",
        request_id = id.as_str(), user = Empty, workspace = Empty, dataset = Empty, package = Empty,
        method, route, status = Empty, statements = Empty,
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
    )
}

fn route_label(route: Option<&MatchedPath>) -> &str {
    route.map_or("none", MatchedPath::as_str)
}

/// The method as a metric label. Unknown methods share one label: a client could invent any number of them.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
