//! When links begin and end.
//!
//! Links that are signed within one window are the same text, so that the caches of browsers and of DuckDB recognize them.

/// The longest life of a link in seconds, and the default.
pub const MAX_LINK_SECONDS: u16 = 3600;

/// The shortest life of a link that a client may ask for, in seconds.
pub const MIN_LINK_SECONDS: u16 = 60;

/// The length of a window in seconds. All links of a window begin with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkWindow(u16);

impl Default for LinkWindow {
    /// Five minutes.
    fn default() -> Self {
        Self(300)
    }
}

/// The time in which a link works, in seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkPeriod {
    /// The beginning: the time at which the link is signed.
    pub starts_at: u64,
    /// The end.
    pub ends_at: u64,
}

impl LinkWindow {
    /// The longest window in seconds. S3 allows clocks to differ by as much ("RequestTimeTooSkewed": 15 minutes).
    pub const MAX_SECONDS: u16 = 900;

    /// A window of up to [`LinkWindow::MAX_SECONDS`]. With 0, each link begins when it is signed.
    #[must_use]
    pub fn new(seconds: u16) -> Option<Self> {
        (seconds <= Self::MAX_SECONDS).then_some(Self(seconds))
    }

    /// The period of a link that is signed at `now` and works for at least `lifetime` seconds from then.
    ///
    /// A shorter link has a window that is shorter in proportion, so that it does not live much longer than asked.
    #[must_use]
    pub fn link_period(self, now: u64, lifetime: u16) -> LinkPeriod {
        let (lifetime, longest) = (u64::from(lifetime), u64::from(MAX_LINK_SECONDS));
        let window = u64::from(self.0) * lifetime / longest;
        // Without a window, a remainder of 0.
        let since_start = now.checked_rem(window).unwrap_or(0);
        let starts_at = now - since_start;
        LinkPeriod { starts_at, ends_at: starts_at + window + lifetime }
    }
}

impl LinkPeriod {
    /// A period that begins now, of this many seconds.
    #[must_use]
    pub fn from_now(now: u64, seconds: u16) -> Self {
        Self { starts_at: now, ends_at: now + u64::from(seconds) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_767_200_123;

    fn period(window: u16, now: u64, lifetime: u16) -> LinkPeriod {
        LinkWindow::new(window).unwrap().link_period(now, lifetime)
    }

    #[test]
    fn links_of_one_window_have_one_period() {
        let start = NOW - NOW % 300;
        let expected = LinkPeriod { starts_at: start, ends_at: start + 3900 };
        for now in [start, start + 1, start + 299] {
            assert_eq!(period(300, now, 3600), expected);
        }
        assert_eq!(period(300, start + 300, 3600).starts_at, start + 300);
    }

    #[test]
    fn without_a_window_a_link_begins_when_it_is_signed() {
        assert_eq!(period(0, NOW, 3600), LinkPeriod::from_now(NOW, 3600));
    }

    #[test]
    fn a_short_link_has_a_short_window() {
        let LinkPeriod { starts_at, ends_at } = period(300, NOW, 60);
        assert!(NOW - starts_at < 5 && ends_at - NOW <= 65);
    }

    #[test]
    fn a_window_has_at_most_a_quarter_of_an_hour() {
        assert!(LinkWindow::new(900).is_some() && LinkWindow::new(901).is_none());
    }

    proptest! {
        #[test]
        fn a_link_lives_as_long_as_asked_and_is_never_signed_in_the_future(
            window in 0_u16..=900, now in 0_u64..4_000_000_000, lifetime in 60_u16..=3600,
        ) {
            let LinkPeriod { starts_at, ends_at } = period(window, now, lifetime);
            prop_assert!(starts_at <= now && now - starts_at <= 900);
            prop_assert!(ends_at - now >= u64::from(lifetime));
            prop_assert!(ends_at - now <= u64::from(lifetime) + u64::from(window));
        }
    }
}
