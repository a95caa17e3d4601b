//! A pool of connections to Postgres. It knows no tables.
//!
//! Statements are unnamed and carry their parameter types. So each takes one round trip, and leaves no state on a pooled
//! connection: a named statement would pin the session of an RDS Proxy. Where Postgres is reached directly, the statements of
//! [`Db::query_prepared`] are prepared by name.

mod cancel;
mod connector;
mod error;
mod generation;
mod iam;
mod session;
mod statement_cache;
mod statement_count;
mod tls;

use std::{fmt, time::Duration};

use deadpool::{
    Runtime,
    managed::{Pool, PoolError, QueueMode, Timeouts},
};
use tokio_postgres::Row;

pub use crate::session::{Param, Session, Transaction};
use crate::{connector::Connector, session::Naming, statement_count::StatementCounter};
pub use crate::{
    connector::{Password, PoolConfig, Tls},
    error::Error,
    iam::{IamLogin, IamTokenError},
    statement_count::{count_statements, inherit_statement_count},
};

/// How long a request waits for a connection before it is answered with 503.
const POOL_TIMEOUT: Duration = Duration::from_secs(5);

/// The default limit of one statement. A request, of several statements, has 29 seconds.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);

/// A pool of connections.
#[derive(Clone)]
pub struct Db {
    pool: Pool<Connector>,
    counter: StatementCounter,
    statement_timeout: Duration,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("statement_count", &self.statement_count()).finish_non_exhaustive()
    }
}

impl Db {
    /// Creates a pool. Connections open when they are needed: a host that wants to check the database at its start runs a
    /// statement. Fails with [`Error::Misconfigured`] if the CA file is invalid or the settings contradict each other.
    pub fn from_config(config: PoolConfig) -> Result<Self, Error> {
        let max_connections = config.max_connections;
        Self::build(Connector::new(config)?, max_connections)
    }

    /// Creates a pool without TLS, with up to this many connections.
    pub fn new(config: tokio_postgres::Config, max_connections: usize) -> Result<Self, Error> {
        Self::build(Connector::plain(config), max_connections)
    }

    fn build(connector: Connector, max_connections: usize) -> Result<Self, Error> {
        let pool = Pool::builder(connector)
            .max_size(max_connections)
            .runtime(Runtime::Tokio1)
            // The connection that was used last has what it needs in its caches, and its prepared statements.
            .queue_mode(QueueMode::Lifo)
            .timeouts(Timeouts {
                wait: Some(POOL_TIMEOUT),
                create: Some(POOL_TIMEOUT),
                recycle: Some(POOL_TIMEOUT),
            })
            .build()
            .map_err(|error| Error::Misconfigured(error.to_string()))?;
        Ok(Self { pool, counter: StatementCounter::default(), statement_timeout: STATEMENT_TIMEOUT })
    }

    /// The same pool with another limit than 20 seconds for one statement. A statement that takes longer fails with
    /// [`Error::TimedOut`]. The server is asked to cancel it, and its connection is not used again.
    ///
    /// The limit is our own timer: `SET statement_timeout` would pin the session of an RDS Proxy to one connection.
    #[must_use]
    pub fn with_statement_timeout(self, statement_timeout: Duration) -> Self {
        Self { statement_timeout, ..self }
    }

    /// The same pool, in which one statement may take this long at most.
    #[must_use]
    pub fn with_statement_limit(self, limit: Duration) -> Self {
        Self { statement_timeout: self.statement_timeout.min(limit), ..self }
    }

    /// The same pool, whose [`Db::query_prepared`] prepares statements by name, or does not, as at first. Not behind RDS Proxy,
    /// whose sessions it would pin, nor behind another pooler.
    #[must_use]
    pub fn with_prepared_statements(self, are_enabled: bool) -> Self {
        self.pool.manager().prepared_statements.enable(are_enabled);
        self
    }

    /// The number of statements that this pool has sent, transaction control included. Each is one round trip. The
    /// rollback of a dropped transaction does not count.
    #[must_use]
    pub fn statement_count(&self) -> u64 {
        self.counter.get()
    }

    /// Runs one statement outside a transaction. It is sent once more for each [`Error::Unreachable`]: if the pooled
    /// connection broke unnoticed, if its server is read-only since a failover, or if Postgres cancelled the statement to
    /// break a deadlock. A statement that took too long is not: the second would, too.
    pub async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.try_twice(Naming::Unnamed, sql, params).await
    }

    /// The same as [`Db::query`], for a statement of which each request sends the same text. From its second use on a
    /// connection it is prepared by name, if [`Db::with_prepared_statements`] says so. That spares Postgres parsing and planning.
    /// Preparing is one more round trip. After five uses the plan may not depend on the parameters any more: one plan must be
    /// good for all of them.
    pub async fn query_prepared(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.try_twice(Naming::Prepared, sql, params).await
    }

    /// Runs one statement with [`Db::query_prepared`] and returns its first row.
    pub async fn query_opt_prepared(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.query_prepared(sql, params).await?.into_iter().next())
    }

    async fn try_twice(&self, naming: Naming, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let session = self.session().await?;
        let result = session.run(naming, sql, params).await;
        if !matches!(result, Err(Error::Unreachable(_))) {
            return result;
        }
        // The pool may be full: the second attempt may need this connection's place.
        drop(session);
        // A new connection, unless this one is still good: the failure has ended the others, too. Boxed, because it is rare
        // and the futures of statements are large.
        Box::pin(async { self.session().await?.run(naming, sql, params).await }).await
    }

    /// Runs one statement in a read-only transaction of its own.
    pub async fn query_read_only(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let mut session = self.session().await?;
        let tx = session.begin_read_only().await?;
        tx.query(sql, params).await
    }

    /// Runs one statement and returns its first row.
    pub async fn query_opt(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Takes a connection from the pool, for a transaction.
    pub async fn session(&self) -> Result<Session, Error> {
        let connection = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            other => Error::unreachable(other),
        })?;
        Ok(Session::new(connection, self.counter.clone(), self.statement_timeout))
    }
}
