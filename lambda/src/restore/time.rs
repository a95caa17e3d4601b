//! When Lambda stops the function.

use std::time::Duration;

use aws::Clock;
use lambda_runtime::Context;
use tokio::time::Instant;

/// The deadline of an invocation, which Lambda gives by the wall clock.
pub(super) fn read_deadline(context: &Context, clock: Clock) -> Instant {
    let now_ms = clock.now_utc().unix_timestamp_nanos() / 1_000_000;
    let left_ms = u64::try_from(i128::from(context.deadline) - now_ms).unwrap_or(0);
    Instant::now() + Duration::from_millis(left_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_in_milliseconds_of_the_epoch() {
        let left = |deadline| {
            let mut context = Context::default();
            context.deadline = deadline;
            read_deadline(&context, Clock::Fixed(1_790_000_000)) - Instant::now()
        };
        assert!((Duration::from_secs(29)..=Duration::from_secs(30)).contains(&left(1_790_000_030_000)));
        assert_eq!(left(1_789_999_999_000), Duration::ZERO);
    }
}
