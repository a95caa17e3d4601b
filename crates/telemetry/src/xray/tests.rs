//! Tests with a UDP socket as the daemon. Every received document is checked against the documentation.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::json;
use tracing::{Dispatch, Span, dispatcher::DefaultGuard, field::Empty, subscriber::NoSubscriber};
use tracing_subscriber::{Registry, layer::SubscriberExt};

use super::*;
use crate::{TraceContext, logs};

const TRACE: &str = "1-67891233-abcdef012345678912345678";
const CALLER: &str = "53995c3f42cd8ad8";

const ANNOTATIONS: &[&str] = &["route", "status", "statements", "operation"];

struct TestDaemon(UdpSocket);

impl TestDaemon {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self(socket)
    }

    fn layer<S>(&self, root_kind: SegmentKind) -> impl Layer<S> + Send + Sync + 'static + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let client = DaemonClient::connect(&self.0.local_addr().unwrap().to_string()).unwrap();
        trace_layer(client, segment_config(root_kind), ticking_clock)
    }

    /// Receives and checks all documents that have arrived.
    fn documents(&self) -> Vec<Value> {
        let mut buffer = vec![0; 65_536];
        std::iter::from_fn(|| self.0.recv(&mut buffer).ok().map(|length| parse_datagram(&buffer[..length])))
            .collect()
    }
}

fn segment_config(root_kind: SegmentKind) -> SegmentConfig {
    SegmentConfig { service: "shop", root_kind, annotations: ANNOTATIONS }
}

/// Each call is a millisecond later than the last.
fn ticking_clock() -> Duration {
    static TICKS: AtomicU64 = AtomicU64::new(1_767_200_000_000);
    Duration::from_millis(TICKS.fetch_add(1, Relaxed))
}

fn parse_datagram(datagram: &[u8]) -> Value {
    let text = std::str::from_utf8(datagram).unwrap();
    let (header, document) = text.split_once('\n').unwrap();
    assert_eq!(serde_json::from_str::<Value>(header).unwrap(), json!({ "format": "json", "version": 1 }));
    let document: Value = serde_json::from_str(document).unwrap();
    check_document(&document);
    document
}

/// Checks members and values ("AWS X-Ray segment documents").
fn check_document(document: &Value) {
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

fn set_subscriber<S>(subscriber: S) -> (DefaultGuard, Dispatch)
where
    S: Subscriber + Send + Sync + 'static,
{
    // With only one dispatcher, tracing would cache its interest for all threads.
    let uninterested = Dispatch::new(NoSubscriber::default());
    (tracing::dispatcher::set_default(&Dispatch::new(subscriber)), uninterested)
}

fn sampled_trace() -> TraceContext {
    TraceContext::from_header(Some(&format!("Root={TRACE};Parent={CALLER};Sampled=1")))
}

fn request_span(trace: &TraceContext) -> Span {
    tracing::error_span!(
        target: "trace.root", "request",
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
        method = "GET", route = "/items", status = Empty, statements = Empty, user = "N:user:7",
    )
}

fn find_document<'a>(documents: &'a [Value], name: &str) -> &'a Value {
    documents
        .iter()
        .find(|document| document["name"] == name)
        .unwrap_or_else(|| panic!("{name}: {documents:?}"))
}

#[test]
fn a_root_without_a_caller_is_a_segment() {
    let daemon = TestDaemon::new();
    let _guard = set_subscriber(Registry::default().with(daemon.layer(SegmentKind::Subsegment)));
    drop(request_span(&TraceContext::from_header(Some(&format!("Root={TRACE};Sampled=1")))));
    let documents = daemon.documents();
    assert_eq!((documents.len(), documents[0].get("type")), (1, None));
}

#[test]
fn a_request_and_its_steps_are_one_trace() {
    let daemon = TestDaemon::new();
    let _guard = set_subscriber(Registry::default().with(daemon.layer(SegmentKind::Segment)));
    let trace = sampled_trace();
    let span = request_span(&trace);
    span.in_scope(|| {
        tracing::info_span!(target: "trace", "postgres", operation = "find_item").in_scope(|| {});
        let s3 = tracing::info_span!(target: "trace", "s3", operation = "HeadObject", fault = Empty);
        s3.in_scope(|| tracing::info_span!(target: "trace", "sign").in_scope(|| {}));
        s3.record("fault", true);
    });
    span.record("status", 307).record("statements", 1);
    drop(span);

    let documents = daemon.documents();
    assert_eq!(documents.len(), 4);
    assert!(documents.iter().all(|document| document["trace_id"] == TRACE));
    let root = find_document(&documents, "shop");
    assert_eq!((&root["id"], &root["parent_id"]), (&json!(trace.segment_id()), &json!(CALLER)));
    assert_eq!(root.get("type"), None);
    assert_eq!(root["http"], json!({ "request": { "method": "GET" }, "response": { "status": 307 } }));
    assert_eq!(root["annotations"], json!({ "route": "/items", "status": 307, "statements": 1 }));
    let postgres = find_document(&documents, "postgres");
    assert_eq!((&postgres["parent_id"], &postgres["namespace"]), (&root["id"], &json!("remote")));
    let s3 = find_document(&documents, "S3");
    assert_eq!((&s3["aws"], &s3["fault"]), (&json!({ "operation": "HeadObject" }), &json!(true)));
    let sign = find_document(&documents, "sign");
    assert_eq!((&sign["parent_id"], sign.get("namespace")), (&s3["id"], None));
    assert!(sign["start_time"].as_f64() > s3["start_time"].as_f64());
    assert!(sign["end_time"].as_f64() < s3["end_time"].as_f64());
}

