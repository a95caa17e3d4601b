//! The fields of a span or an event, encoded as JSON when they are recorded.

use std::{fmt, ops::Range};

use serde::ser::{Serialize, Serializer};
use tracing::{
    field::{Field, Visit},
    span::Attributes,
};

/// Room for the values of a span.
const USUAL_SPAN_BYTES: usize = 512;

/// Names and encoded values in the order of insertion. Names are unique.
///
/// All values are in one buffer: a span takes two allocations, and a log line copies bytes.
#[derive(Debug, Default)]
pub(crate) struct JsonFields {
    bytes: Vec<u8>,
    members: Vec<(&'static str, Range<usize>)>,
}

impl JsonFields {
    /// The initial fields of a span.
    pub(crate) fn from_attributes(attributes: &Attributes<'_>) -> Self {
        // As many as the span may ever have: later values do not make the list grow.
        let members = Vec::with_capacity(attributes.metadata().fields().len());
        let mut fields = Self { bytes: Vec::with_capacity(USUAL_SPAN_BYTES), members };
        attributes.record(&mut fields);
        fields
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.members.clear();
    }

    /// The memory that it keeps, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Names and their values in JSON.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.members.iter().map(|(name, range)| (*name, self.bytes.get(range.clone()).unwrap_or_default()))
    }

    /// Adds a field, or replaces its value. Nothing is added if the value cannot be encoded.
    fn insert(&mut self, field: &Field, value: &impl Serialize) {
        let start = self.bytes.len();
        if serde_json::to_writer(&mut self.bytes, value).is_err() {
            self.bytes.truncate(start);
            return;
        }
        let range = start..self.bytes.len();
        // A replaced value stays in the buffer unused, until the span ends.
        match self.members.iter_mut().find(|(known, _)| *known == field.name()) {
            Some((_, old)) => *old = range,
            None => self.members.push((field.name(), range)),
        }
    }
}

/// A value's `Debug` text, encoded without a copy.
struct DebugText<'a>(&'a dyn fmt::Debug);

impl Serialize for DebugText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

impl Visit for JsonFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, &DebugText(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, &value);
    }
}
