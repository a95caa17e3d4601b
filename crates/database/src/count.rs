//! How many statements a piece of work costs: each is one round trip.

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

/// Runs some work and says how many statements it sent, transaction control included. What it spawns is not its own
/// unless that goes through [`count_on`]. Where one count runs within another, both count.
pub async fn count_statements<F: Future>(work: F) -> (F::Output, u64) {
    let count = Arc::<AtomicU64>::default();
    let output = COUNT.scope(Arc::clone(&count), work).await;
    let sent = count.load(Relaxed);
    add(sent);
    (output, sent)
}

/// The same work, to be spawned: its statements count for whoever calls this, for as long as that one counts.
pub fn count_on<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let count = COUNT.try_with(Arc::clone).unwrap_or_default();
    COUNT.scope(count, work)
}

/// Adds statements to the count that the current task runs under, if any.
fn add(statements: u64) {
    let _ = COUNT.try_with(|count| count.fetch_add(statements, Relaxed));
}

/// The statements of one pool, whoever sent them.
#[derive(Clone, Default)]
pub(crate) struct Statements(Arc<AtomicU64>);

impl Statements {
    pub(crate) fn sent(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Relaxed);
        add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn statements_count_for_the_work_that_sent_them() {
        let statements = Statements::default();
        statements.add_one();
        let one = count_statements(async {
            statements.add_one();
            tokio::task::yield_now().await;
            statements.add_one();
        });
        let other = count_statements(async { statements.add_one() });
        let (((), one), ((), other)) = tokio::join!(one, other);
        assert_eq!((one, other, statements.sent()), (2, 1, 4));
    }

    #[tokio::test]
    async fn a_spawned_task_counts_where_it_was_told_to() {
        let statements = Statements::default();
        let ((), sent) = count_statements(async {
            let (own, ours) = (statements.clone(), statements.clone());
            tokio::spawn(count_on(async move { ours.add_one() })).await.unwrap();
            tokio::spawn(async move { own.add_one() }).await.unwrap();
        })
        .await;
        assert_eq!((sent, statements.sent()), (1, 2));
        count_on(async { statements.add_one() }).await;
        assert_eq!(statements.sent(), 3, "where nobody counts, nothing breaks");
    }

    #[tokio::test]
    async fn a_count_within_a_count_belongs_to_both() {
        let statements = Statements::default();
        let (((), inner), outer) = count_statements(async {
            statements.add_one();
            count_statements(async { statements.add_one() }).await
        })
        .await;
        assert_eq!((inner, outer), (1, 2));
    }
}
