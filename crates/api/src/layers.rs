//! The layer around every request, whatever its outcome.
//!
//! It gives the request an id, continues its trace, limits its time, catches panics, writes the body of a problem, adds
//! the common headers, records metrics and logs one line.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use database::count_statements;
use futures_util::FutureExt;
use http::{HeaderValue, header};
use telemetry::{TraceContext, trace};
use tracing::Instrument;

use crate::{
    App, Problem, audit, cors,
    request_id::{REQUEST_ID_HEADER, RequestId},
    request_log::RequestLog,
    request_metrics::RequestMetrics,
};

/// How many headers every response gets.
const COMMON_HEADERS: usize = 8;

/// What the layer needs to know.
#[derive(Clone)]
pub(crate) struct LayerConfig {
    /// The `WWW-Authenticate` header of a 401.
    challenge: HeaderValue,
    /// How long a request may take.
    timeout: Duration,
    metrics: Arc<RequestMetrics>,
}

impl From<&App> for LayerConfig {
    fn from(app: &App) -> Self {
        Self { challenge: app.realm.challenge(), timeout: app.limits.answer, metrics: Arc::default() }
    }
}

/// Adds the layer to all routes and fallbacks of a router.
pub(crate) fn add_request_layer<S>(router: Router<S>, config: impl Into<LayerConfig>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let config = config.into();
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        handle_request(config.clone(), request, next)
    }))
}

async fn handle_request(config: LayerConfig, request: Request, next: Next) -> Response {
    let id = RequestId::from_headers(request.headers());
    let trace = TraceContext::from_header(
        request.headers().get(trace::TRACE_HEADER).and_then(|header| header.to_str().ok()),
    );
    let mut log = RequestLog::start(&request, &id, &trace, config.metrics);
    let span = log.span().clone();
    let work = async {
        let handler = async {
            let (response, statements) = count_statements(next.run(request)).await;
            log.set_statements(statements);
            response
        };
        // Pinned here and below: by value, each function around it would hold a copy.
        let mut response = respond_within(config.timeout, pin!(handler)).await;
        finish_response(&mut response, &id, config.challenge);
        log.set_status(response.status());
        response
    };
    // Calls to AWS during the request carry the trace header.
    aws::trace::with_header(Some(trace.to_header()), pin!(work)).instrument(span).await
}

/// Runs a handler. If it panics or takes too long, the response is a problem.
async fn respond_within(timeout: Duration, handler: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(timeout, AssertUnwindSafe(handler).catch_unwind()).await {
        Ok(Ok(response)) => response,
        // The panic hook has logged the place. The message may contain request data, so it is not logged.
        Ok(Err(_)) => Problem::internal("a handler panicked").into_response(),
        Err(_) => Problem::timed_out().into_response(),
    }
}

fn finish_response(response: &mut Response, id: &RequestId, challenge: HeaderValue) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        problem.write_to(response, id.as_str(), challenge);
        problem.refusal_name().into_iter().for_each(audit::count_refusal);
    }
    let headers = response.headers_mut();
    // Once, and not each time that the map is full.
    headers.reserve(COMMON_HEADERS);
    cors::add_cors_headers(headers);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A link's query has its signature; a browser must not send it on as a referrer.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Responses depend on the caller's role, so no cache may store them unless a handler says otherwise.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(REQUEST_ID_HEADER, id.to_header_value());
}

#[cfg(test)]
mod tests;
