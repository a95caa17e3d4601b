//! The server's settings, given on its command line: few processes, little memory, loopback only.

use super::Durability;

/// Whoever may connect, and few processes.
const COMMON: [(&str, &str); 14] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_timezone", "UTC"),
    ("timezone", "UTC"),
    ("jit", "off"),
    // Nobody replicates from us, and no query is worth a second process.
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_worker_processes", "2"),
    ("max_logical_replication_workers", "0"),
    ("max_parallel_workers_per_gather", "0"),
    ("max_parallel_maintenance_workers", "0"),
    ("autovacuum_max_workers", "1"),
];

/// A footprint of about 25 MB, on a laptop.
const DURABLE: [(&str, &str); 3] =
    [("max_connections", "60"), ("shared_buffers", "16MB"), ("max_wal_size", "128MB")];

/// Tests come in crowds, and none of them pulls the plug. What is measured is measured with the memory that PostgreSQL has
/// where nobody says otherwise.
const THROWAWAY: [(&str, &str); 7] = [
    ("max_connections", "300"),
    ("shared_buffers", "128MB"),
    ("max_wal_size", "1GB"),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
];

/// From version 18 three processes read and write on behalf of the others, unless told not to.
const ASYNC_IO: (&str, &str) = ("io_method", "sync");

/// Names and values, for a server of this major version.
pub(super) fn of(
    durability: Durability,
    version: Option<u32>,
) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let particular: &[_] = match durability {
        Durability::Durable => &DURABLE,
        Durability::Throwaway => &THROWAWAY,
    };
    let io = version.filter(|version| *version >= 18).map(|_| &ASYNC_IO);
    COMMON.iter().chain(particular).chain(io)
}
