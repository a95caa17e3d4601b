//! The metrics of requests.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use http::StatusCode;
use metrics::{Counter, Histogram};

/// The metrics of one router's requests.
///
/// It keeps the handles: to find a metric by its name and labels takes longer than to count. Routes, methods and statuses are
/// few, and none of them is a text that a client chooses.
#[derive(Default)]
pub(crate) struct RequestMetrics {
    routes: RwLock<HashMap<Box<str>, RouteMetrics>>,
}

/// A request that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndedRequest<'a> {
    /// The route that matched, such as `/packages/trash`.
    pub(crate) route: &'a str,
    pub(crate) method: &'static str,
    /// `None` if the client disconnected before.
    pub(crate) status: Option<StatusCode>,
    pub(crate) duration: Duration,
    pub(crate) statements: u64,
}

/// The metrics of one route.
struct RouteMetrics {
    seconds: Histogram,
    statements: Counter,
    requests: Vec<(&'static str, Option<StatusCode>, Counter)>,
}

impl RequestMetrics {
    /// Counts a request.
    pub(crate) fn record(&self, request: EndedRequest<'_>) {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let is_counted = routes.get(request.route).is_some_and(|metrics| metrics.record(request));
        drop(routes);
        if !is_counted {
            self.add_handles(request);
        }
    }

    /// Counts the first request with these labels.
    fn add_handles(&self, request: EndedRequest<'_>) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let metrics = routes.entry(request.route.into()).or_insert_with(|| RouteMetrics::find(request.route));
        // Another thread may have added it meanwhile.
        if !metrics.record(request) {
            metrics.requests.push((request.method, request.status, find_counter(request)));
            metrics.record(request);
        }
    }
}

impl RouteMetrics {
    fn find(route: &str) -> Self {
        let seconds = metrics::histogram!(metric_names::REQUEST_SECONDS.name, "route" => route.to_owned());
        let statements = metrics::counter!(metric_names::STATEMENTS_TOTAL.name);
        Self { seconds, statements, requests: Vec::new() }
    }

    /// Counts a request. Returns false, and counts nothing, if there is no handle for its method and status.
    fn record(&self, request: EndedRequest<'_>) -> bool {
        let EndedRequest { method, status, duration, statements, .. } = request;
        let found = self.requests.iter().find(|(known, code, _)| (*known, *code) == (method, status));
        let Some((_, _, counter)) = found else { return false };
        counter.increment(1);
        self.seconds.record(duration);
        self.statements.increment(statements);
        true
    }
}

fn find_counter(request: EndedRequest<'_>) -> Counter {
    let status = request.status.map_or_else(|| "none".to_owned(), |status| status.as_u16().to_string());
    let route = request.route.to_owned();
    metrics::counter!(
        metric_names::REQUESTS_TOTAL.name, "route" => route, "method" => request.method, "status" => status
    )
}
