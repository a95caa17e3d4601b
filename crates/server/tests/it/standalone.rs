//! `packages-service serve` as a process, configured only by its environment, on the stack of `dev`.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
};

use axum::body::Body;
use http::Request;
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, net::TcpSocket, task::JoinSet};

use crate::{
    app::{TestResponse, build_request, fetch_url, send_over_tcp, try_send_over_tcp, wait_until},
    dev::{DevProcess, PROGRAM},
};

pub(crate) struct ServeProcess {
    process: Child,
    pub(crate) api: String,
    pub(crate) log: Receiver<Value>,
}

impl ServeProcess {
    /// Starts the process and waits for the log line `ready`.
    fn start(state: &Path) -> Self {
        Self::spawn(serve_command(state))
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let ready = log
            .iter()
            .find(|line: &Value| line["message"] == "ready")
            .expect("the process ended before it was ready");
        Self { process, api: format!("http://{}", ready["address"].as_str().unwrap()), log }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> TestResponse {
        send_over_tcp(self.build_get(path, token)).await
    }

    /// `None`: a server that is full has reset the connection.
    async fn try_get(&self, path: &str, token: &str) -> Option<TestResponse> {
        try_send_over_tcp(self.build_get(path, token)).await.ok()
    }

    fn build_get(&self, path: &str, token: &str) -> Request<Body> {
        build_request("GET", &format!("{}{path}", self.api), token, String::new().into())
    }

    pub(crate) fn terminate(&mut self) {
        Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for ServeProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The command with the variables of `serve.env` only.
pub(crate) fn serve_command(state: &Path) -> Command {
    let file = std::fs::read_to_string(state.join("serve.env")).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("serve").env_clear().envs(file.lines().map(|line| line.split_once('=').unwrap()));
    command.env("LISTEN_ADDRESS", "127.0.0.1:0");
    command
}

#[tokio::test]
async fn serve_uses_an_existing_platform() {
    let dir = tempfile::tempdir().unwrap();
    let mut dev = DevProcess::start(dir.path(), &[]);
    let mut serve = ServeProcess::start(dir.path());
    let viewer = dev.user_token("viewer").to_owned();
    let dataset = format!("dataset_id={}", dev.stack_text("/demo/dataset_node_id"));

    let path =
        format!("/packages/presign/s3?{dataset}&package_id={}&redirect=false", dev.stack_text("/demo/table"));
    let response = serve.get(&path, &viewer).await;
    let file = fetch_url("GET", response.json()["presigned_url"].as_str().unwrap()).await;
    assert!(file.body.starts_with(b"unit_id,"));
    let path = format!(
        "/packages/cloudfront/sign?{dataset}&package_id={}&path=spikes.parquet",
        dev.stack_text("/demo/spikes")
    );
    let response = serve.get(&path, &viewer).await;
    assert_eq!(fetch_url("GET", response.json()["signed_url"].as_str().unwrap()).await.status, 200);
    assert_eq!(serve.get(&path, dev.user_token("stranger")).await.status, 403);

    // `serve` runs an order that the process `dev` accepted.
    dev.order_restore("trashed_folder").await;
    dev.wait_until_ready("trashed_folder").await;

    let metrics = serve.get("/metrics", "").await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    for line in [
        r#"requests_total{route="/packages/presign/s3",method="GET",status="200"} 1"#,
        r#"requests_total{route="/packages/cloudfront/sign",method="GET",status="403"} 1"#,
        r#"links_issued_total{kind="cdn-asset",key_id="KLOCAL00000001"} 1"#,
        r#"refusals_total{reason="forbidden"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    serve.terminate();
    let answered: Vec<Value> =
        serve.log.iter().filter(|line| line["message"] == "request completed").collect();
    assert_eq!(answered.len(), 3);
    assert_eq!(
        (&answered[0]["route"], &answered[0]["statements"]),
        // Identity, workspace and role together; the link.
        (&"/packages/presign/s3".into(), &2.into())
    );
    dev.signal("-TERM");
}

/// Clients without a token. Each sends requests as fast as the service takes them, and reads no response.
fn start_silent_clients(serve: &ServeProcess, count: usize) -> JoinSet<()> {
    let address: SocketAddr = serve.api.replace("http://", "").parse().unwrap();
    // The largest response, so that few requests are enough.
    let requests: Arc<str> = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(5000).into();
    let mut clients = JoinSet::new();
    for _ in 0..count {
        let requests = Arc::clone(&requests);
        clients.spawn(async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            let Ok(mut client) = socket.connect(address).await else { return };
            let _ = client.write_all(requests.as_bytes()).await;
            std::future::pending::<()>().await;
        });
    }
    clients
}

#[tokio::test]
async fn a_process_with_few_files_outlives_clients_that_never_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut dev = DevProcess::start(dir.path(), &[]);
    let serve = serve_command(dir.path());
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 256 && exec \"$0\" serve", PROGRAM]);
    command.env_clear().envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.envs([("API_PATH_PREFIX", "/data"), ("WRITE_TIMEOUT_SECONDS", "10")]);
    let mut serve = ServeProcess::spawn(command);
    let viewer = dev.user_token("viewer").to_owned();
    let path = format!(
        "/data/presign/s3?redirect=false&dataset_id={}&package_id={}",
        dev.stack_text("/demo/dataset_node_id"),
        dev.stack_text("/demo/table")
    );
    // The prefix is that of all routes, and of the links to them. `/metrics` has none.
    let link = serve.get(&path, &viewer).await;
    let proxy_url = link.json()["proxy_url"].as_str().unwrap().to_owned();
    assert!(proxy_url.starts_with(&format!("{}/data/proxy/s3/", serve.api)), "{proxy_url}");
    assert_eq!(fetch_url("GET", &proxy_url).await.status, 307);
    assert_eq!(serve.get("/packages/health", "").await.status, 404);
    assert_eq!(serve.get("/metrics", "").await.status, 200);

    let silent = start_silent_clients(&serve, 300);
    // 192 connections are a quarter less than 256. All must be connected before the first is cut off.
    let has_status = async |path: &str, token: &str, status: u16| {
        serve.try_get(path, token).await.is_some_and(|response| response.status == status)
    };
    wait_until("it is full", async || has_status("/data/health", "", 503).await).await;
    wait_until("they are cut off", async || {
        let Some(metrics) = serve.try_get("/metrics", "").await else { return false };
        let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
        metrics.contains(r#"connections_timed_out_total{phase="write"}"#)
            && metrics.contains("connections_refused_total")
    })
    .await;
    wait_until("it serves again", async || has_status(&path, &viewer, 200).await).await;
    drop(silent);
    serve.terminate();
    dev.signal("-TERM");
}

#[test]
fn names_all_missing_variables_at_once() {
    let output = Command::new(PROGRAM).arg("serve").env_clear().output().unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message.lines().count(), 1, "{message}");
    for name in ["ENV", "USER_POOL", "CLOUDFRONT_KEY_ID", "JOBS_QUEUE_ID", "RDS_PROXY_ENDPOINT"] {
        assert!(message.contains(name), "{message}");
    }
}
