//! A daemon for the tests: a socket, and what the documentation demands of what arrives there.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::json;
use tracing::{Dispatch, Span, dispatcher::DefaultGuard, field::Empty, subscriber::NoSubscriber};
use tracing_subscriber::{Registry, layer::SubscriberExt};

use super::*;
use crate::{Trace, logs};

const TRACE: &str = "1-67891233-abcdef012345678912345678";
const CALLER: &str = "53995c3f42cd8ad8";

struct Receiver(UdpSocket);

impl Receiver {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self(socket)
    }

    fn layer<S>(&self, roots: Kind) -> impl Layer<S> + Send + Sync + 'static + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        layer(
            Daemon::connect(&self.0.local_addr().unwrap().to_string()).unwrap(),
            "packages-service",
            roots,
            ticking,
        )
    }

    /// All that has arrived, each document checked.
    fn documents(&self) -> Vec<Value> {
        let mut buffer = vec![0; 65_536];
        std::iter::from_fn(|| self.0.recv(&mut buffer).ok().map(|length| parse(&buffer[..length]))).collect()
    }
}

/// Each question a millisecond later than the last.
fn ticking() -> Duration {
    static TICKS: AtomicU64 = AtomicU64::new(1_767_200_000_000);
    Duration::from_millis(TICKS.fetch_add(1, Relaxed))
}

fn parse(datagram: &[u8]) -> Value {
    let text = std::str::from_utf8(datagram).unwrap();
    let (header, document) = text.split_once('\n').unwrap();
    assert_eq!(serde_json::from_str::<Value>(header).unwrap(), json!({ "format": "json", "version": 1 }));
    let document: Value = serde_json::from_str(document).unwrap();
    check(&document);
    document
}

/// "AWS X-Ray segment documents": which members there are, and what they hold.
fn check(document: &Value) {
    const KNOWN: [&str; 16] = [
        "name",
        "id",
        "trace_id",
        "start_time",
        "end_time",
        "parent_id",
        "type",
        "namespace",
        "http",
        "aws",
        "sql",
        "annotations",
        "error",
        "fault",
        "throttle",
        "service",
    ];
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    let text = |name: &str| document[name].as_str().unwrap_or_else(|| panic!("{name}: {document}"));
    assert!((1..=200).contains(&text("name").len()));
    assert!(is_hex(text("id"), 16));
    let trace: Vec<&str> = text("trace_id").split('-').collect();
    assert!(trace[0] == "1" && is_hex(trace[1], 8) && is_hex(trace[2], 24) && trace.len() == 3);
    let (start, end) = (document["start_time"].as_f64().unwrap(), document["end_time"].as_f64().unwrap());
    assert!(start > 1e9 && end >= start && end < 1e10, "seconds since the Unix epoch");
    if document.get("type").is_some() {
        assert_eq!(document["type"], "subsegment");
        assert!(is_hex(text("parent_id"), 16), "a subsegment that is sent alone names its parent");
    } else {
        assert_eq!(document.get("namespace"), None, "only subsegments call others");
    }
    if let Some(namespace) = document.get("namespace") {
        assert!(["aws", "remote"].contains(&namespace.as_str().unwrap()));
    }
    for (name, value) in document["annotations"].as_object().into_iter().flatten() {
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name}");
        assert!(value.is_string() || value.is_number() || value.is_boolean());
    }
    for name in document.as_object().unwrap().keys() {
        assert!(KNOWN.contains(&name.as_str()), "{name}");
    }
}

fn record<S>(subscriber: S) -> (DefaultGuard, Dispatch)
where
    S: Subscriber + Send + Sync + 'static,
{
    let deaf = Dispatch::new(NoSubscriber::default());
    (tracing::dispatcher::set_default(&Dispatch::new(subscriber)), deaf)
}

fn sampled() -> Trace {
    Trace::begin(Some(&format!("Root={TRACE};Parent={CALLER};Sampled=1")))
}

