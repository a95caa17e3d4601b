//! Counting statements. Each statement is one round trip.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

tokio::task_local! {
    static COUNT: Arc<AtomicU64>;
}

/// Runs work and counts the statements it sends, transaction control included. A spawned task counts only with
/// [`inherit_statement_count`]. An outer count includes the inner ones.
pub async fn count_statements<F: Future>(work: F) -> (F::Output, u64) {
    let count = Arc::<AtomicU64>::default();
    let output = COUNT.scope(Arc::clone(&count), work).await;
    let sent = count.load(Relaxed);
    add_to_current(sent);
    (output, sent)
}

/// Wraps work to be spawned: its statements count for the caller of this function, until the caller's count ends.
pub fn inherit_statement_count<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let count = COUNT.try_with(Arc::clone).unwrap_or_default();
    COUNT.scope(count, work)
}

/// Adds statements to the current task's count, if there is one.
fn add_to_current(statements: u64) {
    let _ = COUNT.try_with(|count| count.fetch_add(statements, Relaxed));
}

/// Counts all statements of one pool.
#[derive(Clone, Default)]
pub(crate) struct StatementCounter(Arc<AtomicU64>);

impl StatementCounter {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Relaxed);
        add_to_current(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn statements_count_for_the_work_that_sent_them() {
        let statements = StatementCounter::default();
        statements.add_one();
        let one = count_statements(async {
            statements.add_one();
            tokio::task::yield_now().await;
            statements.add_one();
        });
        let other = count_statements(async { statements.add_one() });
        let (((), one), ((), other)) = tokio::join!(one, other);
        assert_eq!((one, other, statements.get()), (2, 1, 4));
    }

    #[tokio::test]
    async fn a_spawned_task_counts_only_with_an_inherited_count() {
        let statements = StatementCounter::default();
        let ((), sent) = count_statements(async {
            let (own, ours) = (statements.clone(), statements.clone());
            tokio::spawn(inherit_statement_count(async move { ours.add_one() })).await.unwrap();
            tokio::spawn(async move { own.add_one() }).await.unwrap();
        })
        .await;
        assert_eq!((sent, statements.get()), (1, 2));
        inherit_statement_count(async { statements.add_one() }).await;
        assert_eq!(statements.get(), 3, "without a count it only runs");
    }

    #[tokio::test]
    async fn an_outer_count_includes_the_inner_one() {
        let statements = StatementCounter::default();
        let (((), inner), outer) = count_statements(async {
            statements.add_one();
            count_statements(async { statements.add_one() }).await
        })
        .await;
        assert_eq!((inner, outer), (1, 2));
    }
}
