//! The time, as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// The source of the time. Tests fix it or set it ahead.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// Always this time, in seconds since the Unix epoch.
    Fixed(u64),
}

impl Clock {
    /// Seconds since the Unix epoch.
    #[must_use]
    pub fn now(self) -> u64 {
        self.since_epoch().as_secs()
    }

    /// The date and time in UTC, to the nanosecond.
    #[must_use]
    pub fn now_utc(self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + self.since_epoch()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
    fn since_epoch(self) -> Duration {
        match self {
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Self::Fixed(seconds) => Duration::from_secs(seconds),
        }
    }
}