fn request(trace: &Trace) -> Span {
    tracing::error_span!(
        target: "trace.root", "request",
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
        method = "GET", route = "/packages/presign/s3", status = Empty, statements = Empty, user = "N:user:7",
    )
}

fn named<'a>(documents: &'a [Value], name: &str) -> &'a Value {
    documents
        .iter()
        .find(|document| document["name"] == name)
        .unwrap_or_else(|| panic!("{name}: {documents:?}"))
}

#[test]
fn what_has_no_parent_is_no_part_of_anything() {
    let receiver = Receiver::new();
    let _guard = record(Registry::default().with(receiver.layer(Kind::Subsegment)));
    drop(request(&Trace::begin(Some(&format!("Root={TRACE};Sampled=1")))));
    let documents = receiver.documents();
    assert_eq!((documents.len(), documents[0].get("type")), (1, None));
}

#[test]
fn a_request_and_its_steps_are_one_trace() {
    let receiver = Receiver::new();
    let _guard = record(Registry::default().with(receiver.layer(Kind::Segment)));
    let trace = sampled();
    let span = request(&trace);
    span.in_scope(|| {
        tracing::info_span!(target: "trace", "postgres", operation = "find_source_file").in_scope(|| {});
        let s3 = tracing::info_span!(target: "trace", "s3", operation = "HeadObject", fault = Empty);
        s3.in_scope(|| tracing::info_span!(target: "trace", "sign").in_scope(|| {}));
        s3.record("fault", true);
    });
    span.record("status", 307).record("statements", 1);
    drop(span);

    let documents = receiver.documents();
    assert_eq!(documents.len(), 4);
    assert!(documents.iter().all(|document| document["trace_id"] == TRACE));
    let root = named(&documents, "packages-service");
    assert_eq!((&root["id"], &root["parent_id"]), (&json!(trace.segment_id()), &json!(CALLER)));
    assert_eq!(root.get("type"), None);
    assert_eq!(root["http"], json!({ "request": { "method": "GET" }, "response": { "status": 307 } }));
    assert_eq!(
        root["annotations"],
        json!({ "route": "/packages/presign/s3", "status": 307, "statements": 1 })
    );
    let postgres = named(&documents, "postgres");
    assert_eq!((&postgres["parent_id"], &postgres["namespace"]), (&root["id"], &json!("remote")));
    let s3 = named(&documents, "S3");
    assert_eq!((&s3["aws"], &s3["fault"]), (&json!({ "operation": "HeadObject" }), &json!(true)));
    let sign = named(&documents, "sign");
    assert_eq!((&sign["parent_id"], sign.get("namespace")), (&s3["id"], None));
    assert!(sign["start_time"].as_f64() > s3["start_time"].as_f64());
    assert!(sign["end_time"].as_f64() < s3["end_time"].as_f64());
}

#[test]
fn in_lambda_a_request_is_a_part_of_the_functions_segment() {
    let receiver = Receiver::new();
    let _guard = record(Registry::default().with(receiver.layer(Kind::Subsegment)));
    let trace = sampled();
    drop(request(&trace));
    let message = tracing::error_span!(
        target: "trace.root", "restore",
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
        kind = Kind::Segment.name(),
    );
    drop(message);
    let documents = receiver.documents();
    assert_eq!(named(&documents, "request")["type"], "subsegment");
    assert_eq!(named(&documents, "request")["parent_id"], CALLER);
    assert_eq!(named(&documents, "restore").get("type"), None);
}

#[test]
fn a_trace_that_is_not_recorded_sends_nothing() {
    let receiver = Receiver::new();
    let _guard = record(Registry::default().with(receiver.layer(Kind::Segment)));
    let trace = Trace::begin(Some(&format!("Root={TRACE};Sampled=0")));
    request(&trace).in_scope(|| {
        tracing::info_span!(target: "trace", "postgres", operation = "SELECT").in_scope(|| {});
    });
    tracing::info_span!(target: "trace", "postgres", operation = "SELECT").in_scope(|| {});
    assert!(tracing::error_span!(target: "packages", "else").is_disabled());
    assert_eq!(receiver.documents(), Vec::<Value>::new());
}

