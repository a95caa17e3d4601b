//! A function as a process, and the events for it.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use local::lambda::{Invocation, RuntimeApi};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Child;

use crate::environment::Variables;

pub(crate) const SERVICE: &str = env!("CARGO_BIN_EXE_service");
pub(crate) const RESTORE: &str = env!("CARGO_BIN_EXE_restore");
pub(crate) const AUTHORIZER: &str = env!("CARGO_BIN_EXE_authorizer");

/// A running function. It ends with the test.
pub(crate) struct Function {
    pub(crate) api: RuntimeApi,
    pub(crate) process: Child,
    dir: TempDir,
}

impl Function {
    /// Starts a program without waiting for its first poll.
    pub(crate) async fn spawn(program: &str, variables: &Variables) -> Self {
        let api = RuntimeApi::start().await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let output = |name: &str| Stdio::from(File::create(dir.path().join(name)).unwrap());
        let mut command = api.command(program);
        command.envs(variables).stdin(Stdio::null()).stdout(output("stdout")).stderr(output("stderr"));
        let process = api.spawn(command).unwrap();
        Self { api, process, dir }
    }

    pub(crate) async fn start(program: &str, variables: &Variables) -> Self {
        let mut function = Self::spawn(program, variables).await;
        tokio::select! {
            ended = function.process.wait() => {
                panic!("{} ended: {ended:?}: {}", program, fs::read_to_string(function.dir.path().join("stderr")).unwrap())
            }
            _ = function.api.init_duration() => {}
        }
        function
    }

    pub(crate) async fn invoke(&self, event: Value) -> Result<Value, Value> {
        self.api.invoke(event, Invocation::default()).await
    }

    pub(crate) async fn invoke_in_trace(&self, event: Value, trace: &str) -> Result<Value, Value> {
        self.api
            .invoke(event, Invocation { trace_header: Some(trace.to_owned()), ..Invocation::default() })
            .await
    }

    pub(crate) async fn invoke_within(&self, event: Value, time: Duration) -> Result<Value, Value> {
        self.api.invoke(event, Invocation { timeout: time, ..Invocation::default() }).await
    }

    pub(crate) fn stdout(&self) -> String {
        self.read("stdout")
    }

    pub(crate) fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// The lines of the log.
    pub(crate) fn log(&self) -> Vec<Value> {
        let stdout = self.stdout();
        let lines =
            stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")));
        lines.collect()
    }

    fn read(&self, name: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        fs::read_to_string(path).unwrap()
    }
}

/// A recorded event.
pub(crate) fn load_event(name: &str) -> Value {
    let path = format!("{}/tests/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}
