//! Errors of a run.

use thiserror::Error;

/// Why a run stopped. Nothing is lost: the next run continues.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// Postgres.
    #[error(transparent)]
    Db(#[from] database::Error),
    /// Another worker has the dataset's lease by now.
    #[error("another worker has the lease of the dataset")]
    LeaseLost,
    /// The host has too little time left for a run.
    #[error("not enough time left to start")]
    NotStarted,
    /// The deadline has passed.
    #[error("no time left")]
    TimedOut,
    /// The code panicked.
    #[error("the restore panicked")]
    Panicked,
}
