//! `packages-service dev` as a process: it starts, survives a kill, and stops all its processes.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::app::{build_request, fetch_url};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_packages-service");

pub(crate) struct DevProcess {
    process: Child,
    stack: Value,
}

impl DevProcess {
    /// Starts the process and waits for the line `Ready.`.
    pub(crate) fn start(dir: &Path, more: &[&str]) -> Self {
        let mut process = Command::new(PROGRAM)
            .args(["dev", "--port", "0", "--log", "warn", "--state-dir"])
            .arg(dir)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "Ready."), "the process ended before it was ready");
        std::thread::spawn(move || lines.count());
        let stack = std::fs::read_to_string(dir.join("stack.json")).unwrap();
        Self { process, stack: serde_json::from_str(&stack).unwrap() }
    }

    pub(crate) fn signal(&mut self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.process.wait().unwrap();
    }

    pub(crate) fn stack_text(&self, pointer: &str) -> &str {
        self.stack.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).as_str().unwrap()
    }

    pub(crate) fn user_token(&self, user: &str) -> &str {
        let users = self.stack["users"].as_array().unwrap();
        let user = users.iter().find(|u| u["email"] == format!("{user}@example.org")).unwrap();
        user["token"].as_str().unwrap()
    }

    async fn send(&self, method: &str, path: &str, user: &str, body: String) -> crate::app::TestResponse {
        let url = format!(
            "{}{path}dataset_id={}",
            self.stack_text("/api"),
            self.stack_text("/demo/dataset_node_id")
        );
        crate::app::send_over_tcp(build_request(method, &url, self.user_token(user), body.into())).await
    }

    async fn load_progress(&self, package: &str) -> Value {
        let path = format!("/restore?package_id={}&", self.stack_text(&format!("/demo/{package}")));
        self.send("GET", &path, "viewer", String::new()).await.json()
    }

    pub(crate) async fn order_restore(&self, package: &str) {
        let body = json!({"nodeIds": [self.stack_text(&format!("/demo/{package}"))]}).to_string();
        assert_eq!(self.send("POST", "/restore?", "editor", body).await.status, 200);
    }

    pub(crate) async fn wait_until_ready(&self, package: &str) -> Value {
        let started = Instant::now();
        loop {
            let progress = self.load_progress(package).await;
            if progress["state"] == "READY" && progress["restoring"] == 0 {
                return progress;
            }
            assert!(started.elapsed() < Duration::from_mins(1), "{progress}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for DevProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn dev_serves_the_demo_and_keeps_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let mut dev = DevProcess::start(dir.path(), &[]);

    let path = format!("/presign/s3?package_id={}&redirect=false&", dev.stack_text("/demo/recording"));
    let link = dev.send("GET", &path, "viewer", String::new()).await.json();
    let file = fetch_url("GET", link["presigned_url"].as_str().unwrap()).await;
    assert!(file.body.len() > 10_000_000);
    let path = format!("/cloudfront/sign?package_id={}&path=spikes.parquet&", dev.stack_text("/demo/spikes"));
    let link = dev.send("GET", &path, "viewer", String::new()).await.json();
    let parquet = fetch_url("GET", link["signed_url"].as_str().unwrap()).await;
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    assert_eq!(
        fetch_url("GET", &format!("{}/O1/D1/P4/spikes.parquet", dev.stack_text("/edge"))).await.status,
        403
    );
    assert_eq!(dev.send("GET", &path, "stranger", String::new()).await.status, 403);

    // Killed during a restore, it resumes the order at the next start.
    dev.order_restore("trashed_folder").await;
    dev.signal("-KILL");
    let mut dev = DevProcess::start(dir.path(), &[]);
    let folder = dev.wait_until_ready("trashed_folder").await;
    assert_eq!((&folder["restored"], &folder["failures"]), (&json!(55), &json!(0)));

    // A second start on the same directory fails and does not disturb the first.
    let second =
        Command::new(PROGRAM).args(["dev", "--port", "0", "--state-dir"]).arg(dir.path()).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use"));
    assert_eq!(dev.load_progress("trashed_folder").await["state"], "READY");

    dev.signal("-INT");
    let mut dev = DevProcess::start(dir.path(), &["--fresh"]);
    assert_eq!(dev.load_progress("trashed_folder").await["state"], "DELETED");
    let database = dev.stack_text("/database_url").to_owned();
    dev.signal("-TERM");
    assert!(
        tokio_postgres::connect(&database, tokio_postgres::NoTls).await.is_err(),
        "Postgres is stopped too"
    );
}

#[tokio::test]
async fn the_token_command_issues_a_token_for_each_user() {
    let dir = tempfile::tempdir().unwrap();
    let dev = DevProcess::start(dir.path(), &[]);
    let token = |user: &str| {
        Command::new(PROGRAM).args(["token", "--user", user, "--state-dir"]).arg(dir.path()).output().unwrap()
    };
    let fresh = String::from_utf8(token("viewer@example.org").stdout).unwrap();
    let path = format!(
        "{}/presign/s3?redirect=false&package_id={}&dataset_id={}",
        dev.stack_text("/api"),
        dev.stack_text("/demo/table"),
        dev.stack_text("/demo/dataset_node_id")
    );
    let response =
        crate::app::send_over_tcp(build_request("GET", &path, fresh.trim(), String::new().into())).await;
    assert_eq!(response.status, 200);
    let unknown = token("nobody@example.org");
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("viewer@example.org"));
}

#[test]
fn the_schema_command_prints_the_tables() {
    let printed = Command::new(PROGRAM).arg("schema").output().unwrap().stdout;
    assert!(
        String::from_utf8(printed)
            .unwrap()
            .contains("CREATE TABLE IF NOT EXISTS packages_service.restore_orders")
    );
}
