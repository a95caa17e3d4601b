//! Metrics of a server: kept in memory and served in Prometheus's text format.

use std::{fmt, thread, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::metric::{MetricDescription, describe_metrics};

/// The media type of the text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often observed values are sorted into buckets. Without this they would pile up if nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The metrics since the start.
#[derive(Clone)]
pub(crate) struct PrometheusMetrics(PrometheusHandle);

impl fmt::Debug for PrometheusMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrometheusMetrics").finish_non_exhaustive()
    }
}

impl PrometheusMetrics {
    /// Installs a recorder for the whole process, unless there is one already.
    pub(crate) fn install(metrics: &[MetricDescription]) -> Self {
        let recorder = build_recorder(metrics);
        let prometheus = Self(recorder.handle());
        if metrics::set_global_recorder(recorder).is_ok() {
            describe_metrics(metrics);
            prometheus.spawn_upkeep();
        }
        prometheus
    }

    pub(crate) fn render(&self) -> String {
        self.0.render()
    }

    /// Starts the upkeep thread. If the thread cannot start, memory grows between scrapes; the server still runs.
    fn spawn_upkeep(&self) {
        let handle = self.0.clone();
        let upkeep = move || {
            loop {
                // Not `thread::sleep`, which clippy.toml bans because it blocks a runtime's thread.
                thread::park_timeout(UPKEEP_INTERVAL);
                handle.run_upkeep();
            }
        };
        let _ = thread::Builder::new().name("metrics".to_owned()).spawn(upkeep);
    }
}

fn build_recorder(metrics: &[MetricDescription]) -> PrometheusRecorder {
    let with_buckets = |builder: PrometheusBuilder, metric: &MetricDescription| {
        // The only error is an empty list, which is filtered out below.
        builder
            .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), metric.buckets)
            .unwrap_or_default()
    };
    metrics
        .iter()
        .filter(|metric| !metric.buckets.is_empty())
        .fold(PrometheusBuilder::new(), with_buckets)
        .build_recorder()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{MetricKind, Unit};

    fn metric(name: &'static str, kind: MetricKind, buckets: &'static [f64]) -> MetricDescription {
        MetricDescription { name, kind, unit: Unit::Count, help: "For the test", buckets }
    }

    #[test]
    fn renders_metrics_with_descriptions_and_buckets() {
        let metrics = [
            metric("visits_total", MetricKind::Counter, &[]),
            metric("visit_seconds", MetricKind::Histogram, &[0.025, 0.05]),
            metric("pages", MetricKind::Histogram, &[1.0, 10.0, 100.0]),
            metric("age_seconds", MetricKind::Gauge, &[]),
        ];
        let recorder = build_recorder(&metrics);
        let prometheus = PrometheusMetrics(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            describe_metrics(&metrics);
            metrics::counter!("visits_total", "route" => "/a", "status" => "200").increment(3);
            metrics::histogram!("visit_seconds", "route" => "/a").record(0.03);
            metrics::histogram!("pages").record(50_u32);
            metrics::gauge!("age_seconds").set(7);
        });
        let text = prometheus.render();
        for line in [
            "# TYPE visits_total counter",
            "# HELP visits_total For the test",
            r#"visits_total{route="/a",status="200"} 3"#,
            r#"visit_seconds_bucket{route="/a",le="0.025"} 0"#,
            r#"visit_seconds_bucket{route="/a",le="0.05"} 1"#,
            r#"visit_seconds_count{route="/a"} 1"#,
            r#"pages_bucket{le="100"} 1"#,
            "# TYPE age_seconds gauge",
            "age_seconds 7",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        assert_eq!(prometheus.render(), text, "rendering changes nothing");
    }
}
