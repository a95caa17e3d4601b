//! The JSON of the operators' page. Only numbers, ids, and names of routes, kinds and reasons.

use std::collections::BTreeMap;

use metric_names::{LINKS_ISSUED_TOTAL, REFUSALS_TOTAL, REQUEST_SECONDS, REQUESTS_TOTAL};
use packages::id::DatasetKey;
use restore::db::overview::{PackageCounts, RestoreOverview, UnfinishedDataset};
use serde::Serialize;
use signing_keys::KeyStatus;
use telemetry::Sample;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What operators see.
#[derive(Serialize)]
pub(super) struct OperationsReport {
    pub(super) at: Option<String>,
    pub(super) version: &'static str,
    pub(super) uptime_seconds: u64,
    #[serde(flatten)]
    pub(super) metrics: MetricsReport,
    /// `null` if the database does not answer.
    pub(super) restores: Option<RestoresReport>,
    pub(super) signing_key: Option<SigningKeyReport>,
}

/// The metrics since the start, by what they count.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct MetricsReport {
    requests: Vec<RequestCount>,
    latencies: Vec<Latency>,
    links: Vec<LinkCount>,
    refusals: Vec<RefusalCount>,
    /// All other metrics.
    others: Vec<OtherMetric>,
}

#[derive(Debug, PartialEq, Serialize)]
struct RequestCount {
    route: String,
    method: String,
    status: u16,
    count: u64,
}

/// The times until the head of the response.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Latency {
    route: String,
    count: u64,
    sum_seconds: f64,
    /// Each counts also those before it.
    buckets: Vec<Bucket>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Bucket {
    /// The upper bound; `null` for the last, which has none.
    le_seconds: Option<f64>,
    count: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct LinkCount {
    kind: String,
    key_id: String,
    count: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct RefusalCount {
    reason: String,
    count: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct OtherMetric {
    name: String,
    help: &'static str,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl MetricsReport {
    pub(super) fn new(samples: &[Sample]) -> Self {
        let mut report = Self::default();
        let mut latencies = BTreeMap::new();
        for sample in samples {
            match sample.name.strip_prefix(REQUEST_SECONDS.name) {
                Some(part) => add_latency(&mut latencies, part, sample),
                None => report.add(sample),
            }
        }
        report.latencies = latencies.into_values().collect();
        report
    }

    fn add(&mut self, sample: &Sample) {
        let label = |name: &str| sample.labels.get(name).cloned().unwrap_or_default();
        let count = to_count(sample.value);
        match sample.name.as_str() {
            name if name == REQUESTS_TOTAL.name => self.requests.push(RequestCount {
                route: label("route"),
                method: label("method"),
                status: label("status").parse().unwrap_or_default(),
                count,
            }),
            name if name == LINKS_ISSUED_TOTAL.name => {
                self.links.push(LinkCount { kind: label("kind"), key_id: label("key_id"), count });
            }
            name if name == REFUSALS_TOTAL.name => {
                self.refusals.push(RefusalCount { reason: label("reason"), count });
            }
            // The sum and the count of a histogram tell enough here.
            name if name.ends_with("_bucket") => {}
            name => self.others.push(OtherMetric {
                name: name.to_owned(),
                help: find_help(name),
                labels: sample.labels.clone(),
                value: sample.value,
            }),
        }
    }
}

/// Adds a part of a route's histogram: `_bucket`, `_sum` or `_count`.
fn add_latency(latencies: &mut BTreeMap<String, Latency>, part: &str, sample: &Sample) {
    let Some(route) = sample.labels.get("route") else { return };
    let latency = latencies
        .entry(route.clone())
        .or_insert_with(|| Latency { route: route.clone(), ..Latency::default() });
    match part {
        "_sum" => latency.sum_seconds = sample.value,
        "_count" => latency.count = to_count(sample.value),
        "_bucket" => {
            let bound = sample.labels.get("le").and_then(|bound| bound.parse::<f64>().ok());
            let bucket =
                Bucket { le_seconds: bound.filter(|bound| bound.is_finite()), count: to_count(sample.value) };
            latency.buckets.push(bucket);
        }
        _ => {}
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are whole and not negative"
)]
fn to_count(value: f64) -> u64 {
    value as u64
}

/// What a metric tells. The parts of a histogram have its text.
fn find_help(name: &str) -> &'static str {
    let name = name.strip_suffix("_sum").or_else(|| name.strip_suffix("_count")).unwrap_or(name);
    metric_names::ALL.iter().find(|metric| metric.name == name).map_or("", |metric| metric.help)
}

/// A time as RFC 3339 has it, to the second.
pub(super) fn format_time(time: OffsetDateTime) -> Option<String> {
    time.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()
}

/// The restores of all workspaces.
#[derive(Serialize)]
pub(super) struct RestoresReport {
    queue: Queue,
    /// Those that have waited longest first.
    unfinished: Vec<Unfinished>,
}

#[derive(Serialize)]
struct Queue {
    datasets: i64,
    running: i64,
}

#[derive(Serialize)]
struct Unfinished {
    workspace_id: i32,
    dataset_id: i32,
    status: &'static str,
    orders: i64,
    total: i64,
    restored: i64,
    failed: i64,
    bytes: i64,
    since: Option<String>,
    updated_at: Option<String>,
    attempts: i32,
    due_in_seconds: Option<f64>,
}

impl RestoresReport {
    pub(super) fn new(RestoreOverview { queue, datasets }: &RestoreOverview) -> Self {
        let queue = Queue { datasets: queue.datasets, running: queue.leased };
        Self { queue, unfinished: datasets.iter().map(Unfinished::new).collect() }
    }
}

impl Unfinished {
    fn new(dataset: &UnfinishedDataset) -> Self {
        let UnfinishedDataset { key: DatasetKey { workspace, dataset: id }, due_in, .. } = dataset;
        let PackageCounts { total, restored, failed } = dataset.packages;
        Self {
            workspace_id: workspace.0,
            dataset_id: id.0,
            status: status(dataset),
            orders: dataset.orders,
            total,
            restored,
            failed,
            bytes: dataset.bytes,
            since: format_time(dataset.since.into()),
            updated_at: format_time(dataset.updated_at.into()),
            attempts: dataset.attempts.unwrap_or_default(),
            due_in_seconds: due_in.map(|due_in| due_in.as_secs_f64()),
        }
    }
}

/// `queued`: a worker may take it. `waiting`: later. `unqueued`: no worker will, until maintenance puts it into the queue.
fn status(dataset: &UnfinishedDataset) -> &'static str {
    match dataset.due_in {
        _ if dataset.is_leased => "running",
        None => "unqueued",
        Some(due_in) if due_in.is_zero() => "queued",
        Some(_) => "waiting",
    }
}

/// The key that signs links.
#[derive(Serialize)]
pub(super) struct SigningKeyReport {
    id: String,
    /// In seconds, if it is known when the key was stored.
    age_seconds: Option<u64>,
    /// What is wrong with it, and what to do.
    warning: Option<&'static str>,
}

impl SigningKeyReport {
    pub(super) fn new(key: &KeyStatus, now: u64) -> Self {
        let age_seconds = key.changed_at.map(|changed_at| now.saturating_sub(changed_at));
        Self { id: key.id.to_string(), age_seconds, warning: key.key_match.warning() }
    }
}
