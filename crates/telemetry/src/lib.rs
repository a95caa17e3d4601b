//! What a host tells of itself: JSON logs, X-Ray traces, metrics.
//!
//! A host calls [`init`] once; everything else uses the facades of the crates `tracing` and `metrics`. A request becomes
//! part of a trace by a span with the target [`ROOT_TARGET`] (see [`Trace`]), a step of it by a span with the target
//! [`STEP_TARGET`]. Nothing here can fail a request: what cannot be told is not told.

mod clock;
#[cfg(test)]
mod cost;
pub mod emf;
mod fields;
pub mod logs;
mod panics;
pub mod prometheus;
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

use emf::Emf;
use logs::Json;
use prometheus::Prometheus;
use trace::Kind;
use xray::Daemon;

pub use trace::{Trace, TraceHeader};

/// The target of the outermost span of a piece of work. Its level should be `ERROR`, so that it is there, and its ids
/// with it, however little is logged.
pub const ROOT_TARGET: &str = "trace.root";

/// The target of a span around one step of the work: a statement, a call to a service, a signature. Its level should be
/// `INFO`. Such spans are for traces and not in the log.
pub const STEP_TARGET: &str = "trace";

/// Where the program runs, and so what it tells to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// AWS Lambda: logs and metrics are JSON lines on standard output.
    Lambda,
    /// A machine or a container: logs go to standard error, metrics are asked for.
    Server(Format),
}

/// How a server writes its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one flat object a line.
    Json,
}

/// What [`init`] must be told.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// What to log, as in `info,packages=debug`; `info` if it is empty. A part that cannot be read is left out.
    pub filter: &'a str,
    /// The name of the program in traces and beside metrics.
    pub service: &'static str,
    /// The name of the environment, as in `dev` or `prod`, under which metrics are kept in CloudWatch.
    pub environment: &'a str,
    /// Where it runs.
    pub host: Host,
    /// Where an X-Ray daemon listens for UDP, if one does: host and port.
    pub xray: Option<&'a str>,
}

/// What is left to do for a host: hand out its metrics.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Metrics,
    cold: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Metrics {
    Emf(Emf),
    Prometheus(Prometheus),
}

impl Telemetry {
    /// Writes what was counted since the last time to standard output, in CloudWatch's Embedded Metric Format. To be
    /// called at the end of each invocation in Lambda, before the function is frozen; does nothing elsewhere.
    pub fn flush(&self) {
        if let Metrics::Emf(emf) = &self.metrics {
            // Nobody could be told if it fails.
            let _ = emf.flush(&mut io::stdout().lock(), clock::system());
            self.cold.store(false, Relaxed);
        }
    }

    /// What was counted since the start, in Prometheus's text format ([`prometheus::CONTENT_TYPE`]); empty in Lambda.
    #[must_use]
    pub fn render(&self) -> String {
        match &self.metrics {
            Metrics::Emf(_) => String::new(),
            Metrics::Prometheus(prometheus) => prometheus.render(),
        }
    }
}

/// Sets up logs, traces and metrics for this process, once. What a library or a test has set up before stays.
pub fn init(options: Options<'_>) -> Telemetry {
    let cold = Arc::new(AtomicBool::new(options.host == Host::Lambda));
    let (daemon, failed) = match options.xray.map(Daemon::connect).transpose() {
        Ok(daemon) => (daemon, None),
        Err(error) => (None, Some(error)),
    };
    let roots = if options.host == Host::Lambda { Kind::Subsegment } else { Kind::Segment };
    let traces = daemon.map(|daemon| xray::layer(daemon, options.service, roots, clock::system));
    // Ends with an error if there is a subscriber already, which then stays.
    let _ = Registry::default().with(log(options, &cold)).with(traces).try_init();
    panics::log();
    if let Some(error) = failed {
        tracing::warn!(%error, "no traces: the X-Ray daemon's address cannot be used");
    }
    Telemetry { metrics: metrics(options), cold }
}

fn log(options: Options<'_>, cold: &Arc<AtomicBool>) -> Box<dyn Layer<Registry> + Send + Sync> {
    let filter = logs::filter(options.filter);
    match options.host {
        Host::Lambda => Json::new(io::stdout, cold).with_filter(filter).boxed(),
        Host::Server(Format::Json) => Json::new(io::stderr, cold).with_filter(filter).boxed(),
        Host::Server(Format::Text) => {
            tracing_subscriber::fmt::layer().with_writer(io::stderr).with_filter(filter).boxed()
        }
    }
}

fn metrics(options: Options<'_>) -> Metrics {
    match options.host {
        Host::Lambda => {
            let emf = Emf::new(options.service, options.environment);
            // As above: the first recorder stays.
            let _ = metrics::set_global_recorder(emf.clone());
            Metrics::Emf(emf)
        }
        Host::Server(_) => Metrics::Prometheus(Prometheus::install()),
    }
}
