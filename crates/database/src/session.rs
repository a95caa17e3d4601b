//! One connection, and the transactions on it. Each statement is counted, and is a span of the trace it belongs to.

use std::{sync::Arc, time::Duration};

use tokio::time;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use tracing::{Instrument as _, Span};

use crate::{Error, cancel::Canceller, connect::Connection, count::Statements};

/// A parameter of a statement and its type in Postgres.
pub type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// One connection, back in the pool when dropped.
pub struct Session {
    connection: Connection,
    notes: Notes,
}

impl Session {
    /// Each statement on it may take so long.
    pub(crate) fn new(connection: Connection, statements: Statements, limit: Duration) -> Self {
        let notes = Notes { statements, limit, canceller: Arc::clone(&connection.canceller) };
        Self { connection, notes }
    }

    /// Runs one statement.
    pub async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.notes.of(operation(sql), self.connection.client.query_typed(sql, params)).await
    }

    /// Begins a transaction; dropped without [`Transaction::commit`] it is rolled back.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        let inner = self.notes.of("BEGIN", self.connection.client.transaction()).await?;
        Ok(Transaction { inner, notes: &self.notes })
    }

    /// Begins a transaction that can change nothing.
    pub async fn begin_read_only(&mut self) -> Result<Transaction<'_>, Error> {
        let begin = self.connection.client.build_transaction().read_only(true).start();
        let inner = self.notes.of("BEGIN", begin).await?;
        Ok(Transaction { inner, notes: &self.notes })
    }
}

/// An open transaction, or a savepoint inside one.
pub struct Transaction<'a> {
    inner: tokio_postgres::Transaction<'a>,
    notes: &'a Notes,
}

impl Transaction<'_> {
    /// Runs one statement.
    pub async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.notes.of(operation(sql), self.inner.query_typed(sql, params)).await
    }

    /// Begins a savepoint; dropped without [`Transaction::commit`] it is rolled back.
    pub async fn savepoint(&mut self) -> Result<Transaction<'_>, Error> {
        let inner = self.notes.of("SAVEPOINT", self.inner.transaction()).await?;
        Ok(Transaction { inner, notes: self.notes })
    }

    /// Commits the transaction, or releases the savepoint.
    pub async fn commit(self) -> Result<(), Error> {
        self.notes.of("COMMIT", self.inner.commit()).await
    }
}

/// What every statement goes through: it is counted, it is in the trace, and its time is bounded. It is stopped when that
/// is over, or when whoever waits for it goes away.
struct Notes {
    statements: Statements,
    limit: Duration,
    canceller: Arc<Canceller>,
}

impl Notes {
    async fn of<T>(
        &self,
        operation: &str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        self.statements.add_one();
        let pending = self.canceller.begin();
        let answer = time::timeout(self.limit, answer.instrument(span(operation))).await;
        let answer = answer.map_err(|_| Error::no_answer_within(self.limit))?;
        pending.answered();
        Ok(answer?)
    }
}

pub(crate) fn span(operation: &str) -> Span {
    tracing::info_span!(target: "trace", "postgres", operation)
}

/// What a statement does, as far as its first word tells. The rest of it is nobody's business but Postgres's.
fn operation(sql: &str) -> &str {
    sql.split_whitespace().next().unwrap_or_default()
}
