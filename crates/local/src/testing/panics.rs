//! Panics on purpose, in the code under test.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// A recorder of metrics that panics when one of them is recorded.
#[derive(Debug)]
pub struct PanickingRecorder {
    metric: &'static str,
    has_panicked: AtomicBool,
}

impl PanickingRecorder {
    /// A recorder that panics at the metric with this name.
    #[must_use]
    pub fn new(metric: &'static str) -> Self {
        Self { metric, has_panicked: AtomicBool::new(false) }
    }

    /// Whether the metric was recorded since the recorder was made.
    #[must_use]
    pub fn has_panicked(&self) -> bool {
        self.has_panicked.load(Relaxed)
    }

    fn check(&self, key: &Key) {
        if key.name() == self.metric {
            self.has_panicked.store(true, Relaxed);
        }
        assert_ne!(key.name(), self.metric, "a panic on purpose");
    }
}

impl Recorder for PanickingRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.check(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.check(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.check(key);
        Histogram::noop()
    }
}
