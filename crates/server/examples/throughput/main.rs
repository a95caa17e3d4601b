//! Drives the running server beside its floors: `cargo run --release -p server --example throughput`.
//!
//! Each endpoint takes turns with a bare handler that does the least that such an endpoint must: nothing, or the statement of a
//! link, prepared or not. So a busy machine slows both down, and their ratio says something where the figures do not. The clients
//! are another process. Processor time is that of the server's process and of Postgres's, from `/proc`.
//!
//! `--soak MINUTES` is another measurement: it keeps one endpoint busy at 80 % of its rate, and says each minute what memory the
//! server has.
//!
//! `warm` is with roles that the server remembers (`AUTHORIZATION_CACHE_SECONDS`), `cold` without. `--log off` runs without log
//! and metrics.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a command-line program that panics on unexpected results"
)]

mod allocations;
#[path = "../../tests/it/app.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod app;
mod client;
mod floors;
mod processor_time;
mod scenarios;
mod soak;

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    process::{Command, Stdio},
    time::Duration,
};

use axum::Router;
use clap::Parser;
use client::{LoadReport, LoadRequest};
use processor_time::PostgresProcesses;
use scenarios::{Scenario, Services};
use server::serve::{ConnectionLimits, serve};
use telemetry::{Host, LogFormat, TelemetryConfig};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: allocations::CountingAllocator = allocations::CountingAllocator;

#[derive(Parser)]
struct Options {
    /// How long each turn takes, in seconds
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How many turns each endpoint and its floor have
    #[arg(long, default_value_t = 5)]
    turns: u32,
    /// Only endpoints whose name has this text
    #[arg(long, default_value = "")]
    only: String,
    /// Whether requests are logged and counted: `on` or `off`
    #[arg(long, default_value = "on")]
    log: String,
    /// How long roles are remembered, in seconds
    #[arg(long, env = "AUTHORIZATION_CACHE_SECONDS", default_value_t = 60)]
    cache: u64,
    /// Instead of comparing, keeps the endpoints of `--only` busy for this many minutes
    #[arg(long, default_value_t = 0)]
    soak: u32,
    /// Sends requests as the JSON on standard input says
    #[arg(long, hide = true)]
    client: bool,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    if options.client {
        return client::run_client().await;
    }
    if options.log == "on" {
        // The log goes to standard error: `2>/dev/null`.
        let catalog = hosting::telemetry_catalog();
        let (filter, service, environment) = ("info", "throughput", "bench");
        let host = Host::Server(LogFormat::Json);
        let config =
            TelemetryConfig { filter, service, environment, host, xray_daemon: None, catalog: &catalog };
        telemetry::init(config);
    }
    let services = Box::pin(Services::start(Duration::from_secs(options.cache))).await;
    if options.soak > 0 {
        return soak::run(&services, &options.only, options.soak).await;
    }
    println!("log and metrics: {}", options.log);
    println!(
        "{:26} | req/s | floor | ratio | p50 µs | p99 µs | server µs | floor µs | Postgres µs | floor µs | allocations | KB",
        "endpoint / floor"
    );
    for scenario in services.list_scenarios().into_iter().filter(|one| one.name.contains(&options.only)) {
        measure_scenario(&options, &services.postgres, &scenario).await;
    }
}

/// Serves a router as `serve` does. Returns its address.
async fn start_service(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ConnectionLimits {
        idle: Duration::from_mins(1),
        head: Duration::from_secs(10),
        write: Duration::from_secs(30),
        shutdown: Duration::from_secs(30),
        connections: NonZeroUsize::new(1000).unwrap(),
    };
    tokio::spawn(serve(listener, router, limits, std::future::pending()));
    address
}

/// What one target cost in all of its turns.
#[derive(Default)]
struct Totals {
    requests: u64,
    seconds: f64,
    server_seconds: f64,
    postgres_seconds: f64,
    allocations: u64,
    allocated_bytes: u64,
    latencies_us: Vec<u32>,
}

impl Totals {
    fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    fn per_request(&self, total: f64) -> f64 {
        total / self.requests as f64
    }

    /// The latency that this part of the requests does not exceed, in microseconds.
    fn percentile(&mut self, part: f64) -> u32 {
        self.latencies_us.sort_unstable();
        self.latencies_us[((self.latencies_us.len() - 1) as f64 * part) as usize]
    }
}

async fn measure_scenario(options: &Options, postgres: &PostgresProcesses, scenario: &Scenario) {
    // Fills caches, and prepares statements on each connection.
    let turn =
        |seconds, request: &LoadRequest| run_turn(postgres, LoadRequest { seconds, ..request.clone() });
    turn(0.3, &scenario.request).await;
    turn(0.3, &scenario.floor).await;
    let (mut service, mut floor) = (Totals::default(), Totals::default());
    for _ in 0..options.turns {
        add_turn(&mut service, turn(options.seconds, &scenario.request).await);
        add_turn(&mut floor, turn(options.seconds, &scenario.floor).await);
    }
    println!(
        "{:26} | {:5.0} | {:5.0} | {:5.2} | {:6} | {:6} | {:9.1} | {:8.1} | {:11.1} | {:8.1} | {:11.1} | {:.1}",
        scenario.name,
        service.rate(),
        floor.rate(),
        service.rate() / floor.rate(),
        service.percentile(0.5),
        service.percentile(0.99),
        service.per_request(service.server_seconds) * 1e6,
        floor.per_request(floor.server_seconds) * 1e6,
        service.per_request(service.postgres_seconds) * 1e6,
        floor.per_request(floor.postgres_seconds) * 1e6,
        service.per_request(service.allocations as f64),
        service.per_request(service.allocated_bytes as f64) / 1024.0,
    );
}

fn add_turn(totals: &mut Totals, turn: Totals) {
    totals.requests += turn.requests;
    totals.seconds += turn.seconds;
    totals.server_seconds += turn.server_seconds;
    totals.postgres_seconds += turn.postgres_seconds;
    totals.allocations += turn.allocations;
    totals.allocated_bytes += turn.allocated_bytes;
    totals.latencies_us.extend(turn.latencies_us);
}

/// Sends requests from another process for a while.
async fn run_turn(postgres: &PostgresProcesses, request: LoadRequest) -> Totals {
    let before = (processor_time::of_this_process(), postgres.processor_time(), allocations::count());
    let report = tokio::task::spawn_blocking(move || run_client_process(&request)).await.unwrap();
    let after = (processor_time::of_this_process(), postgres.processor_time(), allocations::count());
    let seconds = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64();
    Totals {
        requests: report.latencies_us.len() as u64,
        seconds: report.seconds,
        server_seconds: seconds(before.0, after.0),
        postgres_seconds: seconds(before.1, after.1),
        allocations: after.2.0 - before.2.0,
        allocated_bytes: after.2.1 - before.2.1,
        latencies_us: report.latencies_us,
    }
}

fn run_client_process(request: &LoadRequest) -> LoadReport {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("--client")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), request).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the clients failed: {}", request.path);
    serde_json::from_slice(&output.stdout).unwrap()
}
