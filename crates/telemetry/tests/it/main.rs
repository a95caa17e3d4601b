//! A host's process with telemetry: what it writes where.

#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    net::UdpSocket,
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value;
use telemetry::{
    Catalog, Host, LogFormat, MetricDescription, MetricKind, Telemetry, TelemetryConfig, TraceContext,
    metric::Unit,
};

/// Runs one of the ignored tests below in its own process, because logs and metrics are global to a process.
fn run_child(child: &str) -> Output {
    let program = std::env::current_exe().unwrap();
    let run = Command::new(program).args(["--exact", child, "--ignored", "--nocapture"]).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    run
}

/// Parses the JSON lines between those of the test harness.
fn json_lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    // The harness does not end its own line before a test's output begins.
    let lines = text.lines().filter_map(|line| line.find('{').map(|start| &line[start..]));
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn init(filter: &str, host: Host, xray_daemon: Option<&str>) -> Telemetry {
    let metric = MetricDescription {
        name: "requests_total",
        kind: MetricKind::Counter,
        unit: Unit::Count,
        help: "Requests by route",
        buckets: &[],
    };
    let catalog =
        Catalog { namespace: "Shop", log_targets: &["shop"], annotations: &["route"], metrics: vec![metric] };
    let environment = "dev";
    telemetry::init(TelemetryConfig {
        filter,
        service: "service",
        environment,
        host,
        xray_daemon,
        catalog: &catalog,
    })
}

/// The telemetry of one request.
fn record_request(telemetry: &Telemetry) {
    let header = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
    let trace = TraceContext::from_header(Some(header));
    let span = tracing::error_span!(
        target: "trace.root", "request",
        request_id = "r-1",
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
    );
    span.in_scope(|| {
        tracing::info!(target: "shop", "answered");
        let panicking = || std::thread::Builder::new().name("worker".into()).spawn(|| panic!("hunter2"));
        let _ = panicking().unwrap().join();
    });
    metrics::counter!("requests_total", "route" => "/health").increment(1);
    drop(span);
    telemetry.flush_metrics();
}

#[test]
#[ignore = "runs in a child process of the tests below"]
fn lambda_process() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = daemon.local_addr().unwrap().to_string();
    let telemetry = init("info", Host::Lambda, Some(&address));
    record_request(&telemetry);
    let mut buffer = [0; 2048];
    let length = daemon.recv(&mut buffer).unwrap();
    assert!(String::from_utf8_lossy(&buffer[..length]).contains(r#""type":"subsegment""#));
    record_request(&telemetry);
    assert_eq!(telemetry.render_metrics(), "");
}

#[test]
#[ignore = "runs in a child process of the tests below"]
fn server_process() {
    let telemetry = init("", Host::Server(LogFormat::Json), None);
    record_request(&telemetry);
    let metrics = telemetry.render_metrics();
    assert!(metrics.contains("# HELP requests_total Requests by route\n"), "{metrics}");
    assert!(metrics.contains(r#"requests_total{route="/health"} 1"#), "{metrics}");
}

#[test]
#[ignore = "runs in a child process of the tests below"]
fn text_process() {
    record_request(&init("warn", Host::Server(LogFormat::Text), None));
}

#[test]
fn lambda_writes_json_to_standard_output() {
    let Output { stdout, stderr, .. } = run_child("lambda_process");
    let all = [stdout.clone(), stderr].concat();
    assert!(!String::from_utf8(all).unwrap().contains("hunter2"), "the message of a panic is not logged");

    let (metrics, logs): (Vec<Value>, Vec<Value>) =
        json_lines(&stdout).into_iter().partition(|line| line.get("_aws").is_some());
    assert_eq!(metrics.len(), 2, "one line per flush");
    assert_eq!(metrics[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Shop/dev");
    assert!(metrics[0]["_aws"]["Timestamp"].as_u64() > Some(1_700_000_000_000), "milliseconds since 1970");
    assert!(metrics.iter().all(|line| line["requests_total"] == 1.0 && line["route"] == "/health"));
    let answered: Vec<&Value> = logs.iter().filter(|line| line["message"] == "answered").collect();
    assert_eq!((&answered[0]["coldStart"], answered[1].get("coldStart")), (&Value::Bool(true), None));
    assert_eq!(answered[0]["traceId"], "1-67891233-abcdef012345678912345678");
    let panic = logs.iter().find(|line| line["target"] == "panic").unwrap();
    assert!(panic["location"].as_str().unwrap().contains("main.rs"));
    assert_eq!(panic["thread"], "worker");
}

#[test]
fn a_server_logs_to_standard_error() {
    let Output { stdout, stderr, .. } = run_child("server_process");
    assert_eq!(json_lines(&stdout), Vec::<Value>::new());
    let lines = json_lines(&stderr);
    assert_eq!(lines.len(), 2, "one event and one panic");
    assert_eq!((&lines[0]["requestId"], lines[0].get("coldStart")), (&Value::from("r-1"), None));
}

#[test]
fn text_format_is_for_people() {
    let stderr = String::from_utf8(run_child("text_process").stderr).unwrap();
    assert!(stderr.contains("a thread panicked") && !stderr.contains("answered"), "{stderr}");
    assert!(!stderr.contains("hunter2"));
}
