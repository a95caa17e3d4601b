//! One server for all tests of a process.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use super::{
    Durability, PostgresConfig, PostgresError, PostgresServer, account::effective_uid, data_dir,
    error::io_error, postmaster,
};
use crate::{lock_file::LockFile, testing};

/// Tests leave data behind, so an older data directory is replaced.
const MAX_DATA_DIR_AGE: Duration = Duration::from_hours(24);

/// The URL of a throwaway server that all tests of this process share. The first call starts it with the programs in
/// `PG_BIN_DIR`, if that variable is set. The server ends with the process.
///
/// Its data directory is one of a few below the system's temporary directory. One process uses it at a time, and later
/// processes use it again, so that only the first run has to create it. Data of earlier runs may still be in it.
///
/// # Panics
///
/// If the server does not start. No test could continue.
#[must_use]
pub fn shared_server_url() -> String {
    static SERVER: LazyLock<Result<(PostgresServer, LockFile), PostgresError>> = LazyLock::new(start_server);
    match &*SERVER {
        // The lock is part of the static value, so it is held until the process ends.
        Ok((server, _lock)) => server.url(),
        #[expect(clippy::panic, reason = "a test without its database cannot continue")]
        Err(error) => panic!("{error}"),
    }
}

fn start_server() -> Result<(PostgresServer, LockFile), PostgresError> {
    let dir = std::env::temp_dir().join(format!("packages-service-tests-{}", effective_uid()));
    let (slot, lock) = lock_slot(&dir).map_err(io_error("cannot use", &dir))?;
    let config = PostgresConfig {
        data_dir: slot.join("postgres"),
        port: None,
        durability: Durability::Throwaway,
        binaries: testing::env_variable("PG_BIN_DIR").map(PathBuf::from),
    };
    if is_expired(&config.data_dir) {
        remove_data_dir(&config.data_dir)?;
    }
    match PostgresServer::start(config.clone()) {
        // Without fsync, a power cut may have corrupted the data.
        Err(PostgresError::StartFailed { .. } | PostgresError::NotADataDir(_)) => {
            remove_data_dir(&config.data_dir)?;
            PostgresServer::start(config)
        }
        started => started,
    }
    .map(|server| (server, lock))
}

/// Locks the first directory that no other process uses.
fn lock_slot(dir: &Path) -> io::Result<(PathBuf, LockFile)> {
    data_dir::create_own_dir(dir)?;
    // Several processes may run tests at the same time.
    let mut number = 0_u32;
    loop {
        let slot = dir.join(number.to_string());
        data_dir::create_own_dir(&slot)?;
        if let Some(lock) = LockFile::try_lock(&slot.join("lock"))? {
            return Ok((slot, lock));
        }
        number += 1;
    }
}

fn is_expired(data_dir: &Path) -> bool {
    let created = fs::metadata(data_dir.join("PG_VERSION")).and_then(|file| file.modified());
    created.is_ok_and(|created| created.elapsed().is_ok_and(|age| age > MAX_DATA_DIR_AGE))
}

/// The path may be a link to the data. Then only the link is removed.
fn remove_data_dir(data_dir: &Path) -> Result<(), PostgresError> {
    let real_path = data_dir.canonicalize().map_err(io_error("cannot find", data_dir))?;
    postmaster::clear_stale_server(&real_path)?;
    let removed =
        if data_dir.is_symlink() { fs::remove_file(data_dir) } else { fs::remove_dir_all(data_dir) };
    removed.map_err(io_error("cannot remove", data_dir))
}
