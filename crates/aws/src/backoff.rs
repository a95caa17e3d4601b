//! The delay between two attempts.

use std::time::Duration;

use uuid::Uuid;

/// The longest delay after the first failure. It doubles with each failure.
const FIRST_MAX_DELAY: Duration = Duration::from_millis(100);

/// The longest delay after any failure.
const MAX_DELAY: Duration = Duration::from_secs(2);

/// A random delay after this many failures in a row, from a range that doubles with each failure. Clients that failed
/// together do not retry together (AWS Architecture Blog, "Exponential Backoff And Jitter").
#[must_use]
pub fn backoff_delay(failures: u32) -> Duration {
    let max = FIRST_MAX_DELAY.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(MAX_DELAY);
    let (random, _) = Uuid::new_v4().as_u64_pair();
    // Half of the maximum is fixed, half is random ("equal jitter"): a delay is never zero.
    let half = u64::try_from(max.as_millis()).unwrap_or(u64::MAX) / 2;
    Duration::from_millis(half + random % (half + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_a_maximum() {
        for (failures, min, max) in [
            (0, 50, 100),
            (1, 50, 100),
            (2, 100, 200),
            (3, 200, 400),
            (4, 400, 800),
            (5, 800, 1600),
            (6, 1000, 2000),
            (u32::MAX, 1000, 2000),
        ] {
            for _ in 0..50 {
                let delay = backoff_delay(failures).as_millis();
                assert!((min..=max).contains(&delay), "{delay} ms after {failures}");
            }
        }
    }
}
