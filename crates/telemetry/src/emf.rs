//! Metrics in AWS: lines of JSON on standard output, from which CloudWatch takes them (Amazon CloudWatch User Guide,
//! "Specification: Embedded metric format").
//!
//! Every combination of labels is a metric of its own, with a price: labels must have few values.

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

/// What the namespace of our metrics in CloudWatch begins with; the environment's name follows.
const NAMESPACE: &str = "PackagesService";

/// A directive has at most so many metrics, and a metric at most so many values.
const MOST: usize = 100;

/// What is kept of a histogram that nobody asks for.
const KEPT: usize = 10_000;

/// A recorder that keeps what was counted since the last [`flush`](Self::flush). Copies share it.
#[derive(Clone)]
pub struct Emf {
    service: &'static str,
    namespace: Arc<str>,
    cells: Arc<Mutex<HashMap<Key, Arc<Cell>>>>,
}

impl fmt::Debug for Emf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emf").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Emf {
    /// Nothing is counted yet. The namespace is `PackagesService/{environment}`, since an account may have several. The
    /// service's name is a member of each line, and no dimension.
    #[must_use]
    pub fn new(service: &'static str, environment: &str) -> Self {
        Self { service, namespace: format!("{NAMESPACE}/{environment}").into(), cells: Arc::default() }
    }

    /// Writes one line for each set of dimensions that has news, or several if it has more than a line may hold.
    /// Counters tell what was added, gauges their last value if they were set, histograms all values.
    pub fn flush(&self, out: &mut impl Write, now: Duration) -> io::Result<()> {
        let mut lines = Vec::new();
        for (dimensions, metrics) in self.take() {
            for part in parts(metrics) {
                serde_json::to_writer(&mut lines, &self.line(&dimensions, &part, now))?;
                lines.push(b'\n');
            }
        }
        out.write_all(&lines)?;
        out.flush()
    }

    fn take(&self) -> BTreeMap<Dimensions, Vec<Values>> {
        let mut sets: BTreeMap<Dimensions, Vec<Values>> = BTreeMap::new();
        for (key, cell) in lock(&self.cells).iter() {
            let values = cell.take();
            if !values.is_empty() {
                sets.entry(dimensions(key)).or_default().push((key.name().to_owned(), values));
            }
        }
        sets
    }

    fn line(&self, dimensions: &Dimensions, metrics: &[Values], now: Duration) -> Value {
        let mut line = Map::new();
        let names: Vec<&str> = dimensions.keys().map(String::as_str).collect();
        let definitions: Vec<Value> =
            metrics.iter().map(|(name, _)| json!({ "Name": name, "Unit": unit(name) })).collect();
        let directive =
            json!({ "Namespace": &*self.namespace, "Dimensions": [names], "Metrics": definitions });
        let timestamp = u64::try_from(now.as_millis()).unwrap_or_default();
        line.insert("_aws".to_owned(), json!({ "Timestamp": timestamp, "CloudWatchMetrics": [directive] }));
        line.insert("service".to_owned(), self.service.into());
        for (name, value) in dimensions {
            line.insert(name.clone(), value.as_str().into());
        }
        for (name, values) in metrics {
            let value = if let [value] = values.as_slice() { json!(value) } else { json!(values) };
            line.insert(name.clone(), value);
        }
        line.into()
    }

    fn cell(&self, key: &Key) -> Arc<Cell> {
        Arc::clone(lock(&self.cells).entry(key.clone()).or_default())
    }
}

/// Labels by name: the dimensions that metrics share.
type Dimensions = BTreeMap<String, String>;

/// A metric's name and its values.
type Values = (String, Vec<f64>);

/// A dimension's value has 1 to 1,024 characters.
fn dimensions(key: &Key) -> Dimensions {
    let value = |text: &str| match text.trim() {
        "" => "none".to_owned(),
        text => text.chars().take(1024).collect(),
    };
    key.labels().map(|label| (label.key().to_owned(), value(label.value()))).collect()
}

/// Cuts a set's metrics up, so that no part has too many of them or too many values of one.
fn parts(mut metrics: Vec<Values>) -> Vec<Vec<Values>> {
    metrics.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut pieces: Vec<(usize, Values)> = Vec::new();
    for (name, values) in metrics {
        pieces.extend(values.chunks(MOST).map(|some| (name.clone(), some.to_vec())).enumerate());
    }
    pieces.sort_by_key(|(round, _)| *round);
    let rounds = pieces.chunk_by(|(one, _), (other, _)| one == other);
    rounds
        .flat_map(|round| round.chunks(MOST))
        .map(|part| part.iter().map(|(_, values)| values.clone()).collect())
        .collect()
}

/// By the convention of Prometheus that a name ends with its unit. What has none counts something.
fn unit(name: &str) -> &'static str {
    match name.rsplit('_').next() {
        Some("seconds") => "Seconds",
        Some("bytes") => "Bytes",
        _ => "Count",
    }
}

/// One metric, of whichever kind.
#[derive(Default)]
struct Cell(Mutex<State>);

#[derive(Default)]
struct State {
    /// What a counter has counted, and how much of it has been told.
    counted: u64,
    told: u64,
    /// A gauge's value, and whether it was set since it was told.
    value: f64,
    is_set: bool,
    observed: Vec<f64>,
}

