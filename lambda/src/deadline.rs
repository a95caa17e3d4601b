//! When Lambda stops the function.

use std::time::Duration;

use aws::Clock;
use lambda_runtime::Context;

/// How long an invocation may still run. Lambda gives its deadline by the wall clock, in milliseconds.
pub(crate) fn time_left(context: &Context, clock: Clock) -> Duration {
    let now_ms = clock.now_utc().unix_timestamp_nanos() / 1_000_000;
    let left_ms = u64::try_from(i128::from(context.deadline) - now_ms).unwrap_or(0);
    Duration::from_millis(left_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_in_milliseconds_of_the_epoch() {
        let left = |deadline| {
            let mut context = Context::default();
            context.deadline = deadline;
            time_left(&context, Clock::Fixed(1_790_000_000))
        };
        assert_eq!(left(1_790_000_030_500), Duration::from_millis(30_500));
        assert_eq!(left(1_789_999_999_000), Duration::ZERO);
    }
}
