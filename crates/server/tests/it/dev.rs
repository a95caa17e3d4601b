//! `packages-service dev` as a process: it starts, survives being killed, and leaves nothing behind.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::app::{fetch, request};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_packages-service");

pub(crate) struct Dev {
    process: Child,
    stack: Value,
}

impl Dev {
    /// Starts it and waits until it says that it is ready.
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
        assert!(lines.any(|line| line.unwrap() == "Ready."), "it ended before it was ready");
        std::thread::spawn(move || lines.count());
        let stack = std::fs::read_to_string(dir.join("stack.json")).unwrap();
        Self { process, stack: serde_json::from_str(&stack).unwrap() }
    }

    pub(crate) fn signal(&mut self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.process.wait().unwrap();
    }

    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.stack.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).as_str().unwrap()
    }

    pub(crate) fn token(&self, user: &str) -> &str {
        let users = self.stack["users"].as_array().unwrap();
        let user = users.iter().find(|u| u["email"] == format!("{user}@example.org")).unwrap();
        user["token"].as_str().unwrap()
    }

    async fn send(&self, method: &str, path: &str, user: &str, body: String) -> crate::app::Answer {
        let url = format!("{}{path}dataset_id={}", self.text("/api"), self.text("/demo/dataset_node_id"));
        crate::app::over_the_wire(request(method, &url, self.token(user), body.into())).await
    }

    async fn progress(&self, package: &str) -> Value {
        let path = format!("/restore?package_id={}&", self.text(&format!("/demo/{package}")));
        self.send("GET", &path, "viewer", String::new()).await.json()
    }

    pub(crate) async fn restore(&self, package: &str) {
        let body = json!({"nodeIds": [self.text(&format!("/demo/{package}"))]}).to_string();
        assert_eq!(self.send("POST", "/restore?", "editor", body).await.status, 200);
    }

    pub(crate) async fn until_ready(&self, package: &str) -> Value {
        let begun = Instant::now();
        loop {
            let progress = self.progress(package).await;
            if progress["state"] == "READY" && progress["restoring"] == 0 {
                return progress;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "{progress}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn it_serves_its_demo_and_keeps_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(dir.path(), &[]);

    let path = format!("/presign/s3?package_id={}&redirect=false&", dev.text("/demo/recording"));
    let link = dev.send("GET", &path, "viewer", String::new()).await.json();
    let file = fetch("GET", link["presigned_url"].as_str().unwrap()).await;
    assert!(file.body.len() > 10_000_000);
    let path = format!("/cloudfront/sign?package_id={}&path=spikes.parquet&", dev.text("/demo/spikes"));
    let link = dev.send("GET", &path, "viewer", String::new()).await.json();
    let parquet = fetch("GET", link["signed_url"].as_str().unwrap()).await;
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    assert_eq!(fetch("GET", &format!("{}/O1/D1/P4/spikes.parquet", dev.text("/edge"))).await.status, 403);
    assert_eq!(dev.send("GET", &path, "stranger", String::new()).await.status, 403);

    // Killed in the middle of a restore, it takes the order up again.
    dev.restore("trashed_folder").await;
    dev.signal("-KILL");
    let mut dev = Dev::start(dir.path(), &[]);
    let folder = dev.until_ready("trashed_folder").await;
    assert_eq!((&folder["restored"], &folder["failures"]), (&json!(55), &json!(0)));

    // Another start of the same directory is told so, and harms nobody.
    let second =
        Command::new(PROGRAM).args(["dev", "--port", "0", "--state-dir"]).arg(dir.path()).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use"));
    assert_eq!(dev.progress("trashed_folder").await["state"], "READY");

    dev.signal("-INT");
    let mut dev = Dev::start(dir.path(), &["--fresh"]);
    assert_eq!(dev.progress("trashed_folder").await["state"], "DELETED");
    let database = dev.text("/database_url").to_owned();
    dev.signal("-TERM");
    assert!(
        tokio_postgres::connect(&database, tokio_postgres::NoTls).await.is_err(),
        "Postgres is stopped too"
    );
}

#[tokio::test]
async fn a_token_can_be_had_for_each_user() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(dir.path(), &[]);
    let token = |user: &str| {
        Command::new(PROGRAM).args(["token", "--user", user, "--state-dir"]).arg(dir.path()).output().unwrap()
    };
    let fresh = String::from_utf8(token("viewer@example.org").stdout).unwrap();
    let path = format!(
        "{}/presign/s3?redirect=false&package_id={}&dataset_id={}",
        dev.text("/api"),
        dev.text("/demo/table"),
        dev.text("/demo/dataset_node_id")
    );
    let answer = crate::app::over_the_wire(request("GET", &path, fresh.trim(), String::new().into())).await;
    assert_eq!(answer.status, 200);
    let unknown = token("nobody@example.org");
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("viewer@example.org"));
}

#[test]
fn the_schema_is_printed_for_the_operator() {
    let printed = Command::new(PROGRAM).arg("schema").output().unwrap().stdout;
    assert!(
        String::from_utf8(printed)
            .unwrap()
            .contains("CREATE TABLE IF NOT EXISTS packages_service.restore_orders")
    );
}
