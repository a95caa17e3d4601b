//! What time it is, as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time since the Unix epoch.
pub(crate) type Clock = fn() -> Duration;

/// The system's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate that asks the system for the time"
)]
pub(crate) fn system() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
