//! Why a server did not start, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The number of log lines in an error.
const MAX_LOG_LINES: usize = 10;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// No directory has `postgres` and `initdb`.
    #[error("PostgreSQL is not installed: run `make setup`, or set PG_BIN_DIR")]
    NotInstalled,
    /// PostgreSQL does not run as root, and the account that it would run as cannot reach these directories.
    #[error(
        "PostgreSQL does not run as root, and other accounts cannot reach {}: run as another user, or install \
         PostgreSQL system-wide",
        join_paths(.0)
    )]
    Unreachable(Vec<PathBuf>),
    /// The configured directory lacks `postgres` or `initdb`, or the server's account cannot reach it.
    #[error("{} must contain `postgres` and `initdb`, and the server's account must have access", .0.display())]
    InvalidBinaries(PathBuf),
    /// Another major version created the data directory, and that version is not installed.
    #[error(
        "{} was created by PostgreSQL {version}, which is not installed: install it and set PG_BIN_DIR, or \
         remove the directory to start with an empty database",
        .data_dir.display()
    )]
    VersionMismatch {
        /// The data directory.
        data_dir: PathBuf,
        /// The major version that created it.
        version: u32,
    },
    /// The directory is not empty and no data directory.
    #[error("{} is neither empty nor a data directory of PostgreSQL: choose another directory", .0.display())]
    NotADataDir(PathBuf),
    /// `initdb` failed with this output.
    #[error("initdb failed:\n{0}")]
    InitdbFailed(String),
    /// The server exited instead of accepting connections.
    #[error("PostgreSQL did not start. The last lines of {}:\n{output}", .log_path.display())]
    StartFailed {
        /// The server's log.
        log_path: PathBuf,
        /// The last lines of the log.
        output: String,
    },
    /// A system call failed.
    #[error("{context}: {source}")]
    Io {
        /// What failed.
        context: String,
        /// The reason.
        source: io::Error,
    },
}

fn join_paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The last lines of a log.
pub(super) fn last_lines(log: &str) -> String {
    let mut lines: Vec<&str> = log.lines().rev().take(MAX_LOG_LINES).collect();
    lines.reverse();
    lines.join("\n")
}

/// Adds what failed to an error of the system: `.map_err(io_error("cannot open", path))`.
pub(super) fn io_error(action: &str, path: &Path) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| PostgresError::Io { context: format!("{action} {}", path.display()), source }
}

/// Adds what failed to an error of the system.
pub(super) fn io_context(context: &str) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| PostgresError::Io { context: context.to_owned(), source }
}
