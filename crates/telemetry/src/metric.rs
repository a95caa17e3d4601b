//! Descriptions of metrics, which a host hands over.

pub use metrics::Unit;
use metrics::{describe_counter, describe_gauge, describe_histogram};

/// The description of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricDescription {
    /// The name, with Prometheus's suffixes: `requests_total`, `request_seconds`.
    pub name: &'static str,
    /// The kind.
    pub kind: MetricKind,
    /// The unit, which CloudWatch shows.
    pub unit: Unit,
    /// One line for people, which Prometheus shows.
    pub help: &'static str,
    /// A histogram's upper bounds in Prometheus. Empty for other kinds, or for a summary.
    pub buckets: &'static [f64],
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A number that only grows.
    Counter,
    /// A number that is set.
    Gauge,
    /// A distribution of observed values.
    Histogram,
}

/// Gives the descriptions to the current recorder.
pub(crate) fn describe_metrics(metrics: &[MetricDescription]) {
    for &MetricDescription { name, kind, unit, help, .. } in metrics {
        match kind {
            MetricKind::Counter => describe_counter!(name, unit, help),
            MetricKind::Gauge => describe_gauge!(name, unit, help),
            MetricKind::Histogram => describe_histogram!(name, unit, help),
        }
    }
}
