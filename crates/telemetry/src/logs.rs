//! The log: one flat JSON object per line.
//!
//! The JSON formatter of `tracing-subscriber` nests: it shows either the innermost span, without the request's id, or a
//! list of spans. Here the fields of an event and of all spans around it are members of one object. If two fields have
//! the same name, the innermost one wins.

use std::{
    borrow::Cow,
    cell::Cell,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use tracing::{
    Event, Level, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    filter::{FilterExt, LevelFilter, Targets, filter_fn},
    fmt::MakeWriter,
    layer::{Context, Filter, Layer},
    registry::{Extensions, LookupSpan, Scope, SpanRef},
};

use crate::{
    TraceHeader,
    clock::{Clock, system_clock},
    json_fields::JsonFields,
};

/// RFC 3339, to the millisecond.
const TIMESTAMP_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The filter of the log layer. It must not filter the whole registry, because traces need their spans.
///
/// Root spans always pass. Step spans pass only if the filter names them. Events below `INFO` pass only from
/// `own_targets`, whatever the filter says: AWS's signers and HTTP clients log whole requests there.
#[must_use]
pub fn log_filter<S>(text: &str, own_targets: &'static [&'static str]) -> impl Filter<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + 'static,
{
    let text = if text.trim().is_empty() { "info" } else { text };
    let is_allowed =
        filter_fn(move |metadata| *metadata.level() <= Level::INFO || is_own(metadata, own_targets));
    FilterExt::<S>::and(parse_levels(text), is_allowed)
}

/// Parses levels, each for all targets or for one: `warn,audit=info`. An invalid one is ignored, since it must not keep a host
/// from starting.
fn parse_levels(text: &str) -> Targets {
    let first = Targets::new()
        .with_target(crate::STEP_SPAN_TARGET, LevelFilter::OFF)
        .with_target(crate::ROOT_SPAN_TARGET, LevelFilter::ERROR);
    let levels = text.split(',').map(str::trim).filter(|level| !level.is_empty());
    let levels = levels.filter_map(|level| level.parse::<Targets>().ok());
    levels.fold(first, |all, one| match one.default_level() {
        Some(level) => all.with_default(level),
        None => all.with_targets(one),
    })
}

fn is_own(metadata: &Metadata<'_>, own_targets: &[&str]) -> bool {
    let target = metadata.target();
    let name = target.split_once("::").map_or(target, |(name, _)| name);
    own_targets.contains(&name) || name.split('.').next() == Some(crate::STEP_SPAN_TARGET)
}

/// A layer that writes the log.
#[derive(Debug)]
pub struct JsonLayer<W> {
    writer: W,
    clock: Clock,
    cold_start: Arc<AtomicBool>,
}

impl<W> JsonLayer<W> {
    /// A layer that writes to `writer`. Lines have `"coldStart": true` while `cold_start` is true.
    pub fn new(writer: W, cold_start: &Arc<AtomicBool>) -> Self {
        Self { writer, clock: system_clock, cold_start: Arc::clone(cold_start) }
    }
}

/// The fields of a span, stored in its extensions.
struct SpanFields(JsonFields);

impl<S, W> Layer<S> for JsonLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id) {
            span.extensions_mut().insert(SpanFields(JsonFields::from_attributes(attributes)));
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(SpanFields(fields)) = span.extensions_mut().get_mut() {
            record.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        // Taken and not borrowed: what writes the line may log itself.
        let mut buffers = LINE_BUFFERS.take();
        buffers.clear();
        let LineBuffers { event_fields, line } = &mut buffers;
        event.record(event_fields);
        let spans: Vec<_> = ctx.event_scope(event).into_iter().flat_map(Scope::from_root).collect();
        let extensions: Vec<_> = spans.iter().map(SpanRef::extensions).collect();
        let mut fields = LineFields { message: None, members: Vec::with_capacity(USUAL_FIELDS) };
        // From the outermost span inwards, so that inner fields replace outer ones.
        for SpanFields(span_fields) in extensions.iter().filter_map(Extensions::get) {
            fields.merge(span_fields);
        }
        fields.merge(event_fields);
        self.format_line(line, event.metadata(), &fields);
        // One call, so that lines of several threads do not mix. A failure cannot be logged.
        let _ = self.writer.make_writer_for(event.metadata()).write_all(line);
        if buffers.capacity() <= MAX_KEPT_BYTES {
            LINE_BUFFERS.set(buffers);
        }
    }
}

