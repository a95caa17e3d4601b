//! The server's settings on its command line: few processes, little memory, loopback only.

use super::Durability;

const COMMON_SETTINGS: [(&str, &str); 14] = [
    ("listen_addresses", "127.0.0.1"),
    // Socket paths are limited to about 100 bytes, and the data directory may be deeper.
    ("unix_socket_directories", ""),
    // The log goes to standard error, which is a file.
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_timezone", "UTC"),
    ("timezone", "UTC"),
    // As in production: compiling costs more than the short queries take.
    ("jit", "off"),
    // There are no replicas, and no query needs a second process.
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_worker_processes", "2"),
    ("max_logical_replication_workers", "0"),
    ("max_parallel_workers_per_gather", "0"),
    ("max_parallel_maintenance_workers", "0"),
    ("autovacuum_max_workers", "1"),
];

/// About 25 MB of memory, for a laptop.
const DURABLE_SETTINGS: [(&str, &str); 3] =
    [("max_connections", "60"), ("shared_buffers", "16MB"), ("max_wal_size", "128MB")];

/// Tests need many connections and no durability. `shared_buffers` has PostgreSQL's default, so that measurements compare.
const THROWAWAY_SETTINGS: [(&str, &str); 7] = [
    ("max_connections", "300"),
    ("shared_buffers", "128MB"),
    ("max_wal_size", "1GB"),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
];

/// Since version 18 PostgreSQL starts three I/O processes by default.
const SYNC_IO_SETTING: (&str, &str) = ("io_method", "sync");

/// Names and values for a server of this major version.
pub(super) fn server_settings(
    durability: Durability,
    version: Option<u32>,
) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let specific: &[_] = match durability {
        Durability::Durable => &DURABLE_SETTINGS,
        Durability::Throwaway => &THROWAWAY_SETTINGS,
    };
    let io = version.filter(|version| *version >= 18).map(|_| &SYNC_IO_SETTING);
    COMMON_SETTINGS.iter().chain(specific).chain(io)
}
