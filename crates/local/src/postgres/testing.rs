//! One server for all the tests of a process.

use std::{
    fs,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use super::{
    Durability, Postgres, PostgresConfig, PostgresError, account::our_uid, error::Context as _, place,
    postmaster,
};
use crate::testing;

/// Tests leave things behind; after this long it is time to begin anew.
const MAX_AGE: Duration = Duration::from_hours(24);

/// The URL of a throwaway server that all tests of this process share. The first call starts it, with the programs in
/// the directory that the variable `PG_BIN_DIR` names if it does, and it ends with the process.
///
/// Its data directory is one of a few below the system's temporary directory, held by one process at a time and used
/// again by the next, so that only the first run has to make it. What earlier runs created may still be there.
///
/// # Panics
///
/// Where no server can be started: no test could go on.
#[must_use]
pub fn shared_for_tests() -> String {
    static SERVER: LazyLock<Result<(Postgres, File), PostgresError>> = LazyLock::new(start);
    match &*SERVER {
        Ok((postgres, _lock)) => postgres.url(),
        #[expect(clippy::panic, reason = "a test without its database cannot go on")]
        Err(error) => panic!("{error}"),
    }
}

fn start() -> Result<(Postgres, File), PostgresError> {
    let dir = std::env::temp_dir().join(format!("packages-service-tests-{}", our_uid()));
    let (slot, lock) = take_slot(&dir).context(|| format!("cannot use {}", dir.display()))?;
    let config = PostgresConfig {
        data_dir: slot.join("postgres"),
        port: None,
        durability: Durability::Throwaway,
        binaries: testing::environment("PG_BIN_DIR").map(PathBuf::from),
    };
    if is_old(&config.data_dir) {
        discard(&config.data_dir)?;
    }
    match Postgres::start(config.clone()) {
        // Without fsync, a machine that lost power may have left rubbish.
        Err(PostgresError::NotStarted { .. } | PostgresError::Occupied(_)) => {
            discard(&config.data_dir)?;
            Postgres::start(config)
        }
        started => started,
    }
    .map(|postgres| (postgres, lock))
}

/// The first directory that no other process holds.
fn take_slot(dir: &Path) -> io::Result<(PathBuf, File)> {
    place::own_dir(dir)?;
    let mut number = 0_u32;
    loop {
        let slot = dir.join(number.to_string());
        place::own_dir(&slot)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(slot.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => return Ok((slot, lock)),
            Err(TryLockError::WouldBlock) => number += 1,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn is_old(data_dir: &Path) -> bool {
    let made = fs::metadata(data_dir.join("PG_VERSION")).and_then(|file| file.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > MAX_AGE))
}

/// The path may be a link to the data; then it is the link that counts.
fn discard(data_dir: &Path) -> Result<(), PostgresError> {
    let real = data_dir.canonicalize().context(|| format!("cannot find {}", data_dir.display()))?;
    postmaster::clear(&real)?;
    let removed =
        if data_dir.is_symlink() { fs::remove_file(data_dir) } else { fs::remove_dir_all(data_dir) };
    removed.context(|| format!("cannot remove {}", data_dir.display()))
}