impl<W> JsonLayer<W> {
    fn format_line(&self, line: &mut Vec<u8>, metadata: &Metadata<'_>, fields: &LineFields<'_>) {
        // The level and the target are literals in the code, which need no escapes.
        line.extend_from_slice(b"{\"timestamp\":\"");
        write_timestamp(line, (self.clock)());
        for part in ["\",\"level\":\"", metadata.level().as_str(), "\",\"message\":"] {
            line.extend_from_slice(part.as_bytes());
        }
        line.extend_from_slice(fields.message.unwrap_or(b"null"));
        for part in [",\"target\":\"", metadata.target(), "\""] {
            line.extend_from_slice(part.as_bytes());
        }
        if self.cold_start.load(Relaxed) {
            line.extend_from_slice(b",\"coldStart\":true");
        }
        for (name, value) in &fields.members {
            for part in [b",\"", name.as_bytes(), b"\":", value] {
                line.extend_from_slice(part);
            }
        }
        line.extend_from_slice(b"}\n");
    }
}

/// The largest buffers that a thread keeps for its next line, in bytes.
const MAX_KEPT_BYTES: usize = 16 * 1024;

/// What a thread needs for one line.
#[derive(Default)]
struct LineBuffers {
    event_fields: JsonFields,
    line: Vec<u8>,
}

impl LineBuffers {
    fn clear(&mut self) {
        self.event_fields.clear();
        self.line.clear();
    }

    fn capacity(&self) -> usize {
        self.event_fields.capacity() + self.line.capacity()
    }
}

thread_local! {
    static LINE_BUFFERS: Cell<LineBuffers> = Cell::default();
}

/// Room for the members of most lines.
const USUAL_FIELDS: usize = 24;

/// The members of a line that are fields, and their values in JSON.
struct LineFields<'a> {
    message: Option<&'a [u8]>,
    /// The others, in the order of insertion. Names are unique.
    members: Vec<(&'static str, Cow<'a, [u8]>)>,
}

impl<'a> LineFields<'a> {
    fn merge(&mut self, fields: &'a JsonFields) {
        for (name, value) in fields.iter() {
            match name {
                "message" => self.message = Some(value),
                "request_id" => self.insert("requestId", Cow::Borrowed(value)),
                "trace_id" => self.insert("traceId", Cow::Borrowed(value)),
                // The span of Lambda's runtime has the whole tracing header.
                "xrayTraceId" => {
                    if let Some(id) = encode_trace_id(value) {
                        self.insert("traceId", Cow::Owned(id));
                    }
                }
                // Every line has the first four: a field cannot replace them. The others are for the trace only.
                "timestamp" | "level" | "target" | "coldStart" | "parent_id" | "segment_id" | "kind" => {}
                _ => self.insert(name, Cow::Borrowed(value)),
            }
        }
    }

    /// Adds a member, or replaces its value.
    fn insert(&mut self, name: &'static str, value: Cow<'a, [u8]>) {
        match self.members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.members.push((name, value)),
        }
    }
}

/// Reads a tracing header in JSON, and returns its trace id in JSON.
fn encode_trace_id(header: &[u8]) -> Option<Vec<u8>> {
    let header: Cow<'_, str> = serde_json::from_slice(header).ok()?;
    serde_json::to_vec(&TraceHeader::parse(&header)?.root).ok()
}

