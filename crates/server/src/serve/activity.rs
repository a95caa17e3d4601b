//! What a connection is doing, and since when. It ends when that takes too long.
//!
//! hyper's own limit for heads also counts the time between two requests, and hyper has none for a client that does not
//! read. So both are here: [`TimedStream`](super::timed_stream::TimedStream) reports bytes, [`RunningRequest`] reports
//! requests, and [`Activity::wait_until_overdue`] ends the connection.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::ConnectionLimits;

/// A phase of a connection that has a time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for a request.
    Idle,
    /// It has the beginning of a request's head.
    Head,
    /// The client takes no byte of a response.
    Write,
}

impl Phase {
    /// The label in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Head => "head",
            Self::Write => "write",
        }
    }
}

/// The activity of one connection, shared by its stream, its requests and its task.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    limits: ConnectionLimits,
}

#[derive(Debug, Clone, Copy)]
struct State {
    reading: Reading,
    /// Since when the socket takes no byte.
    blocked_since: Option<Instant>,
    /// The phase that took too long.
    overdue: Option<Phase>,
}

#[derive(Debug, Clone, Copy)]
enum Reading {
    Idle {
        since: Instant,
    },
    Head {
        since: Instant,
    },
    /// The layers of the router limit the time of a request and of its body.
    Request,
}

impl Activity {
    /// The activity of a new connection.
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Self> {
        let reading = Reading::Idle { since: Instant::now() };
        Arc::new(Self { state: Mutex::new(State { reading, blocked_since: None, overdue: None }), limits })
    }

    /// Bytes arrived. After a request they are the next one's head.
    pub(super) fn record_read(&self) {
        let mut state = self.lock();
        if let Reading::Idle { .. } = state.reading {
            state.reading = Reading::Head { since: Instant::now() };
        }
    }

    /// The socket took bytes.
    pub(super) fn record_written(&self) {
        let mut state = self.lock();
        // The rest of a response may follow the end of its request. The connection is idle only after that.
        if state.blocked_since.take().is_some()
            && let Reading::Idle { since } = &mut state.reading
        {
            *since = Instant::now();
        }
    }

    /// The socket takes no more bytes, because the client does not read.
    pub(super) fn record_blocked(&self) {
        self.lock().blocked_since.get_or_insert_with(Instant::now);
    }

    /// The phase that took too long.
    pub(super) fn overdue(&self) -> Option<Phase> {
        self.lock().overdue
    }

    /// Completes when a phase takes too long. The connection must be polled before it in the same task: it learns of a new
    /// phase only because the task then polls it too.
    pub(super) async fn wait_until_overdue(&self) -> Phase {
        let mut sleep = pin!(sleep_until(Instant::now() + self.limits.idle));
        poll_fn(|cx| self.poll_overdue(sleep.as_mut(), cx)).await
    }

    fn poll_overdue(&self, mut sleep: std::pin::Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<Phase> {
        loop {
            let Some((phase, deadline)) = self.deadline() else { return Poll::Pending };
            // A later deadline is looked at when the timer fires. So a busy connection does not set its timer for each request.
            if deadline < sleep.deadline() || sleep.is_elapsed() {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(cx));
            if deadline <= Instant::now() {
                self.lock().overdue = Some(phase);
                return Poll::Ready(phase);
            }
        }
    }

    fn deadline(&self) -> Option<(Phase, Instant)> {
        let State { reading, blocked_since, .. } = *self.lock();
        if let Some(since) = blocked_since {
            return Some((Phase::Write, since + self.limits.write));
        }
        match reading {
            Reading::Idle { since } => Some((Phase::Idle, since + self.limits.idle)),
            Reading::Head { since } => Some((Phase::Head, since + self.limits.head)),
            Reading::Request => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a panic cannot leave half of one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request, from the end of its head until its response is complete. After that the connection is idle.
#[derive(Debug)]
pub(super) struct RunningRequest(Arc<Activity>);

impl RunningRequest {
    pub(super) fn start(activity: Arc<Activity>) -> Self {
        activity.lock().reading = Reading::Request;
        Self(activity)
    }
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        self.0.lock().reading = Reading::Idle { since: Instant::now() };
    }
}
