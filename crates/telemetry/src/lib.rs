//! Telemetry of a host: JSON logs, X-Ray traces, metrics.
//!
//! A host calls [`init`] once. Everything else uses the facades of the crates `tracing` and `metrics`. A request joins a
//! trace by a span with the target [`ROOT_SPAN_TARGET`] (see [`TraceContext`]), a step of it by a span with the target
//! [`STEP_SPAN_TARGET`]. Telemetry never fails a request: what cannot be written is dropped.
//!
//! This crate knows no service. What is particular to one is in the host's [`Catalog`].

mod clock;
pub mod emf;
mod fields;
mod json_fields;
pub mod logs;
pub mod metric;
#[cfg(test)]
mod overhead;
mod panics;
pub mod prometheus;
mod sample;
pub mod trace;
mod xray;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use tracing_subscriber::{Layer, Registry, layer::SubscriberExt, util::SubscriberInitExt};

use emf::EmfRecorder;
use logs::JsonLayer;
use prometheus::PrometheusMetrics;
use xray::{DaemonClient, SegmentConfig};

pub use metric::{MetricDescription, MetricKind};
pub use sample::Sample;
pub use trace::{SegmentKind, TraceContext, TraceHeader};

/// The target of the outermost span of a unit of work. Its level should be `ERROR`, so that it exists with its ids
/// under every log filter.
pub const ROOT_SPAN_TARGET: &str = "trace.root";

/// The target of a span around one step of the work: a statement, a call to a service, a signature. Its level should be
/// `INFO`. Such spans are part of traces and not of the log.
pub const STEP_SPAN_TARGET: &str = "trace";

/// Where the program runs, which decides where it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// AWS Lambda: logs and metrics are lines of JSON on standard output.
    Lambda,
    /// A machine or a container: logs go to standard error, and metrics are served on request.
    Server(LogFormat),
}

/// The format of a server's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One flat JSON object per line.
    Json,
}

/// The configuration of a process's telemetry.
#[derive(Debug, Clone, Copy)]
pub struct TelemetryConfig<'a> {
    /// The log filter, such as `info,api=debug`. Empty means `info`. An invalid directive is ignored.
    pub filter: &'a str,
    /// The name of the program, in traces and beside metrics.
    pub service: &'static str,
    /// The name of the environment, such as `dev` or `prod`. It ends the namespace of metrics in CloudWatch.
    pub environment: &'a str,
    /// Where the program runs.
    pub host: Host,
    /// Host and UDP port of the X-Ray daemon. `None` turns traces off.
    pub xray_daemon: Option<&'a str>,
    /// What the service logs, traces and counts.
    pub catalog: &'a Catalog,
}

/// What is particular to one service: its log targets, trace annotations and metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// The first part of the metrics' namespace in CloudWatch. The environment follows after a slash.
    pub namespace: &'static str,
    /// The service's own crates and log targets. Events of other targets below `INFO` are never logged.
    pub log_targets: &'static [&'static str],
    /// The span fields that become annotations of traces. Other fields stay out of traces.
    pub annotations: &'static [&'static str],
    /// All metrics of the service.
    pub metrics: Vec<MetricDescription>,
}

/// The process's telemetry. A host needs it to hand out the metrics.
#[derive(Debug)]
pub struct Telemetry {
    metrics: MetricsBackend,
    cold_start: Arc<AtomicBool>,
}

#[derive(Debug)]
enum MetricsBackend {
    Emf(EmfRecorder),
    Prometheus(PrometheusMetrics),
}

impl Telemetry {
    /// Writes the metrics since the last call to standard output, in CloudWatch's embedded metric format. A function
    /// calls this at the end of each invocation, before Lambda freezes it. On a server this does nothing.
    pub fn flush_metrics(&self) {
        if let MetricsBackend::Emf(emf) = &self.metrics {
            // Standard output is also the log, so a failure cannot be reported.
            let _ = emf.flush(&mut io::stdout().lock(), clock::system_clock());
            self.cold_start.store(false, Relaxed);
        }
    }

    /// Returns the metrics since the start in Prometheus's text format ([`prometheus::CONTENT_TYPE`]). Empty in Lambda.
    #[must_use]
    pub fn render_metrics(&self) -> String {
        match &self.metrics {
            MetricsBackend::Emf(_) => String::new(),
            MetricsBackend::Prometheus(prometheus) => prometheus.render(),
        }
    }

    /// Returns the metrics since the start as numbers. A histogram is several samples, as in Prometheus's format. Empty in
    /// Lambda.
    #[must_use]
    pub fn list_metrics(&self) -> Vec<Sample> {
        sample::parse_samples(&self.render_metrics())
    }
}

/// Sets up logs, traces and metrics of this process, once. A subscriber or recorder that is already set stays.
pub fn init(config: TelemetryConfig<'_>) -> Telemetry {
    let cold_start = Arc::new(AtomicBool::new(config.host == Host::Lambda));
    let (daemon, failure) = match config.xray_daemon.map(DaemonClient::connect).transpose() {
        Ok(daemon) => (daemon, None),
        Err(error) => (None, Some(error)),
    };
    let segments = SegmentConfig {
        service: config.service,
        // Lambda makes the segment of an invocation itself.
        root_kind: if config.host == Host::Lambda { SegmentKind::Subsegment } else { SegmentKind::Segment },
        annotations: config.catalog.annotations,
    };
    let traces = daemon.map(|daemon| xray::trace_layer(daemon, segments, clock::system_clock));
    // Fails if there is a subscriber already, as in a test. That one stays.
    let _ = Registry::default().with(log_layer(config, &cold_start)).with(traces).try_init();
    panics::install_panic_hook();
    if let Some(error) = failure {
        tracing::warn!(%error, "traces are off: invalid address of the X-Ray daemon");
    }
    Telemetry { metrics: install_metrics(config), cold_start }
}

fn log_layer(
    config: TelemetryConfig<'_>,
    cold_start: &Arc<AtomicBool>,
) -> Box<dyn Layer<Registry> + Send + Sync> {
    let filter = logs::log_filter(config.filter, config.catalog.log_targets);
    match config.host {
        Host::Lambda => JsonLayer::new(io::stdout, cold_start).with_filter(filter).boxed(),
        Host::Server(LogFormat::Json) => JsonLayer::new(io::stderr, cold_start).with_filter(filter).boxed(),
        Host::Server(LogFormat::Text) => {
            tracing_subscriber::fmt::layer().with_writer(io::stderr).with_filter(filter).boxed()
        }
    }
}

fn install_metrics(config: TelemetryConfig<'_>) -> MetricsBackend {
    let metrics = &config.catalog.metrics;
    match config.host {
        Host::Lambda => {
            let namespace = format!("{}/{}", config.catalog.namespace, config.environment);
            let emf = EmfRecorder::new(config.service, &namespace);
            // Fails if there is a recorder already, which stays.
            if metrics::set_global_recorder(emf.clone()).is_ok() {
                metric::describe_metrics(metrics);
            }
            MetricsBackend::Emf(emf)
        }
        Host::Server(_) => MetricsBackend::Prometheus(PrometheusMetrics::install(metrics)),
    }
}
