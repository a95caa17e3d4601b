//! Fault injection for the embedded S3: errors, delays and broken connections over the wire. It also counts requests.
//!
//! A test keeps one injector and gives a clone of it to the server. Operations have the names of S3's API reference, such
//! as `DeleteObjects`. Only requests with a valid signature count, and only those can fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use s3s::{S3Error, S3ErrorCode};

/// How often a held request looks whether it was released.
const RELEASE_POLL_INTERVAL: Duration = Duration::from_millis(2);

/// A shared handle on the faults of one server. By default there are none.
#[derive(Debug, Clone, Default)]
pub struct FaultInjector {
    rules: Arc<Mutex<FaultRules>>,
}

#[derive(Debug, Default)]
struct FaultRules {
    operations: BTreeMap<String, OperationRules>,
    keys: BTreeMap<String, RemainingErrors>,
}

#[derive(Debug, Default)]
struct OperationRules {
    request_count: u64,
    delay: Option<Duration>,
    is_held: bool,
    errors: Option<RemainingErrors>,
    remaining_request_drops: u32,
    remaining_response_drops: u32,
}

#[derive(Debug)]
struct RemainingErrors {
    count: u32,
    error: InjectedError,
}

/// An S3 error that a client must handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedError {
    /// 503 `SlowDown`: too many requests.
    SlowDown,
    /// 500 `InternalError`.
    InternalError,
    /// 403 `AccessDenied`, which a retry does not change.
    AccessDenied,
    /// 403 `InvalidObjectState`: the object is archived.
    InvalidObjectState,
    /// 400 `ExpiredToken`: the credentials of the signature have expired.
    ExpiredToken,
    /// 403 `AccessDenied` for a link that has expired.
    RequestExpired,
    /// 301 `PermanentRedirect`: the bucket is in another region.
    PermanentRedirect,
}

impl InjectedError {
    pub(crate) const MESSAGE: &str = "This error was injected.";

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::SlowDown => "SlowDown",
            Self::InternalError => "InternalError",
            Self::AccessDenied | Self::RequestExpired => "AccessDenied",
            Self::InvalidObjectState => "InvalidObjectState",
            Self::ExpiredToken => "ExpiredToken",
            Self::PermanentRedirect => "PermanentRedirect",
        }
    }

    fn to_s3_error(self) -> S3Error {
        let code = match self {
            Self::SlowDown => S3ErrorCode::SlowDown,
            Self::InternalError => S3ErrorCode::InternalError,
            Self::AccessDenied | Self::RequestExpired => S3ErrorCode::AccessDenied,
            Self::InvalidObjectState => S3ErrorCode::InvalidObjectState,
            Self::ExpiredToken => S3ErrorCode::ExpiredToken,
            Self::PermanentRedirect => S3ErrorCode::PermanentRedirect,
        };
        let message = if self == Self::RequestExpired { "Request has expired" } else { Self::MESSAGE };
        S3Error::with_message(code, message)
    }
}

impl FaultInjector {
    /// The next `count` requests of this operation fail and change nothing.
    pub fn fail_requests(&self, operation: &str, count: u32, error: InjectedError) {
        self.rules().operation(operation).errors = Some(RemainingErrors { count, error });
    }

    /// The next `count` times that `DeleteObjects` names this key, the result for this key is an error. Other keys in the
    /// same request are deleted.
    pub fn fail_key(&self, key: &str, count: u32, error: InjectedError) {
        self.rules().keys.insert(key.to_owned(), RemainingErrors { count, error });
    }

    /// Every request of this operation waits this long before it runs.
    pub fn delay_requests(&self, operation: &str, delay: Duration) {
        self.rules().operation(operation).delay = Some(delay);
    }

    /// Requests of this operation wait before they run, until [`FaultInjector::release_requests`].
    pub fn hold_requests(&self, operation: &str) {
        self.rules().operation(operation).is_held = true;
    }

    /// Ends [`FaultInjector::hold_requests`].
    pub fn release_requests(&self, operation: &str) {
        self.rules().operation(operation).is_held = false;
    }

    /// Waits until a request of this operation may run.
    pub(crate) async fn wait_for_release(&self, operation: &str) {
        while self.rules().operations.get(operation).is_some_and(|operation| operation.is_held) {
            tokio::time::sleep(RELEASE_POLL_INTERVAL).await;
        }
    }

    /// The next `count` requests of this operation do not run, and their connections break.
    pub fn drop_requests(&self, operation: &str, count: u32) {
        self.rules().operation(operation).remaining_request_drops = count;
    }

    /// The next `count` requests of this operation run, and their connections break before the response.
    pub fn drop_responses(&self, operation: &str, count: u32) {
        self.rules().operation(operation).remaining_response_drops = count;
    }

    /// The number of requests of this operation, failed ones included.
    #[must_use]
    pub fn count_requests(&self, operation: &str) -> u64 {
        self.rules().operations.get(operation).map_or(0, |operation| operation.request_count)
    }

    /// The number of requests of each operation. Operations without requests are left out.
    #[must_use]
    pub fn request_counts(&self) -> BTreeMap<String, u64> {
        let rules = self.rules();
        let called = rules.operations.iter().filter(|(_, operation)| operation.request_count > 0);
        called.map(|(name, operation)| (name.clone(), operation.request_count)).collect()
    }

    /// Removes all faults and counts.
    pub fn reset(&self) {
        *self.rules() = FaultRules::default();
    }

    /// Counts a request and returns what the server does with it.
    pub(crate) fn record_request(&self, operation: &str) -> FaultOutcome {
        let mut rules = self.rules();
        let operation = rules.operation(operation);
        operation.request_count += 1;
        let delay = operation.delay;
        // One fault per request. The others stay for the next requests.
        let action = if take_one(&mut operation.remaining_request_drops) {
            FaultAction::DropRequest
        } else if take_one(&mut operation.remaining_response_drops) {
            FaultAction::DropResponse
        } else if let Some(remaining) = &mut operation.errors
            && take_one(&mut remaining.count)
        {
            FaultAction::Fail(remaining.error.to_s3_error())
        } else {
            FaultAction::Serve
        };
        FaultOutcome { delay, action }
    }

    /// The error for the next deletion of this key.
    pub(crate) fn take_key_error(&self, key: &str) -> Option<InjectedError> {
        let mut rules = self.rules();
        let remaining = rules.keys.get_mut(key)?;
        take_one(&mut remaining.count).then_some(remaining.error)
    }

    fn rules(&self) -> MutexGuard<'_, FaultRules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the server does with one request.
pub(crate) struct FaultOutcome {
    pub(crate) delay: Option<Duration>,
    pub(crate) action: FaultAction,
}

pub(crate) enum FaultAction {
    Serve,
    Fail(S3Error),
    DropRequest,
    DropResponse,
}

impl FaultRules {
    fn operation(&mut self, name: &str) -> &mut OperationRules {
        self.operations.entry(name.to_owned()).or_default()
    }
}

/// Decrements the count. Returns false if it was zero.
fn take_one(count: &mut u32) -> bool {
    let is_left = *count > 0;
    *count = count.saturating_sub(1);
    is_left
}
