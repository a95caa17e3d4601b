//! How much time there is.

use std::time::{Duration, Instant};

use lambda_runtime::Context;
use packages::clock::Clock;

/// What is kept back of an invocation's time: for putting packages back into the trash, and for the answer. A function
/// that is cut off answers nothing, and then all of its messages come again, those that are done too.
const RESERVE: Duration = Duration::from_secs(10);

/// The shortest run that is worth beginning: it reaches S3, and what it does there stays done.
const SHORTEST: Duration = Duration::from_secs(5);

/// What is kept back for the answer alone, and for telling the queue when to show a message again.
const ANSWER: Duration = Duration::from_secs(2);

/// When the function is cut off.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of an invocation, which Lambda tells by the clock on the wall.
    #[must_use]
    pub fn of(context: &Context, clock: Clock) -> Self {
        let now_ms = clock.date().unix_timestamp_nanos() / 1_000_000;
        let left_ms = u64::try_from(i128::from(context.deadline) - now_ms).unwrap_or(0);
        Self(Instant::now() + Duration::from_millis(left_ms))
    }

    /// How long a run may take that begins now; `None` if it should not begin.
    pub(super) fn for_a_run(self, now: Instant) -> Option<Duration> {
        self.left(now, RESERVE).filter(|time| *time >= SHORTEST)
    }

    /// How long giving up may take.
    pub(super) fn for_giving_up(self, now: Instant) -> Duration {
        self.left(now, ANSWER).unwrap_or_default()
    }

    fn left(self, now: Instant, kept: Duration) -> Option<Duration> {
        self.0.saturating_duration_since(now).checked_sub(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(left: Duration) -> Option<Duration> {
        let now = Instant::now();
        Deadline(now + left).for_a_run(now)
    }

    #[test]
    fn a_run_begins_only_with_enough_time_beyond_the_reserve() {
        assert_eq!(run(Duration::from_mins(15)), Some(Duration::from_secs(890)));
        assert_eq!(run(RESERVE + SHORTEST), Some(SHORTEST));
        assert_eq!(run(RESERVE + Duration::from_millis(4999)), None);
        assert_eq!(run(Duration::ZERO), None);
    }

    #[test]
    fn giving_up_may_use_the_reserve() {
        let now = Instant::now();
        let deadline = Deadline(now + Duration::from_secs(10));
        assert_eq!(deadline.for_giving_up(now), Duration::from_secs(8));
        assert_eq!(deadline.for_giving_up(now + Duration::from_secs(20)), Duration::ZERO);
    }

    #[test]
    fn lambda_tells_the_deadline_in_milliseconds_of_the_epoch() {
        let left = |deadline| {
            let mut context = Context::default();
            context.deadline = deadline;
            Deadline::of(&context, Clock::At(1_790_000_000)).for_giving_up(Instant::now())
        };
        assert!((Duration::from_secs(27)..=Duration::from_secs(28)).contains(&left(1_790_000_030_000)));
        assert_eq!(left(1_789_999_999_000), Duration::ZERO);
    }
}
