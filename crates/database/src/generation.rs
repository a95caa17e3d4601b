//! Which connections of a pool may be used again. After a failover all of them are to a server that is gone or read-only, not
//! only the one that noticed it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counts how often a pool has given up its connections.
#[derive(Clone, Default)]
pub(crate) struct PoolGeneration(Arc<AtomicU64>);

impl PoolGeneration {
    /// The generation of a connection that is about to be opened.
    pub(crate) fn current(&self) -> ConnectionGeneration {
        ConnectionGeneration { pool: self.clone(), number: self.0.load(Relaxed) }
    }
}

/// The generation of one connection.
#[derive(Clone)]
pub(crate) struct ConnectionGeneration {
    pool: PoolGeneration,
    number: u64,
}

impl ConnectionGeneration {
    /// Whether the connection may be used again.
    pub(crate) fn is_current(&self) -> bool {
        self.pool.0.load(Relaxed) == self.number
    }

    /// Gives up this connection and those that were opened before it or with it. One that is in use finishes its work.
    pub(crate) fn end(&self) {
        self.pool.0.fetch_max(self.number + 1, Relaxed);
    }
}
