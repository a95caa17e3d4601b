//! The log: one flat JSON object a line.
//!
//! The formatter that comes with `tracing-subscriber` nests: of a span within a request's span it shows either the inner
//! one, and loses the request's id, or a list. Here the fields of all spans that an event is in, and its own, are
//! members of one object; where two have the same name, the innermost is meant.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use tracing::{
    Event, Level, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    EnvFilter,
    filter::{FilterExt, filter_fn},
    fmt::MakeWriter,
    layer::{Context, Filter, Layer},
    registry::{LookupSpan, Scope},
};

use crate::{
    TraceHeader,
    clock::{self, Clock},
    fields::Fields,
};

/// RFC 3339, to the millisecond.
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// What every line has; a field cannot take its place.
const OWN: [&str; 5] = ["timestamp", "level", "message", "target", "coldStart"];

/// The crates of this workspace, and the targets that are not a crate's name.
const OURS: [&str; 15] = [
    "api",
    "audit",
    "authorize",
    "authorizer",
    "hosting",
    "lambda",
    "local",
    "packages",
    "packages_service",
    "panic",
    "restore",
    "server",
    "service",
    "signing",
    "telemetry",
];

/// What goes to the log, for a layer to be filtered by. On the registry itself it would take the spans of traces away,
/// too.
///
/// Root spans pass however little is logged, and the steps of a trace only if the filter names them. From other crates
/// nothing below `INFO` passes, whatever the filter says: what AWS's signers and HTTP clients tell there holds whole
/// requests.
#[must_use]
pub fn filter<S>(text: &str) -> impl Filter<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + 'static,
{
    let text = if text.trim().is_empty() { "info" } else { text };
    let filter = EnvFilter::builder().parse_lossy(format!("trace=off,trace.root=error,{text}"));
    FilterExt::<S>::and(filter, filter_fn(|metadata| *metadata.level() <= Level::INFO || is_ours(metadata)))
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let name = target.split_once("::").map_or(target, |(name, _)| name);
    OURS.contains(&name) || name.split('.').next() == Some(crate::STEP_TARGET)
}

/// A layer that writes the log.
#[derive(Debug)]
pub struct Json<W> {
    writer: W,
    clock: Clock,
    cold: Arc<AtomicBool>,
}

impl<W> Json<W> {
    /// Each line has `coldStart` while `cold` is true.
    pub fn new(writer: W, cold: &Arc<AtomicBool>) -> Self {
        Self { writer, clock: clock::system, cold: Arc::clone(cold) }
    }
}

/// The fields of a span, kept with it.
struct OfSpan(Fields);

