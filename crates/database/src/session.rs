//! One connection and its transactions. Each statement is counted and is a span of the current trace.

use std::{sync::Arc, time::Duration};

use tokio::time;
use tokio_postgres::{
    Row, Statement,
    types::{ToSql, Type},
};
use tracing::{Instrument as _, Span};

use crate::{
    Error,
    cancel::Canceller,
    connector::Connection,
    error::{ends_session, is_internal},
    generation::ConnectionGeneration,
    statement_cache::CachedStatement,
    statement_count::StatementCounter,
};

/// A parameter of a statement and its type in Postgres.
pub type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Whether a statement may be prepared by name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Naming {
    Unnamed,
    Prepared,
}

/// One connection. It returns to the pool when dropped.
pub struct Session {
    connection: Connection,
    runner: StatementRunner,
}

impl Session {
    pub(crate) fn new(connection: Connection, counter: StatementCounter, timeout: Duration) -> Self {
        let (canceller, generation) = (Arc::clone(&connection.canceller), connection.generation.clone());
        let runner = StatementRunner { counter, timeout, canceller, generation };
        Self { connection, runner }
    }

    /// Runs one statement.
    pub async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.runner.run(first_word(sql), self.connection.client.query_typed(sql, params)).await
    }

    /// Runs one statement outside a transaction.
    pub(crate) async fn run(
        &self,
        naming: Naming,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Error> {
        match naming {
            Naming::Unnamed => self.query(sql, params).await,
            Naming::Prepared => self.query_prepared(sql, params).await,
        }
    }

    /// Runs one statement, prepared by name if this connection ran it before.
    async fn query_prepared(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let result = self.try_prepared(sql, params).await;
        let Err(error) = &result else { return result };
        match error.code() {
            // The statement was not started. Boxed, because it is rare.
            Some(code) if self.connection.statements.forget_if_stale(sql, code) => {
                Box::pin(self.query(sql, params)).await
            }
            _ => result,
        }
    }

    async fn try_prepared(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let statement = match self.connection.statements.find(sql) {
            CachedStatement::Prepared(statement) => statement,
            CachedStatement::Unprepared => Box::pin(self.prepare(sql, params)).await?,
            CachedStatement::Unnamed => return Box::pin(self.query(sql, params)).await,
        };
        let values: Vec<&(dyn ToSql + Sync)> = params.iter().map(|(value, _)| *value).collect();
        self.runner.run(first_word(sql), self.connection.client.query(&statement, &values)).await
    }

    async fn prepare(&self, sql: &str, params: &[Param<'_>]) -> Result<Statement, Error> {
        let types: Vec<Type> = params.iter().map(|(_, parameter_type)| parameter_type.clone()).collect();
        let prepare = self.connection.client.prepare_typed(sql, &types);
        let statement = self.runner.run("PREPARE", prepare).await?;
        self.connection.statements.insert(sql, &statement);
        Ok(statement)
    }

    /// Begins a transaction. Dropped without [`Transaction::commit`] it is rolled back.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        let inner = self.runner.run("BEGIN", self.connection.client.transaction()).await?;
        Ok(Transaction { inner, runner: &self.runner })
    }

    /// Begins a read-only transaction.
    pub async fn begin_read_only(&mut self) -> Result<Transaction<'_>, Error> {
        let begin = self.connection.client.build_transaction().read_only(true).start();
        let inner = self.runner.run("BEGIN", begin).await?;
        Ok(Transaction { inner, runner: &self.runner })
    }
}

/// An open transaction, or a savepoint inside one.
pub struct Transaction<'a> {
    inner: tokio_postgres::Transaction<'a>,
    runner: &'a StatementRunner,
}

impl Transaction<'_> {
    /// Runs one statement.
    pub async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.runner.run(first_word(sql), self.inner.query_typed(sql, params)).await
    }

    /// Begins a savepoint. Dropped without [`Transaction::commit`] it is rolled back.
    pub async fn savepoint(&mut self) -> Result<Transaction<'_>, Error> {
        let inner = self.runner.run("SAVEPOINT", self.inner.transaction()).await?;
        Ok(Transaction { inner, runner: self.runner })
    }

    /// Commits the transaction, or releases the savepoint.
    pub async fn commit(self) -> Result<(), Error> {
        self.runner.run("COMMIT", self.inner.commit()).await
    }
}

/// Runs every statement of a session: counts it, traces it and limits its time. A statement is cancelled when its time is
/// up, or when its future is dropped.
struct StatementRunner {
    counter: StatementCounter,
    timeout: Duration,
    canceller: Arc<Canceller>,
    generation: ConnectionGeneration,
}

impl StatementRunner {
    async fn run<T>(
        &self,
        operation: &str,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        self.counter.add_one();
        let guard = self.canceller.guard_statement();
        let result = time::timeout(self.timeout, statement.instrument(statement_span(operation))).await;
        // On a timeout the guard is dropped, which cancels the statement.
        let result = result.map_err(|_| Error::no_answer_within(self.timeout))?;
        guard.complete();
        result.map_err(|error| {
            if ends_session(&error) {
                self.generation.end();
            } else if is_internal(&error) {
                self.canceller.abandon_connection();
            }
            error.into()
        })
    }
}

pub(crate) fn statement_span(operation: &str) -> Span {
    tracing::info_span!(target: "trace", "postgres", operation)
}

/// The first word of a statement, for the trace. The rest may have ids.
fn first_word(sql: &str) -> &str {
    sql.split_whitespace().next().unwrap_or_default()
}
