//! The trace that a piece of work belongs to, so that what it hands on to a queue can carry it along.
//!
//! The domain knows a trace only as text, an X-Ray tracing header (AWS X-Ray Developer Guide, "Tracing header"):
//! `Root=1-…;Parent=…;Sampled=1`. A host says which one it is; without a host that does, there is none.

use std::future::Future;

tokio::task_local! {
    static HEADER: Option<String>;
}

/// Runs some work as part of a trace, or of none.
pub async fn scope<F: Future>(header: Option<String>, work: F) -> F::Output {
    HEADER.scope(header, work).await
}

/// The header of the trace that the caller is part of.
#[must_use]
pub fn header() -> Option<String> {
    HEADER.try_with(Clone::clone).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_knows_its_own_trace_and_no_other() {
        assert_eq!(header(), None);
        let one = scope(Some("Root=1-a".to_owned()), async {
            tokio::task::yield_now().await;
            header()
        });
        let other = scope(None, async { header() });
        assert_eq!(tokio::join!(one, other), (Some("Root=1-a".to_owned()), None));
    }
}
