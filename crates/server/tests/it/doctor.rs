//! `packages-service doctor` as a process, on the stack that `dev` serves.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::dev::{Dev, PROGRAM};

/// Runs it with these options and no other variables than those of `serve.env`.
fn doctor(state: &Path, more: &[&str]) -> Output {
    let file = state.join("serve.env");
    Command::new(PROGRAM).args(["doctor", "--env-file"]).arg(file).args(more).env_clear().output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn it_finds_what_dev_serves_and_what_is_broken_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(dir.path(), &[]);
    let found = doctor(dir.path(), &[]);
    let report = text(&found);
    assert!(found.status.success(), "{report}");
    assert!(report.starts_with("Configuration\n  ok       variables"), "{report}");
    assert!(!report.contains("\x1b[") && !report.contains("failure"), "{report}");

    let json: Value = serde_json::from_str(&text(&doctor(dir.path(), &["--json"]))).unwrap();
    assert_eq!(json["status"], "warning", "the demo's role has no limits");
    assert_eq!(json["sections"].as_array().unwrap().len(), 8);

    // The same by the environment.
    let file = std::fs::read_to_string(dir.path().join("serve.env")).unwrap();
    let variables = file.lines().map(|line| line.split_once('=').unwrap());
    let output = Command::new(PROGRAM).arg("doctor").env_clear().envs(variables).output().unwrap();
    assert!(output.status.success());

    dev.signal("-TERM");
    let gone = doctor(dir.path(), &[]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(text(&gone).contains("refuses connections"));
}

#[test]
fn what_is_missing_is_a_failure() {
    let output = Command::new(PROGRAM).arg("doctor").env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("failure  USER_POOL"), "{}", text(&output));
    let output = doctor(Path::new("/no/such/directory"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("serve.env"));
}