#[test]
fn traces_do_not_depend_on_what_is_logged() {
    for filter in ["warn", "off", "trace", "packages=debug"] {
        let receiver = Receiver::new();
        let json = logs::Json::new(std::io::sink, &std::sync::Arc::default());
        let log = json.with_filter(logs::filter(filter));
        let _guard = record(Registry::default().with(log).with(receiver.layer(Kind::Segment)));
        request(&sampled()).in_scope(|| {
            let _between = tracing::debug_span!(target: "packages", "between").entered();
            tracing::info_span!(target: "trace", "postgres").in_scope(|| tracing::error!("it failed"));
        });
        let documents = receiver.documents();
        assert_eq!(documents.len(), 2, "{filter}");
        assert_eq!(named(&documents, "postgres")["parent_id"], named(&documents, "packages-service")["id"]);
    }
}

#[test]
fn requests_at_the_same_time_do_not_mix() {
    let receiver = Receiver::new();
    let _guard = record(Registry::default().with(receiver.layer(Kind::Segment)));
    let traces = [Trace::begin(Some(&format!("Root={TRACE};Sampled=1"))), {
        Trace::begin(Some("Root=1-67891233-ffffffffffffffffffffffff;Sampled=1"))
    }];
    let spans = traces.each_ref().map(request);
    // As a runtime does it: now one is polled, now the other, while both have a step open.
    let step = || tracing::info_span!(target: "trace", "sqs", operation = "SendMessageBatch");
    let steps = spans.each_ref().map(|span| span.in_scope(step));
    let inner = [1, 0].map(|at| steps[at].in_scope(|| tracing::info_span!(target: "trace", "sign")));
    drop((inner, steps, spans));

    let documents = receiver.documents();
    assert_eq!(documents.len(), 6);
    for trace in &traces {
        let own: Vec<Value> =
            documents.iter().filter(|document| document["trace_id"] == trace.trace_id()).cloned().collect();
        let (root, sqs, sign) = (named(&own, "packages-service"), named(&own, "SQS"), named(&own, "sign"));
        assert_eq!(json!(trace.segment_id()), root["id"]);
        assert_eq!((&sqs["parent_id"], &sign["parent_id"]), (&root["id"], &sqs["id"]));
    }
}

#[test]
fn whose_fault_it_was_follows_from_the_status() {
    let receiver = Receiver::new();
    let _guard = record(Registry::default().with(receiver.layer(Kind::Segment)));
    for (status, flags) in [(200, ""), (307, ""), (404, "error"), (429, "error throttle"), (503, "fault")] {
        let span = request(&sampled());
        span.record("status", status);
        drop(span);
        let document = receiver.documents().remove(0);
        let found = ["error", "throttle", "fault"].into_iter().filter(|flag| document[flag] == true);
        assert_eq!(found.collect::<Vec<_>>().join(" "), flags, "{status}");
    }
}

#[test]
fn only_harmless_fields_are_told() {
    let receiver = Receiver::new();
    let _guard = record(Registry::default().with(receiver.layer(Kind::Segment)));
    request(&sampled()).in_scope(|| {
        let long = "x".repeat(100_000);
        tracing::info_span!(target: "trace", "s3", key = "hunter2", operation = long, error = "hunter2");
    });
    let documents = receiver.documents();
    let text = json!(documents).to_string();
    assert!(!text.contains("hunter2") && !text.contains("N:user:7"), "{text}");
}

#[test]
fn a_daemon_that_is_not_there_is_nobodys_problem() {
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let layer =
        layer(Daemon::connect(&gone.to_string()).unwrap(), "packages-service", Kind::Segment, ticking);
    let _guard = record(Registry::default().with(layer));
    // The second send is told that the first reached nobody.
    (0..3).for_each(|_| drop(request(&sampled())));
}
