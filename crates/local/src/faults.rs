//! Faults on order: makes the real object store misbehave over the wire, and counts what it was asked.
//!
//! A test keeps one handle and gives a clone of it to the server. Operations have the names of S3's API reference,
//! such as `DeleteObjects`. Only requests that were properly signed count, and only those can fail on order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use s3s::{S3Error, S3ErrorCode};

/// A shared handle on the faults of one server. By default there are none.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    rules: Arc<Mutex<Rules>>,
}

#[derive(Debug, Default)]
struct Rules {
    operations: BTreeMap<String, Operation>,
    keys: BTreeMap<String, (u32, Failure)>,
}

#[derive(Debug, Default)]
struct Operation {
    seen: u64,
    delay: Option<Duration>,
    held: bool,
    failures: Option<(u32, Failure)>,
    dropped: u32,
    unanswered: u32,
}

/// An error of S3's that a client should be ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// 503 `SlowDown`: too many requests.
    SlowDown,
    /// 500 `InternalError`.
    InternalError,
    /// 403 `AccessDenied`, which no repetition cures.
    AccessDenied,
}

impl Failure {
    pub(crate) const MESSAGE: &str = "This failure was ordered.";

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::SlowDown => "SlowDown",
            Self::InternalError => "InternalError",
            Self::AccessDenied => "AccessDenied",
        }
    }

    fn error(self) -> S3Error {
        let code = match self {
            Self::SlowDown => S3ErrorCode::SlowDown,
            Self::InternalError => S3ErrorCode::InternalError,
            Self::AccessDenied => S3ErrorCode::AccessDenied,
        };
        S3Error::with_message(code, Self::MESSAGE)
    }
}

impl Faults {
    /// The next `times` requests of this operation fail and change nothing.
    pub fn fail(&self, operation: &str, times: u32, failure: Failure) {
        self.rules().operation(operation).failures = Some((times, failure));
    }

    /// The next `times` that `DeleteObjects` is to delete this key, that key's result is an error; the others' are not.
    pub fn fail_key(&self, key: &str, times: u32, failure: Failure) {
        self.rules().keys.insert(key.to_owned(), (times, failure));
    }

    /// Every request of this operation waits this long before it runs.
    pub fn delay(&self, operation: &str, by: Duration) {
        self.rules().operation(operation).delay = Some(by);
    }

    /// From now on requests of this operation wait before they run, until they are released.
    pub fn hold(&self, operation: &str) {
        self.rules().operation(operation).held = true;
    }

    /// Requests of this operation wait no longer.
    pub fn release(&self, operation: &str) {
        self.rules().operation(operation).held = false;
    }

    /// Waits until a request of this operation may run.
    pub(crate) async fn wait_for_release(&self, operation: &str) {
        while self.rules().operations.get(operation).is_some_and(|operation| operation.held) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The next `times` requests of this operation do not run, and their connections break.
    pub fn drop_connection(&self, operation: &str, times: u32) {
        self.rules().operation(operation).dropped = times;
    }

    /// The next `times` requests of this operation run, but their connections break before the answer.
    pub fn lose_answer(&self, operation: &str, times: u32) {
        self.rules().operation(operation).unanswered = times;
    }

    /// How many requests of this operation there were, failed ones included.
    #[must_use]
    pub fn count(&self, operation: &str) -> u64 {
        self.rules().operations.get(operation).map_or(0, |operation| operation.seen)
    }

    /// The counts of all operations that there were requests of.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let rules = self.rules();
        let seen = rules.operations.iter().filter(|(_, operation)| operation.seen > 0);
        seen.map(|(name, operation)| (name.clone(), operation.seen)).collect()
    }

    /// Forgets all faults and counts.
    pub fn reset(&self) {
        *self.rules() = Rules::default();
    }

    /// Counts a request and says what is to become of it.
    pub(crate) fn meet(&self, operation: &str) -> Fate {
        let mut rules = self.rules();
        let operation = rules.operation(operation);
        operation.seen += 1;
        let delay = operation.delay;
        let end = if take(&mut operation.dropped) {
            End::Dropped
        } else if take(&mut operation.unanswered) {
            End::Unanswered
        } else if let Some((times, failure)) = &mut operation.failures
            && take(times)
        {
            End::Failed(failure.error())
        } else {
            End::Served
        };
        Fate { delay, end }
    }

    /// The error that this key's deletion is to end with.
    pub(crate) fn key(&self, key: &str) -> Option<Failure> {
        let mut rules = self.rules();
        let (times, failure) = rules.keys.get_mut(key)?;
        take(times).then_some(*failure)
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to become of one request.
pub(crate) struct Fate {
    pub(crate) delay: Option<Duration>,
    pub(crate) end: End,
}

pub(crate) enum End {
    Served,
    Failed(S3Error),
    Dropped,
    Unanswered,
}

impl Rules {
    fn operation(&mut self, name: &str) -> &mut Operation {
        self.operations.entry(name.to_owned()).or_default()
    }
}

fn take(times: &mut u32) -> bool {
    let left = *times > 0;
    *times = times.saturating_sub(1);
    left
}
