//! `packages-service doctor` as a process, on the stack of `dev`.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::dev::{DevProcess, PROGRAM};

/// Runs the doctor with these options and the variables of `serve.env` only.
fn run_doctor(state: &Path, more: &[&str]) -> Output {
    let file = state.join("serve.env");
    Command::new(PROGRAM).args(["doctor", "--env-file"]).arg(file).args(more).env_clear().output().unwrap()
}

fn stdout_text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn the_doctor_checks_the_stack_of_dev() {
    let dir = tempfile::tempdir().unwrap();
    let mut dev = DevProcess::start(dir.path(), &[]);
    let found = run_doctor(dir.path(), &[]);
    let report = stdout_text(&found);
    assert!(found.status.success(), "{report}");
    assert!(report.starts_with("Configuration\n  ok       variables"), "{report}");
    assert!(!report.contains("\x1b[") && !report.contains("failure"), "{report}");

    let json: Value = serde_json::from_str(&stdout_text(&run_doctor(dir.path(), &["--json"]))).unwrap();
    assert_eq!(json["status"], "warning", "the demo's role has no timeouts");
    assert_eq!(json["sections"].as_array().unwrap().len(), 8);

    // The same with variables from the environment.
    let file = std::fs::read_to_string(dir.path().join("serve.env")).unwrap();
    let variables = file.lines().map(|line| line.split_once('=').unwrap());
    let output = Command::new(PROGRAM).arg("doctor").env_clear().envs(variables).output().unwrap();
    assert!(output.status.success());

    dev.signal("-TERM");
    let gone = run_doctor(dir.path(), &[]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(stdout_text(&gone).contains("refuses connections"));
}

#[test]
fn missing_variables_are_failures() {
    let output = Command::new(PROGRAM).arg("doctor").env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout_text(&output).contains("failure  USER_POOL"), "{}", stdout_text(&output));
    let output = run_doctor(Path::new("/no/such/directory"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("serve.env"));
}
