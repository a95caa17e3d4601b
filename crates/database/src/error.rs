//! What can go wrong between us and Postgres.

use std::{fmt, time::Duration};

use tokio_postgres::error::{DbError, SqlState};

use aws::error_chain;

/// What went wrong between us and Postgres. Its text is for the log, never for a client.
#[derive(Debug)]
pub enum Error {
    /// No connection could be had, or it was lost: worth another try.
    Unreachable(Box<dyn std::error::Error + Send + Sync>),
    /// A statement took longer than it may, or waited so long for a lock: worth another try, but not at once.
    TimedOut(String),
    /// Postgres refused the statement.
    Refused(Box<tokio_postgres::Error>),
    /// What the operator has set cannot work, in words for the operator. Another try does not help.
    Misconfigured(String),
}

impl Error {
    /// [`Error::Unreachable`] with this cause.
    pub fn unreachable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreachable(error.into())
    }

    /// Whether another try does not help, as far as can be told.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Misconfigured(_) | Self::TimedOut(_))
    }

    /// Postgres's own code for what is wrong, as in `28P01`, if it said anything.
    #[must_use]
    pub fn sql_state(&self) -> Option<&str> {
        let error = match self {
            Self::Unreachable(error) => error.downcast_ref::<tokio_postgres::Error>()?,
            Self::Refused(error) => &**error,
            Self::TimedOut(_) | Self::Misconfigured(_) => return None,
        };
        error.code().map(SqlState::code)
    }

    pub(crate) fn no_answer_within(limit: Duration) -> Self {
        Self::TimedOut(format!("no answer within {limit:?}"))
    }

    /// Whether the statement was the one by which a deadlock was broken. Its connection lives.
    pub(crate) fn is_deadlock(&self) -> bool {
        let Self::Unreachable(error) = self else { return false };
        let error = error.downcast_ref::<tokio_postgres::Error>();
        error.and_then(tokio_postgres::Error::code) == Some(&SqlState::T_R_DEADLOCK_DETECTED)
    }

    /// The name of the unique index or constraint that refused the statement.
    #[must_use]
    pub fn unique_violation(&self) -> Option<&str> {
        let Self::Refused(error) = self else { return None };
        let error = error.as_db_error().filter(|error| *error.code() == SqlState::UNIQUE_VIOLATION)?;
        error.constraint()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => {
                write!(f, "the database cannot be reached: {}", error_chain(&**error))
            }
            Self::TimedOut(why) => write!(f, "a statement took too long: {why}"),
            Self::Refused(error) => match error.as_db_error() {
                None => write!(f, "a statement failed: {}", error_chain(error)),
                Some(refusal) => write!(f, "the database refused a statement: {}", words(refusal)),
            },
            Self::Misconfigured(what) => write!(f, "the database's settings cannot work: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(refusal) if is_over_a_limit(refusal.code()) => Self::TimedOut(words(refusal)),
            Some(refusal) if is_passing(refusal.code()) => Self::unreachable(error),
            None if error.is_closed() => Self::unreachable(error),
            _ => Self::Refused(Box::new(error)),
        }
    }
}

fn words(refusal: &DbError) -> String {
    format!("{} {}", refusal.code().code(), refusal.message())
}

/// The role's `lock_timeout` or `statement_timeout` is over, or an administrator cancelled the statement.
fn is_over_a_limit(code: &SqlState) -> bool {
    matches!(*code, SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED)
}

/// Conditions of the server that pass: it shuts down, starts, has no room, broke a deadlock at our cost, or has ended a
/// session that stood still in a transaction.
fn is_passing(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    matches!(class, "08" | "53" | "57")
        || *code == SqlState::T_R_DEADLOCK_DETECTED
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
}
