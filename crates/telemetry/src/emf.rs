//! Metrics in Lambda: lines of JSON on standard output, which CloudWatch turns into metrics (Amazon CloudWatch User
//! Guide, "Specification: Embedded metric format").
//!
//! Every combination of label values is a separate metric with its own price. Labels must have few values.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    io::{self, Write},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use serde_json::{Map, Value, json};

/// The specification's limits: a directive has at most 100 metrics, and a metric at most 100 values.
const MAX_PER_LINE: usize = 100;

/// The maximum number of histogram values that are kept between two flushes.
const MAX_HISTOGRAM_VALUES: usize = 10_000;

/// A recorder that collects metrics until the next [`flush`](Self::flush). Clones share their values.
#[derive(Clone)]
pub struct EmfRecorder {
    service: &'static str,
    namespace: Arc<str>,
    cells: Arc<Mutex<HashMap<Key, Arc<MetricCell>>>>,
    units: Arc<Mutex<HashMap<String, Unit>>>,
}

impl fmt::Debug for EmfRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmfRecorder").field("service", &self.service).finish_non_exhaustive()
    }
}

impl EmfRecorder {
    /// An empty recorder for a namespace in CloudWatch. The service's name is a member of each line, not a dimension.
    #[must_use]
    pub fn new(service: &'static str, namespace: &str) -> Self {
        Self { service, namespace: namespace.into(), cells: Arc::default(), units: Arc::default() }
    }

    /// Writes one line per set of dimensions with new values, or several if the values exceed the limits of a line.
    /// A counter writes its increase, a gauge its last value if it was set, a histogram all values.
    pub fn flush(&self, out: &mut impl Write, now: Duration) -> io::Result<()> {
        let mut lines = Vec::new();
        for (dimensions, metrics) in self.take_values() {
            for part in split_to_limits(metrics) {
                serde_json::to_writer(&mut lines, &self.build_line(&dimensions, &part, now))?;
                lines.push(b'\n');
            }
        }
        out.write_all(&lines)?;
        out.flush()
    }

    fn take_values(&self) -> BTreeMap<Dimensions, Vec<MetricValues>> {
        let mut sets: BTreeMap<Dimensions, Vec<MetricValues>> = BTreeMap::new();
        for (key, cell) in lock(&self.cells).iter() {
            let values = cell.take_values();
            if !values.is_empty() {
                sets.entry(build_dimensions(key)).or_default().push((key.name().to_owned(), values));
            }
        }
        sets
    }

    fn build_line(&self, dimensions: &Dimensions, metrics: &[MetricValues], now: Duration) -> Value {
        let mut line = Map::new();
        let names: Vec<&str> = dimensions.keys().map(String::as_str).collect();
        let definitions: Vec<Value> =
            metrics.iter().map(|(name, _)| json!({ "Name": name, "Unit": self.unit_name(name) })).collect();
        let directive =
            json!({ "Namespace": &*self.namespace, "Dimensions": [names], "Metrics": definitions });
        // Milliseconds: CloudWatch rejects other units.
        let timestamp = u64::try_from(now.as_millis()).unwrap_or_default();
        line.insert("_aws".to_owned(), json!({ "Timestamp": timestamp, "CloudWatchMetrics": [directive] }));
        line.insert("service".to_owned(), self.service.into());
        for (name, value) in dimensions {
            line.insert(name.clone(), value.as_str().into());
        }
        for (name, values) in metrics {
            // A single value is a number, several are an array.
            let value = if let [value] = values.as_slice() { json!(value) } else { json!(values) };
            line.insert(name.clone(), value);
        }
        line.into()
    }

    /// CloudWatch's name of the metric's unit. A metric without a description counts something.
    fn unit_name(&self, name: &str) -> &'static str {
        match lock(&self.units).get(name) {
            Some(Unit::Seconds) => "Seconds",
            Some(Unit::Bytes) => "Bytes",
            _ => "Count",
        }
    }

    fn find_or_add_cell(&self, key: &Key) -> Arc<MetricCell> {
        Arc::clone(lock(&self.cells).entry(key.clone()).or_default())
    }

    fn set_unit(&self, name: &KeyName, unit: Option<Unit>) {
        if let Some(unit) = unit {
            lock(&self.units).insert(name.as_str().to_owned(), unit);
        }
    }
}

/// Label names and values, which are CloudWatch's dimensions.
type Dimensions = BTreeMap<String, String>;

/// A metric's name and its values.
type MetricValues = (String, Vec<f64>);

/// The dimensions of a key. CloudWatch requires 1 to 1,024 characters in a dimension's value.
fn build_dimensions(key: &Key) -> Dimensions {
    let value = |text: &str| match text.trim() {
        "" => "none".to_owned(),
        text => text.chars().take(1024).collect(),
    };
    key.labels().map(|label| (label.key().to_owned(), value(label.value()))).collect()
}

