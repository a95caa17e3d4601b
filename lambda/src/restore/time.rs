//! How much time there is.

use std::time::Duration;

use aws::Clock;
use lambda_runtime::Context;
use tokio::time::Instant;

/// What is kept back of an invocation's time for ending a batch that is under way. A function that is cut off answers
/// nothing, and then all of its messages come again, those that are done too.
const RESERVE: Duration = Duration::from_secs(10);

/// The shortest run that is worth beginning: it reaches S3, and what it does there stays done.
const SHORTEST: Duration = Duration::from_secs(5);

/// What is kept back for stopping: for putting on record what failed, for the answer, and for telling the queue when to
/// show a message again.
const STOP: Duration = Duration::from_secs(4);

/// When the function is cut off.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of an invocation, which Lambda tells by the clock on the wall.
    #[must_use]
    pub fn from_context(context: &Context, clock: Clock) -> Self {
        let now_ms = clock.now_utc().unix_timestamp_nanos() / 1_000_000;
        let left_ms = u64::try_from(i128::from(context.deadline) - now_ms).unwrap_or(0);
        Self(Instant::now() + Duration::from_millis(left_ms))
    }

    /// Until when a run may begin batches that begins now; `None` if it should not begin.
    pub(super) fn for_run(self, now: Instant) -> Option<Instant> {
        let until = self.0.checked_sub(RESERVE)?;
        (until >= now + SHORTEST).then_some(until)
    }

    /// When a batch that is under way is cut off.
    pub(super) fn for_stopping(self) -> Instant {
        self.0.checked_sub(STOP).unwrap_or(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(left: Duration) -> Option<Duration> {
        let now = Instant::now();
        Deadline(now + left).for_run(now).map(|until| until - now)
    }

    #[test]
    fn a_run_begins_only_with_enough_time_beyond_the_reserve() {
        assert_eq!(run(Duration::from_mins(15)), Some(Duration::from_secs(890)));
        assert_eq!(run(RESERVE + SHORTEST), Some(SHORTEST));
        assert_eq!(run(RESERVE + Duration::from_millis(4999)), None);
        assert_eq!(run(Duration::ZERO), None);
    }

    #[test]
    fn a_batch_that_is_under_way_may_use_the_reserve() {
        let now = Instant::now();
        assert_eq!(Deadline(now + Duration::from_secs(10)).for_stopping() - now, Duration::from_secs(6));
    }

    #[test]
    fn lambda_tells_the_deadline_in_milliseconds_of_the_epoch() {
        let left = |deadline| {
            let mut context = Context::default();
            context.deadline = deadline;
            Deadline::from_context(&context, Clock::Fixed(1_790_000_000)).0 - Instant::now()
        };
        assert!((Duration::from_secs(29)..=Duration::from_secs(30)).contains(&left(1_790_000_030_000)));
        assert_eq!(left(1_789_999_999_000), Duration::ZERO);
    }
}
