//! The errors of statements and connections.

use std::time::Duration;

use tokio_postgres::error::{DbError, SqlState};

use aws::error_chain;

/// Why a statement or a connection failed. The text is for the log, never for a client. It includes the causes, so there
/// is no `source`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection, or it was lost. Another attempt may succeed.
    #[error("the database cannot be reached: {}", error_chain(&**.0))]
    Unreachable(Box<dyn std::error::Error + Send + Sync>),
    /// A statement exceeded its time limit, or waited too long for a lock. Another attempt may succeed, but not at once.
    #[error("a statement took too long: {0}")]
    TimedOut(String),
    /// Postgres refused the statement.
    #[error("{}", describe_refusal(.0))]
    Refused(Box<tokio_postgres::Error>),
    /// The configuration is invalid; the text is for the operator. Another attempt does not help.
    #[error("invalid database configuration: {0}")]
    Misconfigured(String),
}

impl Error {
    /// An [`Error::Unreachable`] with this cause.
    pub fn unreachable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreachable(error.into())
    }

    /// Whether another attempt does not help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Misconfigured(_) | Self::TimedOut(_))
    }

    /// Postgres's error code, as in `28P01`, if Postgres answered.
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

    /// Whether Postgres cancelled the statement to break a deadlock. The connection stays usable.
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

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(refusal) if is_time_limit(refusal.code()) => Self::TimedOut(code_and_message(refusal)),
            Some(refusal) if is_transient(refusal.code()) => Self::unreachable(error),
            None if error.is_closed() => Self::unreachable(error),
            _ => Self::Refused(Box::new(error)),
        }
    }
}

fn describe_refusal(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        None => format!("a statement failed: {}", error_chain(error)),
        Some(refusal) => format!("the database refused a statement: {}", code_and_message(refusal)),
    }
}

/// Only these two: an error's detail and hint may repeat values of a row.
fn code_and_message(refusal: &DbError) -> String {
    format!("{} {}", refusal.code().code(), refusal.message())
}

/// The role's `lock_timeout` or `statement_timeout`, or an administrator who cancelled the statement.
fn is_time_limit(code: &SqlState) -> bool {
    matches!(*code, SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED)
}

/// Conditions of the server that pass: connection failures (class 08), too few resources (53), shutdown and start (57), a
/// deadlock, and a session that was idle in a transaction (PostgreSQL documentation, "PostgreSQL Error Codes").
fn is_transient(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    matches!(class, "08" | "53" | "57")
        || *code == SqlState::T_R_DEADLOCK_DETECTED
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_sorted_by_what_a_retry_does() {
        for (code, time_limit, transient) in [
            ("55P03", true, false),
            ("57014", true, true),
            ("08006", false, true),
            ("53300", false, true),
            ("57P01", false, true),
            ("40P01", false, true),
            ("25P03", false, true),
            ("23505", false, false),
            ("40001", false, false),
            ("28P01", false, false),
        ] {
            let state = SqlState::from_code(code);
            assert_eq!((is_time_limit(&state), is_transient(&state)), (time_limit, transient), "{code}");
        }
    }

    #[test]
    fn only_an_unreachable_database_is_worth_another_attempt() {
        let lost = Error::unreachable("connection reset");
        assert!(!lost.is_permanent());
        assert_eq!(lost.to_string(), "the database cannot be reached: connection reset");
        assert!(Error::Misconfigured(String::new()).is_permanent());
        let late = Error::no_answer_within(Duration::from_secs(20));
        assert!(late.is_permanent());
        assert_eq!(late.to_string(), "a statement took too long: no answer within 20s");
        assert_eq!((late.sql_state(), late.unique_violation(), late.is_deadlock()), (None, None, false));
    }
}
