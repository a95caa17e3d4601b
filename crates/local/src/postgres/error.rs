//! Why there is no server, in words that say what to do.

use std::{error::Error, fmt, io, path::PathBuf};

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum PostgresError {
    /// Nowhere did we find `postgres` and `initdb`. These were found, but the account that the server runs as
    /// cannot reach them.
    NotInstalled {
        /// The directories found.
        out_of_reach: Vec<PathBuf>,
    },
    /// The directory that was named lacks `postgres` or `initdb`, or the server's account cannot reach it.
    BadBinaries(PathBuf),
    /// Another major version made the data directory, and that version is not installed.
    OtherVersion {
        /// The data directory.
        data_dir: PathBuf,
        /// The major version that made it.
        version: u32,
    },
    /// The directory holds something that is not PostgreSQL's.
    Occupied(PathBuf),
    /// `initdb` failed; this is what it said.
    NotInitialised(String),
    /// The server ended instead of starting.
    NotStarted {
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        said: String,
    },
    /// The system refused something.
    Io {
        /// What was refused.
        context: String,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled { out_of_reach } if out_of_reach.is_empty() => {
                f.write_str("PostgreSQL is not installed: run `make setup`, or set PG_BIN_DIR")
            }
            Self::NotInstalled { out_of_reach } => write!(
                f,
                "PostgreSQL does not run as root, and other accounts cannot reach {}: work as another user, \
                 or install PostgreSQL system-wide",
                list(out_of_reach)
            ),
            Self::BadBinaries(dir) => {
                write!(
                    f,
                    "{} must hold `postgres` and `initdb`, within reach of the server's account",
                    dir.display()
                )
            }
            Self::OtherVersion { data_dir, version } => write!(
                f,
                "{} was made by PostgreSQL {version}, which is not installed: install it and set PG_BIN_DIR, \
                 or remove the directory to begin anew",
                data_dir.display()
            ),
            Self::Occupied(dir) => {
                write!(
                    f,
                    "{} is neither empty nor a data directory of PostgreSQL's: choose another",
                    dir.display()
                )
            }
            Self::NotInitialised(said) => write!(f, "initdb failed:\n{said}"),
            Self::NotStarted { log, said } => {
                write!(f, "PostgreSQL did not start; {} ends:\n{said}", log.display())
            }
            Self::Io { context, source } => write!(f, "{context}: {source}"),
        }
    }
}

impl Error for PostgresError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn list(dirs: &[PathBuf]) -> String {
    dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The last lines of a log.
pub(super) fn tail(log: &str) -> String {
    let mut lines: Vec<&str> = log.lines().rev().take(10).collect();
    lines.reverse();
    lines.join("\n")
}

/// Says what was being done when the system refused.
pub(super) trait Context<T> {
    fn context(self, context: impl FnOnce() -> String) -> Result<T, PostgresError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, context: impl FnOnce() -> String) -> Result<T, PostgresError> {
        self.map_err(|source| PostgresError::Io { context: context(), source })
    }
}
