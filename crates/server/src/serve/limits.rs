//! What a connection may take: time in each of its phases, and a place among the process's open files.

use std::{num::NonZeroUsize, time::Duration};

use hosting::config::ConnectionsConfig;
use rustix::process::{Resource, getrlimit};

/// The fewest open files that are left for all else: the connections to Postgres and AWS, the log, the signing key.
const MIN_OTHER_FILES: u64 = 64;

/// The most connections by default, however many files the process may open: each takes memory, too.
const MAX_DEFAULT_CONNECTIONS: u64 = 8192;

/// The file limit of a process that has none.
const UNLIMITED_FILES: u64 = u64::MAX;

/// The limits of a server's connections. docs/limits.md says how they agree with what stands in front of a server.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// How long a connection may wait for the first byte of a request.
    pub idle: Duration,
    /// How long a request's head may take, from its first byte.
    pub head: Duration,
    /// How long a client may take no byte of a response.
    pub write: Duration,
    /// How long running requests may take after the stop signal.
    pub shutdown: Duration,
    /// The most connections.
    pub connections: NonZeroUsize,
}

impl ConnectionLimits {
    /// The configured limits. The number of connections follows from the file limit of the process if it is not configured.
    #[must_use]
    pub fn from_config(config: &ConnectionsConfig) -> Self {
        let file_limit = getrlimit(Resource::Nofile).current.unwrap_or(UNLIMITED_FILES);
        Self {
            idle: config.idle,
            head: config.head,
            write: config.write,
            shutdown: config.shutdown,
            connections: config.connections.unwrap_or_else(|| default_connections(file_limit)),
        }
    }
}

/// Three quarters of the files that the process may open.
fn default_connections(file_limit: u64) -> NonZeroUsize {
    let others = MIN_OTHER_FILES.max(file_limit / 4);
    // Half of a limit that is too small for the rest: all else then fails sooner, but not always.
    let connections = file_limit.saturating_sub(others).max(file_limit / 2).min(MAX_DEFAULT_CONNECTIONS);
    usize::try_from(connections).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_all_else() {
        for (files, connections) in
            [(0, 1), (64, 32), (100, 50), (256, 192), (1024, 768), (20_000, 8192), (UNLIMITED_FILES, 8192)]
        {
            assert_eq!(default_connections(files).get(), connections, "{files}");
        }
    }
}
