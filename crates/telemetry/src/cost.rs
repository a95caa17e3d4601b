//! What telling costs. Run with `cargo test -p telemetry cost -- --ignored --nocapture`, best in release.

use std::{io, net::UdpSocket, time::Instant};

use tracing::{Dispatch, Subscriber, field::Empty};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt};

use crate::{
    Trace, clock,
    emf::Emf,
    logs::{self, Json},
    trace::Kind,
    xray::{self, Daemon},
};

const REQUESTS: u32 = 2_000;
const ROUNDS: u32 = 20;

/// What the API does for a request with three steps and one line in the log.
fn request(header: &str) {
    let trace = Trace::begin(Some(header));
    let span = tracing::error_span!(
        target: "trace.root", "request",
        request_id = "6f0f9b7e-0d0c-4a5c-9b42-0f5f0c0f7d11", method = "GET", route = "/packages/presign/s3",
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
        status = Empty, statements = Empty, user = Empty,
    );
    span.record("user", "N:user:7");
    span.in_scope(|| {
        for operation in ["SELECT", "SELECT", "presign"] {
            tracing::info_span!(target: "trace", "postgres", operation).in_scope(|| {});
        }
        span.record("status", 307).record("statements", 2);
        tracing::info!(target: "api", duration_ms = 3, "answered");
    });
    metrics::counter!("requests_total", "route" => "/packages/presign/s3", "status" => "307").increment(1);
    metrics::histogram!("request_seconds", "route" => "/packages/presign/s3").record(0.003);
}

/// Microseconds a request, in the round that was disturbed least.
fn measure(header: &str, subscriber: impl Subscriber + Send + Sync + 'static) -> f64 {
    let emf = Emf::new("service", "dev");
    tracing::dispatcher::with_default(&Dispatch::new(subscriber), || {
        metrics::with_local_recorder(&emf, || {
            let round = |_| {
                let begun = Instant::now();
                for _ in 0..REQUESTS {
                    request(header);
                    emf.flush(&mut io::sink(), clock::system()).unwrap();
                }
                begun.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS)
            };
            (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
        })
    })
}

#[test]
#[ignore = "measures"]
fn cost() {
    const SAMPLED: &str = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
    const UNSAMPLED: &str = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0";
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let log = |filter| Json::new(io::sink, &std::sync::Arc::default()).with_filter(logs::filter(filter));
    let traces = || {
        let daemon = Daemon::connect(&daemon.local_addr().unwrap().to_string()).unwrap();
        xray::layer(daemon, "service", Kind::Subsegment, clock::system)
    };
    println!("metrics          {:5.1} us", measure(UNSAMPLED, tracing::subscriber::NoSubscriber::new()));
    println!("+ log at error   {:5.1} us", measure(UNSAMPLED, Registry::default().with(log("error"))));
    println!("+ log at info    {:5.1} us", measure(UNSAMPLED, Registry::default().with(log("info"))));
    let both = || Registry::default().with(log("info")).with(traces());
    println!("+ not recorded   {:5.1} us", measure(UNSAMPLED, both()));
    println!("+ recorded       {:5.1} us", measure(SAMPLED, both()));
}
