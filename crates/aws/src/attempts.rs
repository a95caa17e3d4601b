//! The attempts of one call to AWS: how many, for how long, and which errors end it.

use std::{pin::Pin, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::backoff_delay;

/// The limits of one call.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// The number of attempts.
    pub attempts: u32,
    /// The time of one attempt, to the last byte of the response.
    pub attempt_timeout: Duration,
    /// The time of all attempts and the delays between them.
    pub total_timeout: Duration,
}

impl CallLimits {
    /// For a call during a start. Lambda stops a start after ten seconds, and then there is no log line.
    pub const STARTUP: Self =
        Self { attempts: 3, attempt_timeout: Duration::from_secs(4), total_timeout: Duration::from_secs(8) };
}

impl Default for CallLimits {
    fn default() -> Self {
        let attempt_timeout = Duration::from_secs(10);
        Self { attempts: 3, attempt_timeout, total_timeout: Duration::from_secs(35) }
    }
}

/// Why a call failed. The text is for the log and has nothing of the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The service refuses the call. Another call does not help.
    #[error("{code}: {message}")]
    Refused {
        /// The service's error code, such as `AccessDeniedException`.
        code: String,
        /// The service's message.
        message: String,
    },
    /// All attempts failed: throttled, not reachable, or with a malformed response. A later call may succeed.
    #[error("{0}")]
    Unavailable(String),
}

impl Error {
    /// Whether the service gave this error code.
    #[must_use]
    pub fn has_code(&self, expected: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == expected)
    }
}

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    /// Another attempt does not help.
    #[error(transparent)]
    Permanent(Error),
    /// Another attempt may succeed.
    #[error("{0}")]
    Transient(String),
}

/// What a call is, in the log and in errors.
#[derive(Clone, Copy)]
pub(crate) struct CallName<'a> {
    pub(crate) service: &'static str,
    /// Host and port.
    pub(crate) endpoint: &'a str,
    pub(crate) operation: &'a str,
}

/// One attempt.
pub(crate) type Attempt<'a, T> = Pin<Box<dyn Future<Output = Result<T, AttemptError>> + Send + 'a>>;

/// Makes attempts until one succeeds or fails permanently, or until the limits are reached. A transient failure is followed
/// by a delay.
pub(crate) async fn send_attempts<'a, T>(
    call: CallName<'_>,
    limits: CallLimits,
    mut send: impl FnMut() -> Attempt<'a, T>,
) -> Result<T, Error> {
    let CallName { service, endpoint, operation } = call;
    let deadline = Instant::now() + limits.total_timeout;
    let mut tried = 0;
    loop {
        let attempt_deadline = deadline.min(Instant::now() + limits.attempt_timeout);
        let late = |_| Err(AttemptError::Transient("no answer in time".to_owned()));
        tried += 1;
        let error = match timeout_at(attempt_deadline, send()).await.unwrap_or_else(late) {
            Ok(output) => return Ok(output),
            Err(AttemptError::Permanent(error)) => return Err(error),
            Err(AttemptError::Transient(text)) => text,
        };
        tracing::warn!(service, endpoint, operation, tried, error, "a call to AWS failed");
        let delay = backoff_delay(tried);
        if tried >= limits.attempts || Instant::now() + delay >= deadline {
            return Err(Error::Unavailable(format!("{operation} at {endpoint}: {error}")));
        }
        tokio::time::sleep(delay).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_code_that_the_service_gave() {
        let refused = Error::Refused { code: "ParameterNotFound".to_owned(), message: "no".to_owned() };
        assert!(refused.has_code("ParameterNotFound") && !refused.has_code("Parameter"));
        assert_eq!(refused.to_string(), "ParameterNotFound: no");
        assert!(!Error::Unavailable("ParameterNotFound".to_owned()).has_code("ParameterNotFound"));
    }
}