/// Splits the metrics of one set of dimensions, so that no part exceeds the limits of a line.
fn split_to_limits(mut metrics: Vec<MetricValues>) -> Vec<Vec<MetricValues>> {
    metrics.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut chunks: Vec<(usize, MetricValues)> = Vec::new();
    for (name, values) in metrics {
        chunks.extend(values.chunks(MAX_PER_LINE).map(|some| (name.clone(), some.to_vec())).enumerate());
    }
    // A line can hold a metric only once, so the second chunk of each metric goes to a second line, and so on.
    chunks.sort_by_key(|(round, _)| *round);
    let rounds = chunks.chunk_by(|(one, _), (other, _)| one == other);
    rounds
        .flat_map(|round| round.chunks(MAX_PER_LINE))
        .map(|part| part.iter().map(|(_, values)| values.clone()).collect())
        .collect()
}

/// The values of one metric of any kind.
#[derive(Default)]
struct MetricCell(Mutex<MetricState>);

#[derive(Default)]
struct MetricState {
    /// A counter's total, and the part of it that has been flushed.
    total: u64,
    flushed: u64,
    /// A gauge's value, and whether it was set since the last flush.
    gauge: f64,
    is_gauge_set: bool,
    observed: Vec<f64>,
}

impl MetricCell {
    fn take_values(&self) -> Vec<f64> {
        let mut state = lock(&self.0);
        let mut values = mem::take(&mut state.observed);
        let increase = state.total - state.flushed;
        state.flushed = state.total;
        if increase > 0 {
            #[expect(clippy::cast_precision_loss, reason = "no counter reaches 2^53 between two flushes")]
            values.push(increase as f64);
        }
        if mem::take(&mut state.is_gauge_set) {
            values.push(state.gauge);
        }
        // CloudWatch rejects infinity and NaN, and JSON cannot express them.
        values.retain(|value| value.is_finite());
        values
    }

    fn update_gauge(&self, change: impl FnOnce(f64) -> f64) {
        let mut state = lock(&self.0);
        state.gauge = change(state.gauge);
        state.is_gauge_set = true;
    }
}

impl CounterFn for MetricCell {
    fn increment(&self, value: u64) {
        lock(&self.0).total += value;
    }

    fn absolute(&self, value: u64) {
        let mut state = lock(&self.0);
        state.total = state.total.max(value);
    }
}

impl GaugeFn for MetricCell {
    fn increment(&self, value: f64) {
        self.update_gauge(|old| old + value);
    }

    fn decrement(&self, value: f64) {
        self.update_gauge(|old| old - value);
    }

    fn set(&self, value: f64) {
        self.update_gauge(|_| value);
    }
}

impl HistogramFn for MetricCell {
    fn record(&self, value: f64) {
        let mut state = lock(&self.0);
        if state.observed.len() < MAX_HISTOGRAM_VALUES {
            state.observed.push(value);
        }
    }
}

