//! How much time a run has.

use std::time::Duration;

use tokio::time::Instant;

/// The time reserved to finish a running batch. If Lambda stops the function, it returns no response, and SQS delivers all
/// its messages again, also those that are done.
const FINISH_RESERVE: Duration = Duration::from_secs(10);

/// The shortest run that is worth starting: it reaches S3, and what it does there stays done.
const MIN_RUN_TIME: Duration = Duration::from_secs(5);

/// The time reserved to record what failed, to respond, and to tell the queue when to deliver a message again.
const STOP_RESERVE: Duration = Duration::from_secs(4);

/// The time of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunWindow {
    /// No batch begins after this time.
    pub(crate) until: Instant,
    /// A running batch is stopped at this time; `None`: it is not.
    pub(crate) cutoff: Option<Instant>,
}

impl RunWindow {
    /// A run that begins its last batch before `until`, on a host that is not stopped.
    #[must_use]
    pub fn ending_at(until: Instant) -> Self {
        Self { until, cutoff: None }
    }

    /// A run on a host that is stopped at `end`. `None`: too little time is left to start one.
    #[must_use]
    pub fn before_stop(now: Instant, end: Instant) -> Option<Self> {
        let until = end.checked_sub(FINISH_RESERVE)?;
        let cutoff = end.checked_sub(STOP_RESERVE);
        (until >= now + MIN_RUN_TIME).then_some(Self { until, cutoff })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_time(left: Duration) -> Option<Duration> {
        let now = Instant::now();
        RunWindow::before_stop(now, now + left).map(|window| window.until - now)
    }

    #[test]
    fn a_run_starts_only_with_enough_time_beyond_the_reserve() {
        assert_eq!(run_time(Duration::from_mins(15)), Some(Duration::from_secs(890)));
        assert_eq!(run_time(FINISH_RESERVE + MIN_RUN_TIME), Some(MIN_RUN_TIME));
        assert_eq!(run_time(FINISH_RESERVE + Duration::from_millis(4999)), None);
        assert_eq!(run_time(Duration::ZERO), None);
    }

    #[test]
    fn a_running_batch_may_use_the_reserve() {
        let now = Instant::now();
        let window = RunWindow::before_stop(now, now + Duration::from_secs(20)).unwrap();
        assert_eq!(window.cutoff, Some(now + Duration::from_secs(16)));
        assert_eq!(RunWindow::ending_at(now), RunWindow { until: now, cutoff: None });
    }
}