impl<S, W> Layer<S> for Json<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id) {
            span.extensions_mut().insert(OfSpan(Fields::of(attributes)));
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(OfSpan(fields)) = span.extensions_mut().get_mut() {
            record.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut line = Fields::default();
        for span in ctx.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(OfSpan(fields)) = span.extensions().get() {
                merge(&mut line, fields);
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        merge(&mut line, &fields);
        let cold = self.cold.load(Relaxed);
        let line = Line { metadata: event.metadata(), time: (self.clock)(), cold, fields: &line };
        write(self.writer.make_writer_for(event.metadata()), &line);
    }
}

/// In one piece, so that lines of several threads do not mix. Nobody could be told if it fails.
fn write(mut writer: impl Write, line: &Line<'_>) {
    let mut bytes = Vec::with_capacity(512);
    if serde_json::to_writer(&mut bytes, line).is_ok() {
        bytes.push(b'\n');
        let _ = writer.write_all(&bytes);
    }
}

fn merge(line: &mut Fields, fields: &Fields) {
    for (name, value) in fields.iter() {
        match name {
            "request_id" => line.put("requestId", value.clone()),
            "trace_id" => line.put("traceId", value.clone()),
            // The runtime's span in Lambda has the whole header.
            "xrayTraceId" => {
                if let Some(header) = value.as_str().and_then(TraceHeader::parse) {
                    line.put("traceId", header.root.into());
                }
            }
            // For the trace, not for readers.
            "parent_id" | "segment_id" | "kind" => {}
            _ => line.put(name, value.clone()),
        }
    }
}

struct Line<'a> {
    metadata: &'a Metadata<'a>,
    time: Duration,
    cold: bool,
    fields: &'a Fields,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &timestamp(self.time))?;
        map.serialize_entry("level", self.metadata.level().as_str())?;
        map.serialize_entry("message", self.fields.get("message").unwrap_or(&Value::Null))?;
        map.serialize_entry("target", self.metadata.target())?;
        if self.cold {
            map.serialize_entry("coldStart", &true)?;
        }
        for (name, value) in self.fields.iter().filter(|(name, _)| !OWN.contains(name)) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn timestamp(time: Duration) -> String {
    (OffsetDateTime::UNIX_EPOCH + time).format(TIMESTAMP).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use tracing::{Dispatch, dispatcher::DefaultGuard, field::Empty, subscriber::NoSubscriber};
    use tracing_subscriber::{Registry, layer::SubscriberExt};

    use super::*;

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

    /// The second dispatcher hears nothing: with one only, tracing caches what the first thread's is interested in.
    fn log(filter: &str, cold: bool) -> (Lines, (DefaultGuard, Dispatch)) {
        let lines = Lines::default();
        let writer = lines.clone();
        let json = Json {
            writer: move || writer.clone(),
            clock: || Duration::from_millis(1_767_200_000_123),
            cold: Arc::new(AtomicBool::new(cold)),
        };
        let subscriber = Registry::default().with(json.with_filter(super::filter(filter)));
        let deaf = Dispatch::new(NoSubscriber::default());
        (lines, (tracing::dispatcher::set_default(&subscriber.into()), deaf))
    }

    #[test]
    fn a_line_is_flat_and_the_innermost_value_is_meant() {
        let (lines, _guard) = log("info", true);
        let outer = tracing::error_span!(
            target: "trace.root", "request",
            request_id = "r-1", trace_id = "1-a-b", parent_id = "p", segment_id = "s", user = Empty, step = 1,
        );
        outer.record("user", "N:user:7");
        let _outer = outer.enter();
        let _inner = tracing::info_span!(target: "packages", "inner", step = 2).entered();
        tracing::info!(target: "packages", ok = true, size = 1.5, step = 3_u64, delta = -1, "it is \"done\"");
        assert_eq!(
            lines.json(),
            [json!({
                "timestamp": "2025-12-31T16:53:20.123Z",
                "level": "INFO",
                "message": "it is \"done\"",
                "target": "packages",
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
    fn the_ids_of_lambdas_runtime_are_taken_over() {
        let (lines, _guard) = log("info", false);
        let header = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
        let _invocation = tracing::info_span!(
            target: "lambda_runtime::layers::trace", "Lambda runtime invoke",
            requestId = "i-1", xrayTraceId = header,
        )
        .entered();
        tracing::info!(target: "lambda", "outside a request");
        let _request = tracing::error_span!(target: "trace.root", "request", request_id = "r-1").entered();
        tracing::info!(target: "lambda", "within");
        let lines = lines.json();
        assert_eq!((&lines[0]["requestId"], &lines[1]["requestId"]), (&json!("i-1"), &json!("r-1")));
        assert_eq!(lines[1]["traceId"], "1-67891233-abcdef012345678912345678");
        assert_eq!(lines[1].get("coldStart"), None);
    }

    #[test]
    fn the_ids_are_there_however_little_is_logged() {
        for filter in ["error", "warn", "", "debug", "packages=error", "info,packages=error"] {
            let (lines, _guard) = log(filter, false);
            let _request =
                tracing::error_span!(target: "trace.root", "request", request_id = "r-1").entered();
            let _step = tracing::info_span!(target: "trace", "postgres", operation = "select").entered();
            tracing::error!(target: "packages", "it failed");
            let lines = lines.json();
            assert_eq!((lines.len(), &lines[0]["requestId"]), (1, &json!("r-1")), "{filter}");
            assert_eq!(lines[0].get("operation"), None, "{filter}");
        }
    }

    #[test]
    fn what_others_say_in_detail_is_not_logged_however_much_is_asked_for() {
        for filter in ["trace", "trace,hyper=trace", "aws_sigv4=trace", "debug"] {
            let (lines, _guard) = log(filter, false);
            tracing::trace!(target: "aws_sigv4::http_request", "GET /?X-Amz-Signature=hunter2");
            tracing::debug!(target: "hyper::proto", "hunter2");
            tracing::debug!(target: "tokio_postgres::query", "hunter2");
            tracing::debug!(target: "packages::links", "of our own");
            let lines = lines.json();
            assert!(!json!(lines).to_string().contains("hunter2"), "{filter}");
            assert_eq!(lines.len(), usize::from(!filter.starts_with("aws")), "{filter}");
        }
    }

    #[test]
    fn a_field_cannot_pose_as_a_lines_own() {
        let (lines, _guard) = log("info", false);
        tracing::info!(target: "api", level = "ERROR", timestamp = 0, coldStart = true, "odd");
        let line = &lines.json()[0];
        assert_eq!((&line["level"], &line["message"]), (&json!("INFO"), &json!("odd")));
        assert_eq!((line["timestamp"].is_string(), line.get("coldStart")), (true, None));
    }
}
