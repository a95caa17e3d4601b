//! Measures the overhead per request. Run `cargo test --release -p telemetry overhead -- --ignored --nocapture`.

use std::{io, net::UdpSocket, time::Instant};

use tracing::{Dispatch, Subscriber, field::Empty};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt};

use crate::{
    SegmentKind, TraceContext,
    clock::system_clock,
    emf::EmfRecorder,
    logs::{self, JsonLayer},
    xray::{self, DaemonClient, SegmentConfig},
};

const REQUESTS: u32 = 2_000;
const ROUNDS: u32 = 20;

/// The telemetry of a request with three steps and one log line.
fn record_request(header: &str) {
    let trace = TraceContext::from_header(Some(header));
    let span = tracing::error_span!(
        target: "trace.root", "request",
        request_id = "6f0f9b7e-0d0c-4a5c-9b42-0f5f0c0f7d11", method = "GET", route = "/items",
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
        status = Empty, statements = Empty, user = Empty,
    );
    span.record("user", "N:user:7");
    span.in_scope(|| {
        for operation in ["SELECT", "SELECT", "presign"] {
            tracing::info_span!(target: "trace", "postgres", operation).in_scope(|| {});
        }
        span.record("status", 307).record("statements", 2);
        tracing::info!(target: "shop", duration_ms = 3, "answered");
    });
    metrics::counter!("requests_total", "route" => "/items", "status" => "307").increment(1);
    metrics::histogram!("request_seconds", "route" => "/items").record(0.003);
}

/// Microseconds per request, in the fastest round.
fn measure(header: &str, subscriber: impl Subscriber + Send + Sync + 'static) -> f64 {
    let emf = EmfRecorder::new("service", "Shop/dev");
    tracing::dispatcher::with_default(&Dispatch::new(subscriber), || {
        metrics::with_local_recorder(&emf, || {
            let round = |_| {
                let begun = Instant::now();
                for _ in 0..REQUESTS {
                    record_request(header);
                    emf.flush(&mut io::sink(), system_clock()).unwrap();
                }
                begun.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS)
            };
            (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
        })
    })
}

#[test]
#[ignore = "measures"]
fn prints_overhead() {
    const SAMPLED: &str = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
    const UNSAMPLED: &str = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0";
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let log = |filter| {
        JsonLayer::new(io::sink, &std::sync::Arc::default()).with_filter(logs::log_filter(filter, &["shop"]))
    };
    let traces = || {
        let client = DaemonClient::connect(&daemon.local_addr().unwrap().to_string()).unwrap();
        let annotations = &["route", "status", "operation"];
        let config = SegmentConfig { service: "service", root_kind: SegmentKind::Subsegment, annotations };
        xray::trace_layer(client, config, system_clock)
    };
    println!("metrics          {:5.1} us", measure(UNSAMPLED, tracing::subscriber::NoSubscriber::new()));
    println!("+ log at error   {:5.1} us", measure(UNSAMPLED, Registry::default().with(log("error"))));
    println!("+ log at info    {:5.1} us", measure(UNSAMPLED, Registry::default().with(log("info"))));
    let both = || Registry::default().with(log("info")).with(traces());
    println!("+ not recorded   {:5.1} us", measure(UNSAMPLED, both()));
    println!("+ recorded       {:5.1} us", measure(SAMPLED, both()));
}
