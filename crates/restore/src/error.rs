//! Errors of a run.

use std::fmt;

/// Why a run stopped. Nothing is lost: the next run continues.
#[derive(Debug)]
pub enum RestoreError {
    /// Postgres.
    Db(database::Error),
    /// Another worker has the dataset's lease by now.
    LeaseLost,
    /// The deadline has passed.
    TimedOut,
    /// The code panicked.
    Panicked,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Db(error) => error.fmt(f),
            Self::LeaseLost => f.write_str("another worker has the lease of the dataset"),
            Self::TimedOut => f.write_str("no time left"),
            Self::Panicked => f.write_str("a panic"),
        }
    }
}

impl std::error::Error for RestoreError {}

impl From<database::Error> for RestoreError {
    fn from(error: database::Error) -> Self {
        Self::Db(error)
    }
}
