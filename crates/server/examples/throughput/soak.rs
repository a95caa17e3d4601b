//! A long load, to see whether memory grows.

use crate::{
    allocations,
    client::LoadRequest,
    processor_time::{PostgresProcesses, resident_bytes},
    run_turn,
    scenarios::Services,
};

/// The part of the highest rate that is sent.
const LOAD: f64 = 0.8;

/// Sends requests of the endpoints whose name has this text, in turns, and prints a line each minute.
pub(crate) async fn run(services: &Services, only: &str, minutes: u32) {
    let scenarios = services.list_scenarios().into_iter().filter(|one| one.name.contains(only));
    let mut loads = Vec::new();
    for scenario in scenarios {
        let rate = measure_rate(&services.postgres, &scenario.request).await * LOAD;
        println!("{}: {rate:.0} requests/s", scenario.name);
        loads.push(LoadRequest { rate: Some(rate), seconds: 60.0, ..scenario.request });
    }
    println!("minute | requests | p99 µs | allocated KB | resident KB");
    for (minute, load) in (1..=minutes).zip(loads.iter().cycle()) {
        let mut totals = run_turn(&services.postgres, load.clone()).await;
        let (requests, p99) = (totals.requests, totals.percentile(0.99));
        // The record of latencies is not the server's.
        drop(totals);
        let (allocated, resident) = (allocations::live_bytes() / 1024, resident_bytes() / 1024);
        println!("{minute:6} | {requests:8} | {p99:6} | {allocated:12} | {resident:11}");
    }
}

async fn measure_rate(postgres: &PostgresProcesses, request: &LoadRequest) -> f64 {
    run_turn(postgres, LoadRequest { seconds: 3.0, ..request.clone() }).await.rate()
}