impl Cell {
    fn take(&self) -> Vec<f64> {
        let mut state = lock(&self.0);
        let mut values = mem::take(&mut state.observed);
        let news = state.counted - state.told;
        state.told = state.counted;
        if news > 0 {
            #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^53 between two flushes")]
            values.push(news as f64);
        }
        if mem::take(&mut state.is_set) {
            values.push(state.value);
        }
        // CloudWatch takes no infinity, and JSON has none.
        values.retain(|value| value.is_finite());
        values
    }

    fn set(&self, change: impl FnOnce(f64) -> f64) {
        let mut state = lock(&self.0);
        state.value = change(state.value);
        state.is_set = true;
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        lock(&self.0).counted += value;
    }

    fn absolute(&self, value: u64) {
        let mut state = lock(&self.0);
        state.counted = state.counted.max(value);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.set(|old| old + value);
    }

    fn decrement(&self, value: f64) {
        self.set(|old| old - value);
    }

    fn set(&self, value: f64) {
        self.set(|_| value);
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        let mut state = lock(&self.0);
        if state.observed.len() < KEPT {
            state.observed.push(value);
        }
    }
}

impl Recorder for Emf {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.cell(key))
    }
}

/// What a thread that panicked had locked is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flushed(emf: &Emf) -> Vec<Value> {
        let mut out = Vec::new();
        emf.flush(&mut out, Duration::from_millis(1_767_200_000_123)).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the specification demands of a document.
    fn check(line: &Value) {
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
    fn a_set_of_dimensions_is_a_line() {
        let emf = Emf::new("service", "dev");
        metrics::with_local_recorder(&emf, || {
            metrics::counter!("requests_total", "route" => "/a", "status" => "200").increment(2);
            metrics::counter!("requests_total", "route" => "/a", "status" => "200").increment(1);
            metrics::histogram!("request_seconds", "route" => "/a").record(0.25);
            metrics::counter!("statements_total").increment(4);
            metrics::gauge!("signing_key_age_seconds").set(60.0);
        });
        let lines = flushed(&emf);
        lines.iter().for_each(check);
        assert_eq!(
            lines[0],
            json!({
                "_aws": {
                    "Timestamp": 1_767_200_000_123_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "PackagesService/dev",
                        "Dimensions": [[]],
                        "Metrics": [
                            { "Name": "signing_key_age_seconds", "Unit": "Seconds" },
                            { "Name": "statements_total", "Unit": "Count" },
                        ],
                    }],
                },
                "service": "service",
                "signing_key_age_seconds": 60.0,
                "statements_total": 4.0,
            })
        );
        assert_eq!(lines[1]["request_seconds"], 0.25);
        assert_eq!((&lines[2]["requests_total"], &lines[2]["status"]), (&json!(3.0), &json!("200")));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let emf = Emf::new("service", "dev");
        metrics::with_local_recorder(&emf, || {
            metrics::counter!("restores_total", "outcome" => "done").increment(2);
            metrics::gauge!("depth").increment(2.0);
        });
        assert_eq!(flushed(&emf).len(), 2);
        assert!(flushed(&emf).is_empty());
        metrics::with_local_recorder(&emf, || {
            metrics::counter!("restores_total", "outcome" => "done").increment(1);
            metrics::gauge!("depth").decrement(0.5);
        });
        let lines = flushed(&emf);
        assert_eq!((&lines[0]["depth"], &lines[1]["restores_total"]), (&json!(1.5), &json!(1.0)));
    }

    #[test]
    fn many_values_take_several_lines_and_none_is_lost() {
        let emf = Emf::new("service", "dev");
        metrics::with_local_recorder(&emf, || {
            (0..250_u32).for_each(|value| metrics::histogram!("restored_packages").record(value));
            metrics::histogram!("restored_packages").record(f64::NAN);
            (0..130).for_each(|number| metrics::counter!(format!("number_{number}_total")).increment(1));
        });
        let lines = flushed(&emf);
        lines.iter().for_each(check);
        let values = lines.iter().filter_map(|line| line["restored_packages"].as_array()).flatten();
        assert_eq!(values.clone().count(), 250);
        assert!((values.map(|value| value.as_f64().unwrap()).sum::<f64>() - 31_125.0).abs() < 1e-9);
        let counters = lines.iter().flat_map(|line| line.as_object().unwrap().keys());
        assert_eq!(counters.filter(|name| name.starts_with("number_")).count(), 130);
    }

    #[test]
    fn a_label_is_made_a_dimension_that_cloudwatch_takes() {
        let emf = Emf::new("service", "dev");
        metrics::with_local_recorder(&emf, || {
            metrics::counter!("a_total", "empty" => "", "long" => "x".repeat(3000)).increment(1);
        });
        let lines = flushed(&emf);
        check(&lines[0]);
        assert_eq!(lines[0]["empty"], "none");
    }

    #[test]
    fn nothing_is_counted_twice_or_lost_between_threads() {
        let emf = Emf::new("service", "dev");
        let sum = std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    metrics::with_local_recorder(&emf, || {
                        (0..1000).for_each(|_| metrics::counter!("n_total").increment(1));
                    });
                });
            }
            (0..50).flat_map(|_| flushed(&emf)).filter_map(|line| line["n_total"].as_f64()).sum::<f64>()
        });
        let rest: f64 = flushed(&emf).iter().filter_map(|line| line["n_total"].as_f64()).sum();
        assert!((sum + rest - 4000.0).abs() < 1e-9);
    }
}
