//! A pool of connections to Postgres. It knows no table.
//!
//! Statements go out unnamed with their parameter types given, which takes one round trip each and leaves nothing
//! behind on a pooled connection, ours or that of an RDS Proxy.

mod cancel;
mod connect;
mod count;
mod error;
mod iam;
mod session;
mod tls;

use std::{fmt, time::Duration};

use deadpool::{
    Runtime,
    managed::{Pool, PoolError, Timeouts},
};
use tokio_postgres::Row;

pub use crate::session::{Param, Session, Transaction};
use crate::{connect::Connector, count::Statements};
pub use crate::{
    connect::{Password, PoolConfig, Tls},
    count::{count_on, count_statements},
    error::Error,
    iam::IamLogin,
};

/// How long a request waits for a connection before it is told to come back.
const WAIT: Duration = Duration::from_secs(5);

/// How long a statement may take, unless somebody says otherwise. A request, of several statements, has 29 seconds.
const STATEMENT: Duration = Duration::from_secs(20);

/// A pool of connections.
#[derive(Clone)]
pub struct Db {
    pool: Pool<Connector>,
    statements: Statements,
    statement_timeout: Duration,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("statements", &self.statements()).finish_non_exhaustive()
    }
}

impl Db {
    /// A pool for this database. Each connection is opened when it is first needed, so a host that wants to know at the
    /// start runs a statement then. An error is the operator's: a CA file that cannot be used, or settings that
    /// contradict each other.
    pub fn connect(database: PoolConfig) -> Result<Self, Error> {
        let connections = database.connections;
        Self::pool(Connector::new(database)?, connections)
    }

    /// A pool of up to `connections` connections without TLS, each opened when it is first needed.
    pub fn new(config: tokio_postgres::Config, connections: usize) -> Result<Self, Error> {
        Self::pool(Connector::plain(config), connections)
    }

    fn pool(connector: Connector, connections: usize) -> Result<Self, Error> {
        let pool = Pool::builder(connector)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: Some(WAIT) })
            .build()
            .map_err(|error| Error::Misconfigured(error.to_string()))?;
        Ok(Self { pool, statements: Statements::default(), statement_timeout: STATEMENT })
    }

    /// The same pool for somebody whose statements may take so long each, instead of 20 seconds. One that takes longer is
    /// [`Error::TimedOut`]; the server is told to cancel it, and its connection is not used again.
    ///
    /// It is our own clock that measures this: a setting of the session would pin it to one connection of an RDS Proxy.
    #[must_use]
    pub fn with_statement_timeout(self, statement_timeout: Duration) -> Self {
        Self { statement_timeout, ..self }
    }

    /// How many statements this pool has sent, transaction control included; each is one round trip. What is dropped is
    /// rolled back uncounted, and nobody waits for that.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.sent()
    }

    /// One statement outside a transaction. It is sent once more where that may help: a pooled connection may have died
    /// unnoticed, or a deadlock was broken at its cost. One that took too long is not: the second would, too.
    pub async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let session = self.session().await?;
        let answer = session.query(sql, params).await;
        let Err(error @ Error::Unreachable(_)) = &answer else { return answer };
        // The second try may need the place of the first.
        drop(session);
        if !error.is_deadlock() {
            // Where one connection has died, others have, too.
            self.pool.retain(|_, _| false);
        }
        self.session().await?.query(sql, params).await
    }

    /// One statement in a transaction of its own that can change nothing.
    pub async fn query_read_only(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let mut session = self.session().await?;
        let tx = session.begin_read_only().await?;
        tx.query(sql, params).await
    }

    /// The first row, where at most one is expected.
    pub async fn query_opt(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// A connection of one's own, for a transaction.
    pub async fn session(&self) -> Result<Session, Error> {
        let connection = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            other => Error::unreachable(other),
        })?;
        Ok(Session::new(connection, self.statements.clone(), self.statement_timeout))
    }
}