#[test]
fn in_lambda_a_request_is_a_subsegment() {
    let daemon = TestDaemon::new();
    let _guard = set_subscriber(Registry::default().with(daemon.layer(SegmentKind::Subsegment)));
    let trace = sampled_trace();
    drop(request_span(&trace));
    let message = tracing::error_span!(
        target: "trace.root", "job",
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
        kind = SegmentKind::Segment.as_str(),
    );
    drop(message);
    let documents = daemon.documents();
    assert_eq!(find_document(&documents, "request")["type"], "subsegment");
    assert_eq!(find_document(&documents, "request")["parent_id"], CALLER);
    assert_eq!(find_document(&documents, "job").get("type"), None);
}

#[test]
fn an_unrecorded_trace_sends_nothing() {
    let daemon = TestDaemon::new();
    let _guard = set_subscriber(Registry::default().with(daemon.layer(SegmentKind::Segment)));
    let trace = TraceContext::from_header(Some(&format!("Root={TRACE};Sampled=0")));
    request_span(&trace).in_scope(|| {
        tracing::info_span!(target: "trace", "postgres", operation = "SELECT").in_scope(|| {});
    });
    tracing::info_span!(target: "trace", "postgres", operation = "SELECT").in_scope(|| {});
    assert!(tracing::error_span!(target: "shop", "else").is_disabled());
    assert_eq!(daemon.documents(), Vec::<Value>::new());
}

#[test]
fn traces_are_independent_of_the_log_filter() {
    for filter in ["warn", "off", "trace", "shop=debug"] {
        let daemon = TestDaemon::new();
        let json = logs::JsonLayer::new(std::io::sink, &std::sync::Arc::default());
        let log = json.with_filter(logs::log_filter(filter, &["shop"]));
        let _guard = set_subscriber(Registry::default().with(log).with(daemon.layer(SegmentKind::Segment)));
        request_span(&sampled_trace()).in_scope(|| {
            let _between = tracing::debug_span!(target: "shop", "between").entered();
            tracing::info_span!(target: "trace", "postgres").in_scope(|| tracing::error!("it failed"));
        });
        let documents = daemon.documents();
        assert_eq!(documents.len(), 2, "{filter}");
        assert_eq!(
            find_document(&documents, "postgres")["parent_id"],
            find_document(&documents, "shop")["id"]
        );
    }
}

#[test]
fn concurrent_requests_do_not_mix() {
    let daemon = TestDaemon::new();
    let _guard = set_subscriber(Registry::default().with(daemon.layer(SegmentKind::Segment)));
    let traces = [TraceContext::from_header(Some(&format!("Root={TRACE};Sampled=1"))), {
        TraceContext::from_header(Some("Root=1-67891233-ffffffffffffffffffffffff;Sampled=1"))
    }];
    let spans = traces.each_ref().map(request_span);
    // Like a runtime that polls both in turn while each has an open step.
    let step = || tracing::info_span!(target: "trace", "sqs", operation = "SendMessageBatch");
    let steps = spans.each_ref().map(|span| span.in_scope(step));
    let inner = [1, 0].map(|at| steps[at].in_scope(|| tracing::info_span!(target: "trace", "sign")));
    drop((inner, steps, spans));

    let documents = daemon.documents();
    assert_eq!(documents.len(), 6);
    for trace in &traces {
        let own: Vec<Value> =
            documents.iter().filter(|document| document["trace_id"] == trace.trace_id()).cloned().collect();
        let (root, sqs, sign) =
            (find_document(&own, "shop"), find_document(&own, "SQS"), find_document(&own, "sign"));
        assert_eq!(json!(trace.segment_id()), root["id"]);
        assert_eq!((&sqs["parent_id"], &sign["parent_id"]), (&root["id"], &sqs["id"]));
    }
}

#[test]
fn flags_follow_from_the_status() {
    let daemon = TestDaemon::new();
    let _guard = set_subscriber(Registry::default().with(daemon.layer(SegmentKind::Segment)));
    for (status, flags) in [(200, ""), (307, ""), (404, "error"), (429, "error throttle"), (503, "fault")] {
        let span = request_span(&sampled_trace());
        span.record("status", status);
        drop(span);
        let document = daemon.documents().remove(0);
        let found = ["error", "throttle", "fault"].into_iter().filter(|flag| document[flag] == true);
        assert_eq!(found.collect::<Vec<_>>().join(" "), flags, "{status}");
    }
}

#[test]
fn only_allowed_fields_become_annotations() {
    let daemon = TestDaemon::new();
    let _guard = set_subscriber(Registry::default().with(daemon.layer(SegmentKind::Segment)));
    request_span(&sampled_trace()).in_scope(|| {
        let long = "x".repeat(100_000);
        tracing::info_span!(target: "trace", "s3", key = "hunter2", operation = long, error = "hunter2");
    });
    let documents = daemon.documents();
    let text = json!(documents).to_string();
    assert!(!text.contains("hunter2") && !text.contains("N:user:7"), "{text}");
}

#[test]
fn a_missing_daemon_is_ignored() {
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = DaemonClient::connect(&gone.to_string()).unwrap();
    let layer = trace_layer(client, segment_config(SegmentKind::Segment), ticking_clock);
    let _guard = set_subscriber(Registry::default().with(layer));
    // The second send fails with the error of the first.
    (0..3).for_each(|_| drop(request_span(&sampled_trace())));
}