/// Writes a time as text.
fn write_timestamp(line: &mut Vec<u8>, time: Duration) {
    // It fails only after the year 9999.
    let _ = (OffsetDateTime::UNIX_EPOCH + time).format_into(line, TIMESTAMP_FORMAT);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};
    use tracing::{Dispatch, dispatcher::DefaultGuard, field::Empty, subscriber::NoSubscriber};
    use tracing_subscriber::{Registry, layer::SubscriberExt};

    use super::*;

    const OWN_TARGETS: &[&str] = &["shop"];

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn json(&self) -> Vec<Value> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    /// Sets a subscriber for this thread. With only one dispatcher, tracing would cache its interest for all threads, so
    /// a second one without interest is kept, too.
    fn capture_log(filter: &str, cold_start: bool) -> (Lines, (DefaultGuard, Dispatch)) {
        let lines = Lines::default();
        let writer = lines.clone();
        let json = JsonLayer {
            writer: move || writer.clone(),
            clock: || Duration::from_millis(1_767_200_000_123),
            cold_start: Arc::new(AtomicBool::new(cold_start)),
        };
        let subscriber = Registry::default().with(json.with_filter(log_filter(filter, OWN_TARGETS)));
        let uninterested = Dispatch::new(NoSubscriber::default());
        (lines, (tracing::dispatcher::set_default(&subscriber.into()), uninterested))
    }

    #[test]
    fn a_line_is_flat_and_the_innermost_value_wins() {
        let (lines, _guard) = capture_log("info", true);
        let outer = tracing::error_span!(
            target: "trace.root", "request",
            request_id = "r-1", trace_id = "1-a-b", parent_id = "p", segment_id = "s", user = Empty, step = 1,
        );
        outer.record("user", "N:user:7");
        let _outer = outer.enter();
        let _inner = tracing::info_span!(target: "shop", "inner", step = 2).entered();
        tracing::info!(target: "shop", ok = true, size = 1.5, step = 3_u64, delta = -1, "it is \"done\"");
        assert_eq!(
            lines.json(),
            [json!({
                "timestamp": "2025-12-31T16:53:20.123Z",
                "level": "INFO",
                "message": "it is \"done\"",
                "target": "shop",
                "coldStart": true,
                "requestId": "r-1",
                "traceId": "1-a-b",
                "user": "N:user:7",
                "step": 3,
                "ok": true,
                "size": 1.5,
                "delta": -1,
            })]
        );
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(
            text.starts_with(r#"{"timestamp":"2025-12-31T16:53:20.123Z","level":"INFO","message":"#),
            "{text}"
        );
    }

    #[test]
    fn takes_the_ids_of_lambdas_runtime() {
        let (lines, _guard) = capture_log("info", false);
        let header = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
        let _invocation = tracing::info_span!(
            target: "lambda_runtime::layers::trace", "Lambda runtime invoke",
            requestId = "i-1", xrayTraceId = header,
        )
        .entered();
        tracing::info!(target: "shop", "outside a request");
        let _request = tracing::error_span!(target: "trace.root", "request", request_id = "r-1").entered();
        tracing::info!(target: "shop", "within");
        let lines = lines.json();
        assert_eq!((&lines[0]["requestId"], &lines[1]["requestId"]), (&json!("i-1"), &json!("r-1")));
        assert_eq!(lines[1]["traceId"], "1-67891233-abcdef012345678912345678");
        assert_eq!(lines[1].get("coldStart"), None);
    }

    #[test]
    fn has_ids_under_every_filter() {
        for filter in ["error", "warn", "", "debug", "shop=error", "info,shop=error"] {
            let (lines, _guard) = capture_log(filter, false);
            let _request =
                tracing::error_span!(target: "trace.root", "request", request_id = "r-1").entered();
            let _step = tracing::info_span!(target: "trace", "postgres", operation = "select").entered();
            tracing::error!(target: "shop", "it failed");
            let lines = lines.json();
            assert_eq!((lines.len(), &lines[0]["requestId"]), (1, &json!("r-1")), "{filter}");
            assert_eq!(lines[0].get("operation"), None, "{filter}");
        }
    }

    #[test]
    fn a_filter_has_levels_for_all_targets_and_for_one() {
        for (filter, passing) in [
            ("info", "shop INFO, shop WARN, audit INFO, audit WARN"),
            ("", "shop INFO, shop WARN, audit INFO, audit WARN"),
            ("warn,audit=info", "shop WARN, audit INFO, audit WARN"),
            ("audit=info, warn ,", "shop WARN, audit INFO, audit WARN"),
            ("shop=warn", "shop WARN"),
            ("off", ""),
            ("loud=very,shop=info,=", "shop INFO, shop WARN"),
        ] {
            let (lines, _guard) = capture_log(filter, false);
            tracing::info!(target: "shop", "it happened");
            tracing::warn!(target: "shop", "it happened");
            tracing::info!(target: "audit", "it happened");
            tracing::warn!(target: "audit", "it happened");
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let found: Vec<String> =
                lines.json().iter().map(|line| text(&line["target"]) + " " + &text(&line["level"])).collect();
            assert_eq!(found.join(", "), passing, "{filter}");
        }
    }

    #[test]
    fn never_logs_details_of_other_crates() {
        for filter in ["trace", "trace,hyper=trace", "aws_sigv4=trace", "debug"] {
            let (lines, _guard) = capture_log(filter, false);
            tracing::trace!(target: "aws_sigv4::http_request", "GET /?X-Amz-Signature=hunter2");
            tracing::debug!(target: "hyper::proto", "hunter2");
            tracing::debug!(target: "tokio_postgres::query", "hunter2");
            tracing::debug!(target: "shop::cart", "of an own target");
            let lines = lines.json();
            assert!(!json!(lines).to_string().contains("hunter2"), "{filter}");
            assert_eq!(lines.len(), usize::from(!filter.starts_with("aws")), "{filter}");
        }
    }

    #[test]
    fn a_field_cannot_replace_a_reserved_one() {
        let (lines, _guard) = capture_log("info", false);
        tracing::info!(target: "shop", level = "ERROR", timestamp = 0, coldStart = true, "odd");
        let line = &lines.json()[0];
        assert_eq!((&line["level"], &line["message"]), (&json!("INFO"), &json!("odd")));
        assert_eq!((line["timestamp"].is_string(), line.get("coldStart")), (true, None));
    }
}
