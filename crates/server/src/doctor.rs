//! `packages-service doctor`: checks the configuration of `serve` against the platform, without changing anything.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use doctor::{Report, check_server, render};
use hosting::config::VariableLookup;

use crate::{CommandError, print_line, standalone::load_credentials};

#[derive(clap::Args)]
pub(crate) struct DoctorOptions {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Read the variables from a file (NAME=value per line) instead of the environment; `dev` writes .local/serve.env
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

/// Prints the report. The exit code is 1 if a check failed.
pub(crate) fn run_doctor(options: &DoctorOptions) -> Result<ExitCode, CommandError> {
    let file = options.env_file.as_deref().map(read_env_file).transpose()?;
    let lookup = |name: &str| match &file {
        Some(variables) => variables.get(name).cloned(),
        None => hosting::read_variable(name),
    };
    let report = run_checks(&lookup)?;
    print_line(format_report(&report, options.json)?.trim_end());
    Ok(if report.is_healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks what the variables of `serve` name, on a runtime of its own. It blocks.
pub(crate) fn run_checks(lookup: VariableLookup<'_>) -> io::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report =
        runtime.block_on(Box::pin(check_server(lookup, async |platform| load_credentials(platform).await)));
    // A DNS look-up that timed out may still block a thread: do not wait for it.
    runtime.shutdown_background();
    Ok(report)
}

fn format_report(report: &Report, is_json: bool) -> serde_json::Result<String> {
    if is_json {
        return serde_json::to_string_pretty(report);
    }
    // NO_COLOR: see no-color.org.
    let is_colored =
        io::stdout().is_terminal() && hosting::read_variable("NO_COLOR").is_none_or(|value| value.is_empty());
    Ok(render(report, is_colored))
}

fn read_env_file(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let variables = lines.filter_map(|line| line.split_once('='));
    Ok(variables.map(|(name, value)| (name.trim().to_owned(), value.to_owned())).collect())
}
