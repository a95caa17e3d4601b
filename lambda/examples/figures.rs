//! Prints what the functions cost: `cargo run --release -p lambda --example figures [FOLDER]`, where the folder has their
//! programs in release mode. The figures mean little on a busy machine.
//!
//! Each program runs as in Lambda, with a local Postgres and a local S3. CPU is the process's own, of all its threads. With
//! `TEST_DATABASE_URL`, `POSTGRES_SSL_MODE=require` and `POSTGRES_CA_FILE` they connect to a given Postgres by TLS, as they do
//! on AWS.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints, and stops at what it did not expect"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use local::lambda::{Invocation, RuntimeApi};
use serde_json::{Value, json};
use tokio::process::Child;

#[path = "../tests/it/pools.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod pools;
#[path = "../tests/it/stand.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod stand;

use pools::{Pools, token};
use stand::Stand;

/// Starts of each program, of which the median counts.
const STARTS: usize = 20;

/// What is handed on to the functions, if it is set.
const GIVEN: [&str; 3] = ["POSTGRES_SSL_MODE", "POSTGRES_CA_FILE", "SSL_CERT_FILE"];

/// Events of each kind.
const EVENTS: u32 = 2000;

/// The process first: it is killed before its API is gone, which it would complain about.
struct Function {
    process: Child,
    api: RuntimeApi,
}

impl Function {
    async fn start(program: &Path, stand: &Stand) -> Self {
        let api = RuntimeApi::start().await.unwrap();
        let mut command = api.command(program);
        command.envs(&stand.variables).stdout(Stdio::null());
        let process = api.spawn(command).unwrap();
        api.init_duration().await;
        Self { process, api }
    }

    async fn invoke(&self, event: Value) -> Value {
        self.api.invoke(event, Invocation::default()).await.unwrap()
    }

    fn proc(&self) -> PathBuf {
        Path::new("/proc").join(self.process.id().unwrap().to_string())
    }

    /// Resident memory, in MB.
    fn memory(&self) -> f64 {
        let status = fs::read_to_string(self.proc().join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// What it has spent so far.
    fn cpu(&self) -> Duration {
        let threads = fs::read_dir(self.proc().join("task")).unwrap();
        let spent = threads.map(|thread| {
            let times = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
            Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
        });
        spent.sum()
    }
}

/// A program's start: its size, the median time to its first poll, its memory then.
async fn start(program: &Path, stand: &Stand) {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        times.push(Function::start(program, stand).await.api.init_duration().await);
    }
    times.sort();
    let function = Function::start(program, stand).await;
    let size = fs::metadata(program).unwrap().len();
    println!(
        "{:<12} {:>5.2} MB program, first poll after {:>5.1} ms (median of {STARTS}), {:>4.1} MB resident, {:.1} ms CPU",
        program.file_name().unwrap().to_str().unwrap(),
        f64::from(u32::try_from(size).unwrap()) / 1e6,
        times.get(STARTS / 2).unwrap().as_secs_f64() * 1e3,
        function.memory(),
        function.cpu().as_secs_f64() * 1e3,
    );
}

/// What an event costs: the first one, and many.
async fn events(what: &str, program: &Path, stand: &Stand, event: &Value) {
    let function = Function::start(program, stand).await;
    let begun = Instant::now();
    let answer = function.invoke(event.clone()).await;
    let first = begun.elapsed();
    let status = answer["statusCode"].as_u64().or(answer["isAuthorized"].as_bool().map(u64::from));
    let (begun, cpu) = (Instant::now(), function.cpu());
    for _ in 0..EVENTS {
        function.invoke(event.clone()).await;
    }
    let (elapsed, cpu) = (begun.elapsed(), function.cpu().saturating_sub(cpu));
    println!(
        "{what:<12} answer {}, first {:>4.1} ms, then {:>5.0}/s, {:>4.0} µs CPU each, {:>4.1} MB resident",
        status.unwrap_or_default(),
        first.as_secs_f64() * 1e3,
        f64::from(EVENTS) / elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / f64::from(EVENTS),
        function.memory(),
    );
}

fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn request(stand: &Stand, path: &str, query: &str) -> Value {
    let mut event = recorded("get");
    event["rawQueryString"] = json!(format!("dataset_id={}&{query}", stand.dataset.node_id));
    event["requestContext"]["http"]["path"] = json!(path);
    event["requestContext"]["authorizer"]["lambda"] = stand.context(2);
    event
}

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).map_or("target/release".into(), PathBuf::from);
    let (mut stand, pools) = (Stand::start().await, Pools::publish().await);
    stand.variables.extend(pools.variables());
    let given = |name| Some((name, std::env::var_os(name)?.into_string().unwrap()));
    stand.variables.extend(GIVEN.into_iter().filter_map(given));
    for name in ["service", "restore", "authorizer"] {
        start(&folder.join(name), &stand).await;
    }

    let package = stand.file("a.txt", b"hello").await;
    let query = format!("package_id={}&path=a.parquet", package.node_id);
    let service = folder.join("service");
    let presign = request(&stand, "/presign/s3", &query);
    events("presign", &service, &stand, &presign).await;
    events("sign", &service, &stand, &request(&stand, "/cloudfront/sign", &query)).await;
    events("health", &service, &stand, &request(&stand, "/health", "")).await;

    let user = stand.user("viewer").await;
    let token = token(&user);
    let mut event = recorded("authorizer");
    event["identitySource"] = json!([format!("Bearer {token}"), stand.dataset.node_id]);
    events("authorize", &folder.join("authorizer"), &stand, &event).await;

    let mut event = recorded("sqs");
    let package = stand.restoring("b.txt").await;
    event["Records"].as_array_mut().unwrap().truncate(1);
    *event.pointer_mut("/Records/0/body").unwrap() = json!(stand.message(&package));
    events("restore", &folder.join("restore"), &stand, &event).await;
}
