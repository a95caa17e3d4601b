//! Postgres: one schema per workspace, every statement written out in this folder, one function a query.
//!
//! Statements go out unnamed with their parameter types given, which takes one round trip each and leaves nothing
//! behind on a pooled connection. A workspace's schema gets into a statement only as [`WorkspaceId`], an integer.

pub mod access;
pub mod files;
pub mod packages;
pub mod restores;
pub mod usage;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::{
    NoTls, Row,
    error::SqlState,
    types::{ToSql, Type},
};

use crate::id::{DatasetId, WorkspaceId};

/// How long a request waits for a connection before it is told to come back.
const WAIT: Duration = Duration::from_secs(5);

/// A parameter of a statement and its type in Postgres.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// What went wrong between us and Postgres. Its text is for the log, never for a client.
#[derive(Debug)]
pub enum Error {
    /// No connection could be had, or it was lost: worth another try.
    Unreachable(Box<dyn std::error::Error + Send + Sync>),
    /// Postgres refused the statement.
    Refused(Box<tokio_postgres::Error>),
}

impl Error {
    /// Whether a package's name is taken: one of the two unique indexes on names refused it.
    pub(crate) fn is_name_clash(&self) -> bool {
        let Self::Refused(error) = self else { return false };
        error.as_db_error().is_some_and(|error| {
            *error.code() == SqlState::UNIQUE_VIOLATION
                && error.constraint().is_some_and(|name| name.starts_with("packages_name_dataset_id_"))
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "the database cannot be reached: {error}"),
            Self::Refused(error) => match error.as_db_error() {
                Some(error) => {
                    write!(f, "the database refused a statement: {} {}", error.code().code(), error.message())
                }
                None => write!(f, "a statement failed: {error}"),
            },
        }
    }
}

impl std::error::Error for Error {}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let lost = error.is_closed() || error.as_db_error().is_some_and(|error| is_passing(error.code()));
        if lost { Self::Unreachable(Box::new(error)) } else { Self::Refused(Box::new(error)) }
    }
}

/// Conditions of the server that pass: it shuts down, starts, has no room, or broke a deadlock at our cost.
fn is_passing(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    matches!(class, "08" | "53" | "57")
        || *code == SqlState::T_R_DEADLOCK_DETECTED
        || *code == SqlState::LOCK_NOT_AVAILABLE
}

/// A pool of connections.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    statements: Arc<AtomicU64>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("statements", &self.statements()).finish_non_exhaustive()
    }
}

impl Db {
    /// A pool of up to `connections` connections without TLS, each opened when it is first needed.
    pub fn new(config: tokio_postgres::Config, connections: usize) -> Result<Self, Error> {
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, NoTls, manager))
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: Some(WAIT) })
            .build()
            .map_err(|error| Error::Unreachable(Box::new(error)))?;
        Ok(Self { pool, statements: Arc::default() })
    }

    /// How many statements this pool has sent, transaction control included; each is one round trip.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Relaxed)
    }

    /// Whether Postgres answers and knows this service's own tables.
    pub async fn check(&self) -> Result<(), Error> {
        self.query(
            "SELECT 1 FROM packages_service.restore_orders, packages_service.restore_failures LIMIT 0",
            &[],
        )
        .await
        .map(drop)
    }

    /// One statement outside a transaction. It is sent once more where that may help: a pooled connection may have died
    /// unnoticed, or a deadlock was broken at its cost.
    pub(crate) async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        match self.session().await?.query(sql, params).await.map_err(Error::from) {
            Err(Error::Unreachable(_)) => Ok(self.session().await?.query(sql, params).await?),
            other => other,
        }
    }

    /// The first row, where at most one is expected.
    pub(crate) async fn query_opt(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// A connection of one's own, for a transaction.
    pub(crate) async fn session(&self) -> Result<Session, Error> {
        let client = self.pool.get().await.map_err(|error| Error::Unreachable(Box::new(error)))?;
        Ok(Session { client, statements: Arc::clone(&self.statements) })
    }
}

/// One connection, back in the pool when dropped.
pub(crate) struct Session {
    client: Object,
    statements: Arc<AtomicU64>,
}

impl Session {
    async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.statements.fetch_add(1, Relaxed);
        self.client.query_typed(sql, params).await
    }

    /// Begins a transaction; dropped without [`Tx::commit`] it is rolled back.
    pub(crate) async fn begin(&mut self) -> Result<Tx<'_>, Error> {
        self.statements.fetch_add(1, Relaxed);
        let client: &mut tokio_postgres::Client = &mut self.client;
        Ok(Tx { inner: client.transaction().await?, statements: &self.statements })
    }
}

/// An open transaction, or a savepoint inside one.
pub(crate) struct Tx<'a> {
    inner: tokio_postgres::Transaction<'a>,
    statements: &'a AtomicU64,
}

impl Tx<'_> {
    pub(crate) async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.statements.fetch_add(1, Relaxed);
        Ok(self.inner.query_typed(sql, params).await?)
    }

    pub(crate) async fn query_opt(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    pub(crate) async fn savepoint(&mut self) -> Result<Tx<'_>, Error> {
        self.statements.fetch_add(1, Relaxed);
        Ok(Tx { inner: self.inner.transaction().await?, statements: self.statements })
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.statements.fetch_add(1, Relaxed);
        Ok(self.inner.commit().await?)
    }
}

/// Makes other restores in the same dataset wait until this transaction ends, which is soon: nothing else is awaited
/// in it. An advisory lock, so that nobody but restores waits: the platform itself updates the dataset's row.
pub(crate) async fn lock_dataset(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    dataset: DatasetId,
) -> Result<(), Error> {
    let params: [Param<'_>; 2] = [(&workspace.0, Type::INT4), (&dataset.0, Type::INT4)];
    tx.query("SELECT pg_advisory_xact_lock($1, $2)", &params).await.map(drop)
}
