//! The trace that work belongs to, so that messages can carry it on.
//!
//! A trace is a text, an X-Ray tracing header (AWS X-Ray Developer Guide, "Tracing header"):
//! `Root=1-…;Parent=…;Sampled=1`. A host sets it with [`with_header`]. Without that there is no trace.

use std::future::Future;

tokio::task_local! {
    static HEADER: Option<String>;
}

/// Runs work as part of the trace with this header, or of none.
pub async fn with_header<F: Future>(header: Option<String>, work: F) -> F::Output {
    HEADER.scope(header, work).await
}

/// The header of the trace that the caller is part of.
#[must_use]
pub fn current_header() -> Option<String> {
    HEADER.try_with(Clone::clone).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn concurrent_work_keeps_its_own_trace() {
        assert_eq!(current_header(), None);
        let one = with_header(Some("Root=1-a".to_owned()), async {
            tokio::task::yield_now().await;
            current_header()
        });
        let other = with_header(None, async { current_header() });
        assert_eq!(tokio::join!(one, other), (Some("Root=1-a".to_owned()), None));
    }
}
