//! What a connection may take: time in each of its phases, and a place among the process's open files.

use std::{fs, num::NonZeroUsize, time::Duration};

use hosting::config::ConnectionsConfig;

/// The fewest open files that are left for all else: the connections to Postgres and AWS, the log, the signing key.
const MIN_OTHER_FILES: u64 = 64;

/// The most connections by default, however many files the process may open: each takes memory, too.
const MAX_DEFAULT_CONNECTIONS: u64 = 8192;

/// The file limit of a process whose limit is not known: what Linux starts with.
const DEFAULT_FILE_LIMIT: u64 = 1024;

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
        // Not getrlimit, which the hardened unit in packaging/ may not call.
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let file_limit = parse_file_limit(&limits).unwrap_or(DEFAULT_FILE_LIMIT);
        Self {
            idle: config.idle,
            head: config.head,
            write: config.write,
            shutdown: config.shutdown,
            connections: config.connections.unwrap_or_else(|| default_connections(file_limit)),
        }
    }
}

/// The soft limit of open files in the text of `/proc/self/limits` (proc(5)).
fn parse_file_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
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
            [(0, 1), (64, 32), (100, 50), (256, 192), (1024, 768), (20_000, 8192), (u64::MAX, 8192)]
        {
            assert_eq!(default_connections(files).get(), connections, "{files}");
        }
    }

    #[test]
    fn reads_the_file_limit() {
        let line = |soft: &str| {
            format!(
                "Max processes 63422 63422 processes\nMax open files            {soft}   524288   files\n"
            )
        };
        assert_eq!(parse_file_limit(&line("256")), Some(256));
        assert_eq!(parse_file_limit(&line("unlimited")), Some(u64::MAX));
        assert_eq!(parse_file_limit(&line("many")), None);
        assert_eq!(parse_file_limit(""), None);
        // The kernel's own text.
        assert!(parse_file_limit(&fs::read_to_string("/proc/self/limits").unwrap()).is_some());
    }
}
