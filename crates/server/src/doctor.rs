//! `packages-service doctor`: checks what `serve` was told against what is there, and changes nothing.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use doctor::{Report, check_server, render};

use crate::{say, standalone::credentials};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// A file with a variable a line (NAME=value), in place of the environment; `dev` writes .local/serve.env
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

/// Prints what was found. The exit code says whether anything failed.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let file = options.env_file.as_deref().map(read_variables).transpose()?;
    let lookup = |name: &str| match &file {
        Some(variables) => variables.get(name).cloned(),
        None => hosting::read_variable(name),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report =
        runtime.block_on(Box::pin(check_server(&lookup, async |platform| credentials(platform).await)));
    // A look-up of a name that was given up may still be waiting in a thread.
    runtime.shutdown_background();
    say(print(&report, options.json)?.trim_end());
    Ok(if report.is_healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report, is_json: bool) -> io::Result<String> {
    if is_json {
        return Ok(serde_json::to_string_pretty(report)?);
    }
    // NO_COLOR is everybody's way to say so (no-color.org).
    let is_colored =
        io::stdout().is_terminal() && hosting::read_variable("NO_COLOR").is_none_or(|no| no.is_empty());
    Ok(render(report, is_colored))
}

fn read_variables(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let variables = lines.filter_map(|line| line.split_once('='));
    Ok(variables.map(|(name, value)| (name.trim().to_owned(), value.to_owned())).collect())
}
