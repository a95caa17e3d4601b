//! Metrics for a server: kept, and handed out in Prometheus's text format when somebody asks.

use std::{fmt, thread, time::Duration};

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// The media type of what is handed out.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds for times, in seconds: up to where API Gateway gives up.
const SECONDS: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Upper bounds for how many packages a restore brings back.
const PACKAGES: [f64; 7] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

/// How often observed values are put into their buckets, so that they do not pile up where nobody asks.
const TIDY: Duration = Duration::from_secs(5);

/// What was counted since the start.
#[derive(Clone)]
pub(crate) struct Prometheus(PrometheusHandle);

impl fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prometheus").finish_non_exhaustive()
    }
}

impl Prometheus {
    /// Counts for the whole process from now on, unless something else does already.
    pub(crate) fn install() -> Self {
        let recorder = recorder();
        let prometheus = Self(recorder.handle());
        if metrics::set_global_recorder(recorder).is_ok() {
            describe();
            prometheus.keep_tidy();
        }
        prometheus
    }

    pub(crate) fn render(&self) -> String {
        self.0.render()
    }

    /// Without the thread, which may be refused, a server that nobody asks would grow; that is no reason not to start.
    fn keep_tidy(&self) {
        let handle = self.0.clone();
        let tidy = move || {
            loop {
                thread::park_timeout(TIDY);
                handle.run_upkeep();
            }
        };
        let _ = thread::Builder::new().name("metrics".to_owned()).spawn(tidy);
    }
}

fn recorder() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new();
    let buckets = |builder: PrometheusBuilder, name: &str, bounds: &[f64]| {
        // An error means no bounds, and here are some.
        builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds).unwrap_or_default()
    };
    let builder = buckets(builder, "request_seconds", &SECONDS);
    buckets(builder, "restored_packages", &PACKAGES).build_recorder()
}

fn describe() {
    describe_counter!("requests_total", "Requests by route, method and status");
    describe_histogram!("request_seconds", Unit::Seconds, "Time to the head of the answer, by route");
    describe_counter!("statements_total", "Statements sent to Postgres for requests");
    describe_counter!("links_issued_total", "Links by what they open and the key that signed them");
    describe_counter!("refusals_total", "Requests that were refused, by the problem's name");
    describe_counter!("restores_total", "Restores by outcome");
    describe_histogram!("restored_packages", "Packages that a restore brought back");
    describe_counter!("restore_failed_packages_total", "Packages that a restore could not bring back");
    describe_counter!("restores_given_up_total", "Restores whose last attempt failed");
    describe_gauge!("signing_key_age_seconds", Unit::Seconds, "Age of the key that signs links to the CDN");
    describe_gauge!("signing_key_mismatch", "1: the CDN does not know the key that links are signed with");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_handed_out() {
        let recorder = recorder();
        let prometheus = Prometheus(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            describe();
            metrics::counter!("requests_total", "route" => "/packages/health", "status" => "200")
                .increment(3);
            metrics::histogram!("request_seconds", "route" => "/packages/health").record(0.03);
            metrics::histogram!("restored_packages").record(50_u32);
            metrics::gauge!("signing_key_age_seconds").set(7);
        });
        let text = prometheus.render();
        for line in [
            "# TYPE requests_total counter",
            "# HELP requests_total Requests by route, method and status",
            r#"requests_total{route="/packages/health",status="200"} 3"#,
            r#"request_seconds_bucket{route="/packages/health",le="0.025"} 0"#,
            r#"request_seconds_bucket{route="/packages/health",le="0.05"} 1"#,
            r#"request_seconds_count{route="/packages/health"} 1"#,
            r#"restored_packages_bucket{le="100"} 1"#,
            "signing_key_age_seconds 7",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        assert_eq!(prometheus.render(), text, "asking changes nothing");
    }
}
