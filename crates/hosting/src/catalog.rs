//! What the service logs, traces and counts, for `telemetry`.

use metric_names::{Kind, Metric, Unit};
use telemetry::{Catalog, MetricDescription, MetricKind, metric};

/// The crates and programs of this workspace, and the log targets that are not crates.
const LOG_TARGETS: &[&str] = &[
    "api",
    "audit",
    "authorize",
    "authorizer",
    "aws",
    "console",
    "database",
    "doctor",
    "hosting",
    "lambda",
    "local",
    "metric_names",
    "packages",
    "packages_service",
    "panic",
    "restore",
    "server",
    "service",
    "signing",
    "signing_keys",
    "storage",
    "telemetry",
];

/// The span fields that become annotations of traces. None of them holds what a client sent.
const ANNOTATIONS: &[&str] = &["route", "status", "statements", "operation", "statement", "bucket"];

/// The catalog of the service, for [`telemetry::init`].
#[must_use]
pub fn telemetry_catalog() -> Catalog {
    Catalog {
        namespace: "PackagesService",
        log_targets: LOG_TARGETS,
        annotations: ANNOTATIONS,
        metrics: metric_names::ALL.iter().map(describe_metric).collect(),
    }
}

fn describe_metric(metric: &Metric) -> MetricDescription {
    let &Metric { name, kind, unit, help, buckets } = metric;
    let kind = match kind {
        Kind::Counter => MetricKind::Counter,
        Kind::Gauge => MetricKind::Gauge,
        Kind::Histogram => MetricKind::Histogram,
    };
    let unit = match unit {
        Unit::Count => metric::Unit::Count,
        Unit::Seconds => metric::Unit::Seconds,
    };
    MetricDescription { name, kind, unit, help, buckets }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// A crate that is missing would lose its debug log.
    #[test]
    fn log_targets_name_every_crate() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let names =
            fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        for name in names.chain(["lambda".to_owned()]) {
            assert!(LOG_TARGETS.contains(&name.replace('-', "_").as_str()), "{name}");
        }
    }

    #[test]
    fn units_of_metrics_are_kept() {
        let catalog = telemetry_catalog();
        let unit = |name: &str| catalog.metrics.iter().find(|metric| metric.name == name).unwrap().unit;
        assert_eq!(unit("signing_key_age_seconds"), metric::Unit::Seconds);
        assert_eq!(unit("requests_total"), metric::Unit::Count);
    }
}
