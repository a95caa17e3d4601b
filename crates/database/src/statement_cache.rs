//! The statements that one connection has prepared by name.
//!
//! A workspace's schema is part of a statement's text, so there may be as many texts as workspaces. The cache is bounded: the
//! statement that was not used for longest is closed.

use std::{
    hash::RandomState,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use lru::LruCache;
use tokio_postgres::{Statement, error::SqlState};

/// How many texts one connection remembers. In the memory of the connection's own process, Postgres keeps 100 KB for the
/// statement of a link, 170 KB for that of a decision on access and 340 KB for both in one (`pg_backend_memory_contexts`, contexts
/// `CachedPlan…`).
const MAX_STATEMENTS: NonZeroUsize = NonZeroUsize::new(100).expect("not zero");

/// Whether the connections of a pool prepare statements by name. Shared, so that one connection turns it off for all.
#[derive(Clone, Default)]
pub(crate) struct PreparedStatements(Arc<AtomicBool>);

impl PreparedStatements {
    pub(crate) fn enable(&self, are_enabled: bool) {
        self.0.store(are_enabled, Relaxed);
    }

    fn are_enabled(&self) -> bool {
        self.0.load(Relaxed)
    }

    fn turn_off(&self) {
        if self.0.swap(false, Relaxed) {
            tracing::warn!(
                "a prepared statement is not in our session: statements are no longer prepared. Is there a pooler before \
                 Postgres? Then set POSTGRES_PREPARED_STATEMENTS=off"
            );
        }
    }
}

/// What to do with a text on this connection.
pub(crate) enum CachedStatement {
    /// Run it without a name: the text is new, or names are not used.
    Unnamed,
    /// Prepare it: it was used before.
    Unprepared,
    /// Run this statement.
    Prepared(Statement),
}

/// The texts that one connection used lately.
pub(crate) struct StatementCache {
    statements: Mutex<LruCache<Box<str>, Option<Statement>, RandomState>>,
    settings: PreparedStatements,
}

impl StatementCache {
    pub(crate) fn new(settings: PreparedStatements) -> Self {
        let statements = LruCache::with_hasher(MAX_STATEMENTS, RandomState::new());
        Self { statements: Mutex::new(statements), settings }
    }

    /// Looks a text up. Preparing costs a round trip, so a text is prepared when it is used a second time: where workspaces
    /// are many and their turns are rare, nothing is prepared in vain.
    pub(crate) fn find(&self, sql: &str) -> CachedStatement {
        if !self.settings.are_enabled() {
            return CachedStatement::Unnamed;
        }
        let mut statements = self.lock();
        match statements.get(sql) {
            Some(Some(statement)) => CachedStatement::Prepared(statement.clone()),
            Some(None) => CachedStatement::Unprepared,
            None => {
                statements.put(sql.into(), None);
                CachedStatement::Unnamed
            }
        }
    }

    /// Keeps a prepared statement. A statement that is dropped is closed at the server, once no query uses it.
    pub(crate) fn insert(&self, sql: &str, statement: &Statement) {
        self.lock().put(sql.into(), Some(statement.clone()));
    }

    /// Forgets a statement that failed with this code, if another attempt without a name may succeed: a table has other columns
    /// now, or a pooler gave us another session (PostgreSQL documentation, "PostgreSQL Error Codes").
    pub(crate) fn forget_if_stale(&self, sql: &str, code: &SqlState) -> bool {
        let is_lost = matches!(*code, SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT);
        if is_lost {
            self.settings.turn_off();
        }
        // "cached plan must not change result type" has no code of its own.
        let is_stale = is_lost || *code == SqlState::FEATURE_NOT_SUPPORTED;
        if is_stale {
            self.lock().pop(sql);
        }
        is_stale
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Box<str>, Option<Statement>, RandomState>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
