//! Work that stops half way, as that of a process that dies.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// A future that is dropped when it has been polled this often.
struct Interrupted<F> {
    work: Option<Pin<Box<F>>>,
    polls: usize,
}

impl<F: Future> Future for Interrupted<F> {
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

/// Works until the future has been polled this often; `None` if it was not ready by then.
pub(crate) async fn interrupted<F: Future>(polls: usize, work: F) -> Option<F::Output> {
    Interrupted { work: Some(Box::pin(work)), polls }.await
}
