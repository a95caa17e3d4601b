//! Work that stops halfway, as in a process that is killed.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// A future that is dropped after a number of polls.
struct PollLimited<F> {
    work: Option<Pin<Box<F>>>,
    polls: usize,
}

impl<F: Future> Future for PollLimited<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls = self.polls.saturating_sub(1);
        let this = &mut *self;
        match &mut this.work {
            Some(work) if this.polls > 0 => work.as_mut().poll(context).map(Some),
            work => {
                *work = None;
                Poll::Ready(None)
            }
        }
    }
}

/// Runs a future for a number of polls. `None` if it was not ready by then.
pub(crate) async fn run_for_polls<F: Future>(polls: usize, work: F) -> Option<F::Output> {
    PollLimited { work: Some(Box::pin(work)), polls }.await
}
