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
    /// What it printed when it was ready.
    pub(crate) welcome: String,
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
        let welcome: Vec<String> =
            lines.by_ref().map(Result::unwrap).take_while(|line| !line.starts_with("Ctrl-C")).collect();
        std::thread::spawn(move || lines.count());
        let stack = std::fs::read_to_string(dir.join("stack.json")).unwrap();
        Self { process, stack: serde_json::from_str(&stack).unwrap(), welcome: welcome.join("\n") }
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

    // The second dataset, which the editor does not see.
    for (user, names) in [
        ("viewer", &["Hippocampal slice 12", "Spikes for beginners"][..]),
        ("editor", &["Hippocampal slice 12"]),
    ] {
        let list = dev.send("GET", "/datasets?", user, String::new()).await.json();
        let listed: Vec<_> =
            list["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
        assert_eq!(json!(listed), json!(names), "{user}");
    }
    let url = format!(
        "{}/children?dataset_id={}",
        dev.stack_text("/api"),
        dev.stack_text("/demo/course_dataset_node_id")
    );
    let token = dev.user_token("viewer");
    let children =
        crate::app::send_over_tcp(build_request("GET", &url, token, String::new().into())).await.json();
    let names: Vec<_> =
        children["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    assert_eq!(json!(names), json!(["README.md", "channel-20.wav", "exercise"]));
    assert_eq!(children["items"][1]["id"], dev.stack_text("/demo/sound"));

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

/// The permission bits of a file or a directory.
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}

#[tokio::test]
async fn the_secrets_of_a_state_directory_are_its_own() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Below the ports that the system assigns, so that no other process gets it during the restart.
    let port = (10_000 + std::process::id() % 20_000).to_string();
    let mut dev = DevProcess::start(one.path(), &["--s3-port", &port]);
    for name in ["s3", "s3/bodies", "keys", "tokens", "changelog.jsonl", "stack.json", "serve.env", "keys/s3"]
    {
        // What is in a closed directory is closed, too.
        let open = mode(&one.path().join(name)) & 0o077;
        assert!(open == 0 || name == "s3/bodies", "{name} is open to others: {open:o}");
    }
    let database = dev.stack_text("/database_url").parse::<tokio_postgres::Config>().unwrap();
    let password = String::from_utf8(database.get_password().unwrap().to_vec()).unwrap();
    let secret = dev.stack_text("/s3/secret_access_key").to_owned();
    assert!(dev.welcome.contains("postgresql://") || dev.welcome.contains("postgres://"), "{}", dev.welcome);
    assert!(!dev.welcome.contains(&password) && !dev.welcome.contains(&secret), "{}", dev.welcome);

    // A link outlives a restart: the keys stay. Another directory has others.
    let path = format!("/presign/s3?package_id={}&redirect=false&", dev.stack_text("/demo/table"));
    let link = dev.send("GET", &path, "viewer", String::new()).await.json();
    dev.signal("-TERM");
    let _dev = DevProcess::start(one.path(), &["--s3-port", &port]);
    assert_eq!(fetch_url("GET", link["presigned_url"].as_str().unwrap()).await.status, 200);
    let other = DevProcess::start(other.path(), &[]);
    assert_ne!(other.stack_text("/s3/secret_access_key"), secret);
}

/// `dev` reads the list by the rules of `serve`.
#[tokio::test]
async fn the_buckets_of_the_proxy_mean_the_same_as_in_serve() {
    for (list, status) in [("", 307), (",", 400)] {
        let dir = tempfile::tempdir().unwrap();
        let dev = DevProcess::start(dir.path(), &["--proxy-allowed-buckets", list]);
        let path = format!("/presign/s3?package_id={}&redirect=false&", dev.stack_text("/demo/table"));
        let link = dev.send("GET", &path, "viewer", String::new()).await.json();
        let proxied = format!(
            "{}/proxy/s3?presigned_url={}",
            dev.stack_text("/api"),
            crate::app::percent_encode(link["presigned_url"].as_str().unwrap())
        );
        assert_eq!(fetch_url("GET", &proxied).await.status, status, "{list:?}");
    }
    let refused = |list: &str| {
        let dir = tempfile::tempdir().unwrap();
        let mut dev = Command::new(PROGRAM);
        dev.args(["dev", "--port", "0", "--proxy-allowed-buckets", list, "--state-dir"]).arg(dir.path());
        dev.output().unwrap()
    };
    let output = refused("NO BUCKET");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("invalid value: PROXY_ALLOWED_BUCKETS"), "{said}");
}

#[test]
fn numbers_that_are_too_long_are_errors() {
    let long = "99999999999999999999999";
    for arguments in [
        ["dev", "--port", long],
        ["dev", "--s3-port", long],
        ["serve", "--listen", &format!("127.0.0.1:{long}")],
    ] {
        let output = Command::new(PROGRAM).args(arguments).env_clear().output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Exit code 101 would be a panic.
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(arguments[1]), "{said}");
    }
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
