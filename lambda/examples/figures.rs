//! Prints the cost of the functions: `cargo run --release -p lambda --example figures [FOLDER]`. The folder has their programs in
//! release mode. Figures from a busy machine are not meaningful.
//!
//! Each program runs as in Lambda, with a local Postgres and a local S3. CPU time is that of all threads of the process. With
//! `TEST_DATABASE_URL`, `POSTGRES_SSL_MODE=require` and `POSTGRES_CA_FILE` they connect to a given Postgres by TLS, as on AWS.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a command-line program that panics on unexpected results"
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

#[path = "../tests/it/environment.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod environment;
#[path = "../tests/it/pools.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod pools;

use environment::TestEnvironment;
use pools::{UserPools, sign_user_token};

/// Starts of each program. The median is printed.
const START_COUNT: usize = 20;

/// Variables that are passed on to the functions if they are set.
const FORWARDED_VARIABLES: [&str; 3] = ["POSTGRES_SSL_MODE", "POSTGRES_CA_FILE", "SSL_CERT_FILE"];

/// Events of each kind.
const EVENT_COUNT: u32 = 2000;

/// Fields are dropped in this order: the process is killed before its API stops, or it would log an error.
struct Function {
    process: Child,
    api: RuntimeApi,
}

impl Function {
    async fn start(program: &Path, environment: &TestEnvironment) -> Self {
        let api = RuntimeApi::start().await.unwrap();
        let mut command = api.command(program);
        command.envs(&environment.variables).stdout(Stdio::null());
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

    /// CPU time so far.
    fn cpu(&self) -> Duration {
        let threads = fs::read_dir(self.proc().join("task")).unwrap();
        let spent = threads.map(|thread| {
            let times = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
            Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
        });
        spent.sum()
    }
}

/// Prints a program's size, its median time to the first poll, and its memory then.
async fn measure_start(program: &Path, environment: &TestEnvironment) {
    let mut times = Vec::new();
    for _ in 0..START_COUNT {
        times.push(Function::start(program, environment).await.api.init_duration().await);
    }
    times.sort();
    let function = Function::start(program, environment).await;
    let size = fs::metadata(program).unwrap().len();
    println!(
        "{:<12} {:>5.2} MB program, first poll after {:>5.1} ms (median of {START_COUNT}), {:>4.1} MB resident, {:.1} ms CPU",
        program.file_name().unwrap().to_str().unwrap(),
        f64::from(u32::try_from(size).unwrap()) / 1e6,
        times.get(START_COUNT / 2).unwrap().as_secs_f64() * 1e3,
        function.memory(),
        function.cpu().as_secs_f64() * 1e3,
    );
}

/// Prints the cost of an event: the first one, and the mean of many.
async fn measure_events(what: &str, program: &Path, environment: &TestEnvironment, event: &Value) {
    let function = Function::start(program, environment).await;
    let started = Instant::now();
    let response = function.invoke(event.clone()).await;
    let first = started.elapsed();
    let status = response["statusCode"].as_u64().or(response["isAuthorized"].as_bool().map(u64::from));
    let (started, cpu) = (Instant::now(), function.cpu());
    for _ in 0..EVENT_COUNT {
        function.invoke(event.clone()).await;
    }
    let (elapsed, cpu) = (started.elapsed(), function.cpu().saturating_sub(cpu));
    println!(
        "{what:<12} answer {}, first {:>4.1} ms, then {:>5.0}/s, {:>4.0} µs CPU each, {:>4.1} MB resident",
        status.unwrap_or_default(),
        first.as_secs_f64() * 1e3,
        f64::from(EVENT_COUNT) / elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / f64::from(EVENT_COUNT),
        function.memory(),
    );
}

fn load_event(name: &str) -> Value {
    let path = format!("{}/tests/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn build_request(environment: &TestEnvironment, path: &str, query: &str) -> Value {
    let mut event = load_event("get");
    event["rawQueryString"] = json!(format!("dataset_id={}&{query}", environment.dataset.node_id));
    event["requestContext"]["http"]["path"] = json!(path);
    event["requestContext"]["authorizer"]["lambda"] = environment.authorizer_context(2);
    event
}

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).map_or("target/release".into(), PathBuf::from);
    let (mut environment, pools) = (TestEnvironment::start().await, UserPools::start().await);
    environment.variables.extend(pools.variables());
    let given = |name| Some((name, std::env::var_os(name)?.into_string().unwrap()));
    environment.variables.extend(FORWARDED_VARIABLES.into_iter().filter_map(given));
    for name in ["service", "restore", "authorizer"] {
        measure_start(&folder.join(name), &environment).await;
    }

    let package = environment.create_file("a.txt", b"hello").await;
    let query = format!("package_id={}&path=a.parquet", package.node_id);
    let service = folder.join("service");
    let presign = build_request(&environment, "/presign/s3", &query);
    measure_events("presign", &service, &environment, &presign).await;
    measure_events("sign", &service, &environment, &build_request(&environment, "/cloudfront/sign", &query))
        .await;
    measure_events("health", &service, &environment, &build_request(&environment, "/health", "")).await;

    let user = environment.create_user("viewer").await;
    let token = sign_user_token(&user);
    let mut event = load_event("authorizer");
    event["identitySource"] = json!([format!("Bearer {token}"), environment.dataset.node_id]);
    measure_events("authorize", &folder.join("authorizer"), &environment, &event).await;

    let mut event = load_event("sqs");
    let package = environment.create_restoring("b.txt").await;
    event["Records"].as_array_mut().unwrap().truncate(1);
    *event.pointer_mut("/Records/0/body").unwrap() = json!(environment.restore_message(&package));
    measure_events("restore", &folder.join("restore"), &environment, &event).await;
}
