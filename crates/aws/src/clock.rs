//! What time it is, as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// Where the time comes from. Tests stop it or set it ahead; everything else asks the system.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// Stands still at this many seconds since the Unix epoch.
    At(u64),
}

impl Clock {
    /// Seconds since the Unix epoch.
    #[must_use]
    pub fn now(self) -> u64 {
        self.since_epoch().as_secs()
    }

    /// The same as a date, to the nanosecond.
    #[must_use]
    pub fn date(self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + self.since_epoch()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
    fn since_epoch(self) -> Duration {
        match self {
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Self::At(seconds) => Duration::from_secs(seconds),
        }
    }
}
