//! All metrics of the service. Each is declared once, here.
//!
//! Code that emits a metric uses its name: `metrics::counter!(REQUESTS_TOTAL.name, "route" => route)`. The hosts give
//! [`ALL`] to `telemetry`, which describes them to CloudWatch and Prometheus. Tests compare the names with
//! `docs/operations.md`, with Terraform and with the code that emits them.
//!
//! Names follow Prometheus: a counter ends in `_total`, a time in `_seconds`. Every combination of label values is a
//! metric of its own in CloudWatch, with its own price, so labels have few values.

/// The declaration of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The unit.
    pub unit: Unit,
    /// One line for operators, which Prometheus shows.
    pub help: &'static str,
    /// A histogram's upper bounds in Prometheus. Empty for other kinds.
    pub buckets: &'static [f64],
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows.
    Counter,
    /// A number that is set.
    Gauge,
    /// A distribution of observed values.
    Histogram,
}

/// The unit of a metric's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things, or a flag of 0 or 1.
    Count,
    /// Seconds.
    Seconds,
}

/// Up to 30 s, the timeout of API Gateway.
const SECONDS_BUCKETS: &[f64] = &[0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

const PACKAGES_BUCKETS: &[f64] = &[1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

/// Labels: `route`, `method`, `status`.
pub const REQUESTS_TOTAL: Metric = counter("requests_total", "Requests by route, method and status");

/// Label: `route`.
pub const REQUEST_SECONDS: Metric = Metric {
    name: "request_seconds",
    kind: Kind::Histogram,
    unit: Unit::Seconds,
    help: "Time until the head of the response, by route",
    buckets: SECONDS_BUCKETS,
};

/// No labels.
pub const STATEMENTS_TOTAL: Metric = counter("statements_total", "Statements sent to Postgres for requests");

/// Labels: `kind`, `key_id`.
pub const LINKS_ISSUED_TOTAL: Metric =
    counter("links_issued_total", "Links by kind of object and by the key that signed them");

/// Label: `reason`, the name of the problem.
pub const REFUSALS_TOTAL: Metric = counter("refusals_total", "Refused requests by reason");

/// Label: `outcome`, which is `finished` or `stopped`.
pub const RESTORES_TOTAL: Metric = counter("restores_total", "Restores by outcome");

/// No labels.
pub const RESTORED_PACKAGES: Metric = Metric {
    name: "restored_packages",
    kind: Kind::Histogram,
    unit: Unit::Count,
    help: "Packages that a restore has restored",
    buckets: PACKAGES_BUCKETS,
};

/// No labels.
pub const RESTORE_FAILED_PACKAGES_TOTAL: Metric =
    counter("restore_failed_packages_total", "Packages that a restore could not restore");

/// No labels.
pub const RESTORES_GIVEN_UP_TOTAL: Metric =
    counter("restores_given_up_total", "Restores whose last attempt failed");

/// No labels.
pub const RESTORES_ADOPTED_TOTAL: Metric =
    counter("restores_adopted_total", "Packages in state RESTORING that were restored without an order");

/// No labels.
pub const RESTORE_STRAYS_TOTAL: Metric = counter(
    "restore_strays_total",
    "Packages in state RESTORING without an order that were put back in the trash",
);

/// No labels.
pub const RESTORE_DELIVERIES_FAILED_TOTAL: Metric =
    counter("restore_deliveries_failed_total", "Outbox entries of restores that could not be delivered");

/// No labels. Servers only.
pub const RESTORE_QUEUE_DATASETS: Metric =
    gauge("restore_queue_datasets", Unit::Count, "Datasets with open restores");

/// No labels. Servers only.
pub const RESTORE_RUNNING_DATASETS: Metric =
    gauge("restore_running_datasets", Unit::Count, "Datasets with a running restore");

/// No labels. Servers only.
pub const RESTORE_OUTBOX_ENTRIES: Metric =
    gauge("restore_outbox_entries", Unit::Count, "Outbox entries of restores that wait for delivery");

/// No labels.
pub const SIGNING_KEY_AGE_SECONDS: Metric =
    gauge("signing_key_age_seconds", Unit::Seconds, "Age of the key that signs CDN links");

/// No labels. Emitted only while it is 1.
pub const SIGNING_KEY_MISMATCH: Metric = gauge(
    "signing_key_mismatch",
    Unit::Count,
    "1 while CDN links are signed with a key that the CDN does not trust",
);

/// No labels. Servers only.
pub const CONNECTIONS_REFUSED_TOTAL: Metric =
    counter("connections_refused_total", "Connections beyond the limit, which were answered with 503");

/// Label: `phase`. Servers only.
pub const CONNECTIONS_TIMED_OUT_TOTAL: Metric =
    counter("connections_timed_out_total", "Connections that were closed because a phase took too long");

/// All metrics.
pub const ALL: &[Metric] = &[
    REQUESTS_TOTAL,
    REQUEST_SECONDS,
    STATEMENTS_TOTAL,
    LINKS_ISSUED_TOTAL,
    REFUSALS_TOTAL,
    RESTORES_TOTAL,
    RESTORED_PACKAGES,
    RESTORE_FAILED_PACKAGES_TOTAL,
    RESTORES_GIVEN_UP_TOTAL,
    RESTORES_ADOPTED_TOTAL,
    RESTORE_STRAYS_TOTAL,
    RESTORE_DELIVERIES_FAILED_TOTAL,
    RESTORE_QUEUE_DATASETS,
    RESTORE_RUNNING_DATASETS,
    RESTORE_OUTBOX_ENTRIES,
    SIGNING_KEY_AGE_SECONDS,
    SIGNING_KEY_MISMATCH,
    CONNECTIONS_REFUSED_TOTAL,
    CONNECTIONS_TIMED_OUT_TOTAL,
];

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit: Unit::Count, help, buckets: &[] }
}

const fn gauge(name: &'static str, unit: Unit, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help, buckets: &[] }
}