impl Recorder for EmfRecorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.set_unit(&name, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.set_unit(&name, unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.set_unit(&name, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.find_or_add_cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.find_or_add_cell(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.find_or_add_cell(key))
    }
}

/// Locks even after a panic in another thread: single assignments cannot leave a cell inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flush_to_json(emf: &EmfRecorder) -> Vec<Value> {
        let mut out = Vec::new();
        emf.flush(&mut out, Duration::from_millis(1_767_200_000_123)).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Checks the rules of the specification.
    fn check_line(line: &Value) {
        assert!(line.to_string().len() <= 256 * 1024);
        assert!(line["_aws"]["Timestamp"].is_u64());
        let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        for directive in directives {
            assert!((1..=255).contains(&directive["Namespace"].as_str().unwrap().len()));
            let sets = directive["Dimensions"].as_array().unwrap();
            assert!(!sets.is_empty());
            for name in sets.iter().flat_map(|set| set.as_array().unwrap()) {
                assert!((1..=1024).contains(&line[name.as_str().unwrap()].as_str().unwrap().len()), "{name}");
            }
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!((1..=100).contains(&metrics.len()));
            for metric in metrics {
                assert!(["Seconds", "Bytes", "Count"].contains(&metric["Unit"].as_str().unwrap()));
                let target = &line[metric["Name"].as_str().unwrap()];
                let values = target.as_array().map_or(vec![target], |values| values.iter().collect());
                assert!((1..=100).contains(&values.len()) && values.iter().all(|value| value.is_number()));
            }
        }
    }

    #[test]
    fn writes_one_line_per_set_of_dimensions() {
        let emf = EmfRecorder::new("service", "Shop/dev");
        metrics::with_local_recorder(&emf, || {
            metrics::describe_gauge!("key_age_seconds", Unit::Seconds, "");
            metrics::describe_histogram!("visit_seconds", Unit::Seconds, "");
            metrics::counter!("visits_total", "route" => "/a", "status" => "200").increment(2);
            metrics::counter!("visits_total", "route" => "/a", "status" => "200").increment(1);
            metrics::histogram!("visit_seconds", "route" => "/a").record(0.25);
            metrics::counter!("queries_total").increment(4);
            metrics::gauge!("key_age_seconds").set(60.0);
        });
        let lines = flush_to_json(&emf);
        lines.iter().for_each(check_line);
        assert_eq!(
            lines[0],
            json!({
                "_aws": {
                    "Timestamp": 1_767_200_000_123_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Shop/dev",
                        "Dimensions": [[]],
                        "Metrics": [
                            { "Name": "key_age_seconds", "Unit": "Seconds" },
                            { "Name": "queries_total", "Unit": "Count" },
                        ],
                    }],
                },
                "service": "service",
                "key_age_seconds": 60.0,
                "queries_total": 4.0,
            })
        );
        assert_eq!(lines[1]["visit_seconds"], 0.25);
        assert_eq!((&lines[2]["visits_total"], &lines[2]["status"]), (&json!(3.0), &json!("200")));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn units_come_from_descriptions() {
        let emf = EmfRecorder::new("service", "Shop/dev");
        metrics::with_local_recorder(&emf, || {
            metrics::describe_counter!("sent_bytes_total", Unit::Bytes, "");
            metrics::describe_gauge!("age", Unit::Seconds, "");
            metrics::describe_histogram!("size", Unit::Bytes, "");
            metrics::counter!("sent_bytes_total").absolute(7);
            metrics::gauge!("age").set(1.0);
            metrics::gauge!("other").set(1.0);
            metrics::histogram!("size").record(1.0);
        });
        let line = flush_to_json(&emf).remove(0);
        let units = |name: &str| {
            let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
            metrics.iter().find(|metric| metric["Name"] == name).unwrap()["Unit"].clone()
        };
        assert_eq!(
            ["sent_bytes_total", "age", "size", "other"].map(units),
            ["Bytes", "Seconds", "Bytes", "Count"]
        );
        assert_eq!(line["sent_bytes_total"], 7.0);
        assert!(format!("{emf:?}").contains("service"));
    }

    #[test]
    fn keeps_a_bounded_number_of_histogram_values() {
        let emf = EmfRecorder::new("service", "Shop/dev");
        metrics::with_local_recorder(&emf, || {
            let histogram = metrics::histogram!("size");
            (0..=MAX_HISTOGRAM_VALUES).for_each(|_| histogram.record(1.0));
        });
        let lines = flush_to_json(&emf);
        let values: usize = lines.iter().map(|line| line["size"].as_array().unwrap().len()).sum();
        assert_eq!(values, MAX_HISTOGRAM_VALUES);
    }

    #[test]
    fn writes_only_new_values() {
        let emf = EmfRecorder::new("service", "Shop/dev");
        metrics::with_local_recorder(&emf, || {
            metrics::counter!("jobs_total", "outcome" => "done").increment(2);
            metrics::gauge!("depth").increment(2.0);
        });
        assert_eq!(flush_to_json(&emf).len(), 2);
        assert!(flush_to_json(&emf).is_empty());
        metrics::with_local_recorder(&emf, || {
            metrics::counter!("jobs_total", "outcome" => "done").increment(1);
            metrics::gauge!("depth").decrement(0.5);
        });
        let lines = flush_to_json(&emf);
        assert_eq!((&lines[0]["depth"], &lines[1]["jobs_total"]), (&json!(1.5), &json!(1.0)));
    }

    #[test]
    fn splits_many_values_over_several_lines() {
        let emf = EmfRecorder::new("service", "Shop/dev");
        metrics::with_local_recorder(&emf, || {
            (0..250_u32).for_each(|value| metrics::histogram!("job_items").record(value));
            metrics::histogram!("job_items").record(f64::NAN);
            (0..130).for_each(|number| metrics::counter!(format!("number_{number}_total")).increment(1));
        });
        let lines = flush_to_json(&emf);
        lines.iter().for_each(check_line);
        let values = lines.iter().filter_map(|line| line["job_items"].as_array()).flatten();
        assert_eq!(values.clone().count(), 250);
        assert!((values.map(|value| value.as_f64().unwrap()).sum::<f64>() - 31_125.0).abs() < 1e-9);
        let counters = lines.iter().flat_map(|line| line.as_object().unwrap().keys());
        assert_eq!(counters.filter(|name| name.starts_with("number_")).count(), 130);
    }

    #[test]
    fn makes_valid_dimensions_of_labels() {
        let emf = EmfRecorder::new("service", "Shop/dev");
        metrics::with_local_recorder(&emf, || {
            metrics::counter!("a_total", "empty" => "", "long" => "x".repeat(3000)).increment(1);
        });
        let lines = flush_to_json(&emf);
        check_line(&lines[0]);
        assert_eq!(lines[0]["empty"], "none");
    }

    #[test]
    fn counts_exactly_once_across_threads() {
        let emf = EmfRecorder::new("service", "Shop/dev");
        let sum = std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    metrics::with_local_recorder(&emf, || {
                        (0..1000).for_each(|_| metrics::counter!("n_total").increment(1));
                    });
                });
            }
            (0..50).flat_map(|_| flush_to_json(&emf)).filter_map(|line| line["n_total"].as_f64()).sum::<f64>()
        });
        let rest: f64 = flush_to_json(&emf).iter().filter_map(|line| line["n_total"].as_f64()).sum();
        assert!((sum + rest - 4000.0).abs() < 1e-9);
    }
}
