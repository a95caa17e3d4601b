//! The time as an injected function, so that tests can set it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns the time since the Unix epoch.
pub(crate) type Clock = fn() -> Duration;

/// The system clock.
#[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads the system clock")]
pub(crate) fn system_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
