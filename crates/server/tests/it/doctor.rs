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
fn variables_that_only_a_server_has_are_checked() {
    // Without the network sections: they would wait for hosts that do not exist.
    let examine = |name: &str, value: &str| {
        let output = Command::new(PROGRAM).arg("doctor").env_clear().env(name, value).output().unwrap();
        stdout_text(&output)
    };
    for (name, value) in
        [("LISTEN_ADDRESS", "nowhere"), ("CONSOLE", "yes"), ("CONSOLE_OPERATOR_TOKEN", "short")]
    {
        let report = examine(name, value);
        let line = report.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{report}"));
        assert!(line.starts_with("  failure") && line.contains("invalid value"), "{line}");
        assert!(!report.contains(value), "{report}");
    }
}

#[tokio::test]
async fn the_console_must_have_paths_and_should_know_its_buckets() {
    let dir = tempfile::tempdir().unwrap();
    let _dev = DevProcess::start(dir.path(), &["--no-console"]);
    let file = std::fs::read_to_string(dir.path().join("serve.env")).unwrap();
    let examine = |changes: &[(&str, &str)]| {
        let variables = file.lines().map(|line| line.split_once('=').unwrap());
        let mut command = Command::new(PROGRAM);
        command.arg("doctor").env_clear().envs(variables).envs(changes.iter().copied());
        stdout_text(&command.output().unwrap())
    };
    let report =
        examine(&[("CONSOLE", "on"), ("STORAGE_BUCKETS", ""), ("USER_POOL_DOMAIN", "login.example.org")]);
    assert!(report.contains("on, without a page for operators; people log in"), "{report}");
    assert!(report.contains("the console's pages may read any bucket in us-east-1"), "{report}");
    let report = examine(&[("CONSOLE", "on"), ("API_PATH_PREFIX", "/")]);
    assert!(report.contains("its pages would be paths of the API"), "{report}");
    assert!(!examine(&[]).contains("CONSOLE"));
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
