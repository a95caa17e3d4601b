//! The errors of statements and connections.

use std::time::Duration;

use tokio_postgres::error::{DbError, Severity, SqlState};

use aws::error_chain;

/// Why a statement or a connection failed. The text is for the log, never for a client. It includes the causes, so there
/// is no `source`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection, it was lost, or its server does not take the statement now. Another attempt may succeed.
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
        self.code().map(SqlState::code)
    }

    pub(crate) fn code(&self) -> Option<&SqlState> {
        let error = match self {
            Self::Unreachable(error) => error.downcast_ref::<tokio_postgres::Error>()?,
            Self::Refused(error) => &**error,
            Self::TimedOut(_) | Self::Misconfigured(_) => return None,
        };
        error.code()
    }

    pub(crate) fn no_answer_within(limit: Duration) -> Self {
        Self::TimedOut(format!("no answer within {limit:?}"))
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
            Some(refusal) if is_transient(refusal.code()) || is_fatal(refusal) => Self::unreachable(error),
            None if error.is_closed() => Self::unreachable(error),
            _ => Self::Refused(Box::new(error)),
        }
    }
}

/// Whether the connection must not be used again, nor those that were opened before it: probably they are to the same server.
pub(crate) fn ends_session(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(refusal) => is_session_error(refusal.code()) || is_fatal(refusal),
        None => error.is_closed(),
    }
}

/// Whether Postgres reports an internal error (class XX). The connection that saw it is not used again. It says nothing about
/// the others: a damaged index of one workspace must not cost everybody their connections. The statement is not repeated, since
/// it may be the cause.
pub(crate) fn is_internal(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| class(code) == "XX")
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

/// Errors after which the server closes the connection (PostgreSQL documentation, "Message Severity Levels").
fn is_fatal(refusal: &DbError) -> bool {
    matches!(refusal.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
}

/// Conditions that pass: those of the session, too few resources (class 53), and statements that Postgres rolled back because
/// of others: a deadlock, or on a standby a conflict with recovery (40001). See "PostgreSQL Error Codes" in PostgreSQL's
/// documentation.
fn is_transient(code: &SqlState) -> bool {
    let is_rolled_back =
        matches!(*code, SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE);
    class(code) == "53" || is_rolled_back || is_session_error(code)
}

/// What an error says about the session, rather than about the statement, which did nothing:
///
/// - 08, a connection failure, also of a pooler;
/// - 25006, a read-only server: it was demoted by a failover, or is a standby;
/// - 25P02, 25P03 and 25P04: a transaction failed or took too long that is not ours, or its end did not arrive;
/// - 26000: a statement is not there, because a pooler gave us another session;
/// - 57, shutdown, start, and sessions that were idle for too long. The statement's own time limit (57014) is not one of them.
fn is_session_error(code: &SqlState) -> bool {
    matches!(class(code), "08" | "57") && !is_time_limit(code)
        || matches!(code.code(), "25006" | "25P02" | "25P03" | "25P04" | "26000")
}

/// The first two characters of a code.
fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_sorted_by_what_helps() {
        // Time limit, another attempt, another connection.
        for (code, expected) in [
            ("55P03", (true, false, false)),
            ("57014", (true, false, false)),
            ("08006", (false, true, true)),
            ("08P01", (false, true, true)),
            ("25006", (false, true, true)),
            ("25P02", (false, true, true)),
            ("25P03", (false, true, true)),
            ("25P04", (false, true, true)),
            ("26000", (false, true, true)),
            ("57P01", (false, true, true)),
            ("57P02", (false, true, true)),
            ("57P03", (false, true, true)),
            ("57P05", (false, true, true)),
            ("53300", (false, true, false)),
            ("40P01", (false, true, false)),
            ("40001", (false, true, false)),
            ("XX000", (false, false, false)),
            ("0A000", (false, false, false)),
            ("23505", (false, false, false)),
            ("25001", (false, false, false)),
            ("28P01", (false, false, false)),
            ("42501", (false, false, false)),
        ] {
            let state = SqlState::from_code(code);
            assert_eq!(
                (is_time_limit(&state), is_transient(&state), is_session_error(&state)),
                expected,
                "{code}"
            );
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
        assert_eq!((late.sql_state(), late.unique_violation()), (None, None));
    }
}
