//! A process as a host sets it up: what it writes where.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::{
    net::UdpSocket,
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value;
use telemetry::{Format, Host, Options, Telemetry, Trace};

/// Runs one of the ignored tests below as a process of its own, since logs and metrics are a process's.
fn run(child: &str) -> Output {
    let program = std::env::current_exe().unwrap();
    let run = Command::new(program).args(["--exact", child, "--ignored", "--nocapture"]).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    run
}

/// The lines that are ours, and not the test harness's.
fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    // The harness does not end its own line before a test's output begins.
    let lines = text.lines().filter_map(|line| line.find('{').map(|start| &line[start..]));
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What a request does.
fn work(telemetry: &Telemetry) {
    let header = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
    let trace = Trace::begin(Some(header));
    let span = tracing::error_span!(
        target: "trace.root", "request",
        request_id = "r-1",
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
    );
    span.in_scope(|| {
        tracing::info!(target: "api", "answered");
        let panicking = || std::thread::Builder::new().name("worker".into()).spawn(|| panic!("hunter2"));
        let _ = panicking().unwrap().join();
    });
    metrics::counter!("requests_total", "route" => "/packages/health").increment(1);
    drop(span);
    telemetry.flush();
}

#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn lambda() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = daemon.local_addr().unwrap().to_string();
    let xray = Some(address.as_str());
    let telemetry = telemetry::init(Options {
        filter: "info",
        service: "service",
        environment: "dev",
        host: Host::Lambda,
        xray,
    });
    work(&telemetry);
    let mut buffer = [0; 2048];
    let length = daemon.recv(&mut buffer).unwrap();
    assert!(String::from_utf8_lossy(&buffer[..length]).contains(r#""type":"subsegment""#));
    work(&telemetry);
    assert_eq!(telemetry.render(), "");
}

#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn server() {
    let host = Host::Server(Format::Json);
    let telemetry =
        telemetry::init(Options { filter: "", service: "service", environment: "dev", host, xray: None });
    work(&telemetry);
    assert!(telemetry.render().contains(r#"requests_total{route="/packages/health"} 1"#));
}

#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn text() {
    let host = Host::Server(Format::Text);
    work(&telemetry::init(Options {
        filter: "warn",
        service: "service",
        environment: "dev",
        host,
        xray: None,
    }));
}

#[test]
fn in_lambda_all_is_json_on_standard_output() {
    let Output { stdout, stderr, .. } = run("lambda");
    let all = [stdout.clone(), stderr].concat();
    assert!(!String::from_utf8(all).unwrap().contains("hunter2"), "a panic's message is not told");

    let (metrics, logs): (Vec<Value>, Vec<Value>) =
        lines(&stdout).into_iter().partition(|line| line.get("_aws").is_some());
    assert_eq!(metrics.len(), 2, "one for each flush");
    assert!(metrics.iter().all(|line| line["requests_total"] == 1.0 && line["route"] == "/packages/health"));
    let answered: Vec<&Value> = logs.iter().filter(|line| line["message"] == "answered").collect();
    assert_eq!((&answered[0]["coldStart"], answered[1].get("coldStart")), (&Value::Bool(true), None));
    assert_eq!(answered[0]["traceId"], "1-67891233-abcdef012345678912345678");
    let panic = logs.iter().find(|line| line["target"] == "panic").unwrap();
    assert!(panic["location"].as_str().unwrap().contains("main.rs"));
    assert_eq!(panic["thread"], "worker");
}

#[test]
fn a_server_logs_to_standard_error() {
    let Output { stdout, stderr, .. } = run("server");
    assert_eq!(lines(&stdout), Vec::<Value>::new());
    let lines = lines(&stderr);
    assert_eq!(lines.len(), 2, "an answer and a panic");
    assert_eq!((&lines[0]["requestId"], lines[0].get("coldStart")), (&Value::from("r-1"), None));
}

#[test]
fn people_are_told_in_text() {
    let stderr = String::from_utf8(run("text").stderr).unwrap();
    assert!(stderr.contains("a thread panicked") && !stderr.contains("answered"), "{stderr}");
    assert!(!stderr.contains("hunter2"));
}
