//! The data directory ("cluster" in PostgreSQL's terms): creating it atomically and reading its files.

use std::{
    fs,
    fs::{DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use uuid::Uuid;

use super::{
    Durability, PostgresError,
    account::{SystemAccount, spawn_as},
    binaries::Binaries,
    data_dir::sibling_path,
    error::{io_context, io_error, last_lines},
};

/// The file with the superuser's password, in the data directory. Only its owner may read it.
const PASSWORD_FILE: &str = "password";

/// The major version that created the data directory. `None` if there is no data directory.
pub(super) fn read_version(data_dir: &Path) -> Option<u32> {
    fs::read_to_string(data_dir.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The superuser's password.
pub(super) fn read_password(data_dir: &Path) -> Result<String, PostgresError> {
    let path = data_dir.join(PASSWORD_FILE);
    fs::read_to_string(&path).map_err(io_error("cannot read", &path))
}

/// Creates the data directory unless it exists. It is created next to its path and moved there when it is complete, so a
/// kill never leaves an incomplete data directory.
pub(super) fn ensure_cluster(
    data_dir: &Path,
    binaries: &Binaries,
    account: Option<SystemAccount>,
    durability: Durability,
) -> Result<(), PostgresError> {
    if read_version(data_dir).is_some() {
        return Ok(());
    }
    if fs::read_dir(data_dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(PostgresError::NotADataDir(data_dir.to_owned()));
    }
    let partial =
        PartialCluster::create(data_dir, account).map_err(io_error("cannot write next to", data_dir))?;
    run_initdb(&partial, binaries, durability)?;
    partial.finish(data_dir).map_err(io_error("cannot create", data_dir))
}

fn run_initdb(
    partial: &PartialCluster,
    binaries: &Binaries,
    durability: Durability,
) -> Result<(), PostgresError> {
    let mut command = Command::new(binaries.initdb_path());
    command.arg("--pgdata").arg(partial.data_path()).arg("--pwfile").arg(partial.password_path());
    // A password, because every account of the machine can connect to the loopback interface.
    // The locale C, so that text sorts by bytes on every machine.
    command.args([
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-instructions",
    ]);
    // Faster. After a power cut the data are created again.
    if durability == Durability::Throwaway {
        command.arg("--no-sync");
    }
    command.stderr(Stdio::piped());
    let result = spawn_as(partial.account, command).and_then(Child::wait_with_output);
    let output = result.map_err(io_context("cannot run initdb"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(PostgresError::InitdbFailed(last_lines(&String::from_utf8_lossy(&output.stderr))))
}

/// An incomplete data directory. The password file is next to the data, because `initdb` requires an empty directory.
struct PartialCluster {
    dir: PathBuf,
    account: Option<SystemAccount>,
}

impl PartialCluster {
    /// Removes what an earlier attempt left behind.
    fn create(data_dir: &Path, account: Option<SystemAccount>) -> io::Result<Self> {
        let partial = Self { dir: sibling_path(data_dir, ".partial"), account };
        match fs::remove_dir_all(&partial.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Both belong to the server's account, which writes and moves files in them.
        for dir in [&partial.dir, &partial.data_path()] {
            DirBuilder::new().mode(0o700).create(dir)?;
            partial.set_owner(dir)?;
        }
        let mut password =
            OpenOptions::new().create_new(true).write(true).mode(0o600).open(partial.password_path())?;
        write!(password, "{}", Uuid::new_v4().simple())?;
        partial.set_owner(&partial.password_path())?;
        Ok(partial)
    }

    fn data_path(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn password_path(&self) -> PathBuf {
        self.dir.join(PASSWORD_FILE)
    }

    fn set_owner(&self, path: &Path) -> io::Result<()> {
        self.account.map_or(Ok(()), |account| chown(path, Some(account.uid), Some(account.gid)))
    }

    fn finish(self, data_dir: &Path) -> io::Result<()> {
        fs::rename(self.password_path(), self.data_path().join(PASSWORD_FILE))?;
        // A rename replaces an empty directory.
        fs::rename(self.data_path(), data_dir)?;
        fs::remove_dir(&self.dir)
    }
}
