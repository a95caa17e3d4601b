//! The data directory ("cluster" in PostgreSQL's words): making it, whole or not at all, and reading what it says.

use std::{
    fs,
    fs::{DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use uuid::Uuid;

use super::{
    Durability, PostgresError,
    account::{Account, spawn_as},
    binaries::Binaries,
    error,
    error::Context as _,
    place,
};

/// The superuser's password, in the data directory, for its owner alone. It lives and dies with the data.
const PASSWORD: &str = "password";

/// The major version that made the data directory, or `None` where there is none.
pub(super) fn version(data_dir: &Path) -> Option<u32> {
    fs::read_to_string(data_dir.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The superuser's password.
pub(super) fn password(data_dir: &Path) -> Result<String, PostgresError> {
    let path = data_dir.join(PASSWORD);
    fs::read_to_string(&path).context(|| format!("cannot read {}", path.display()))
}

/// Makes the data directory unless it is there. It is made beside its place and moved there when it is complete, so
/// that a kill at any moment leaves nothing half made.
pub(super) fn ensure(
    data_dir: &Path,
    binaries: &Binaries,
    account: Option<Account>,
    durability: Durability,
) -> Result<(), PostgresError> {
    if version(data_dir).is_some() {
        return Ok(());
    }
    if fs::read_dir(data_dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(PostgresError::Occupied(data_dir.to_owned()));
    }
    let partial = Partial::begin(data_dir, account)
        .context(|| format!("cannot write beside {}", data_dir.display()))?;
    initdb(&partial, binaries, durability)?;
    partial.complete(data_dir).context(|| format!("cannot make {}", data_dir.display()))
}

fn initdb(partial: &Partial, binaries: &Binaries, durability: Durability) -> Result<(), PostgresError> {
    let mut command = Command::new(binaries.initdb());
    command.arg("--pgdata").arg(partial.data()).arg("--pwfile").arg(partial.password());
    command.args([
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-instructions",
    ]);
    if durability == Durability::Throwaway {
        command.arg("--no-sync");
    }
    command.stderr(Stdio::piped());
    let run = spawn_as(partial.account, command).and_then(std::process::Child::wait_with_output);
    let output = run.context(|| "cannot run initdb".to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    Err(PostgresError::NotInitialised(error::tail(&String::from_utf8_lossy(&output.stderr))))
}

/// A directory in the making: the data, and the password until it can join them (`initdb` insists on an empty
/// directory).
struct Partial {
    dir: PathBuf,
    account: Option<Account>,
}

impl Partial {
    /// Clears away what an earlier attempt may have left.
    fn begin(data_dir: &Path, account: Option<Account>) -> io::Result<Self> {
        let partial = Self { dir: place::beside(data_dir, ".partial"), account };
        match fs::remove_dir_all(&partial.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for dir in [&partial.dir, &partial.data()] {
            DirBuilder::new().mode(0o700).create(dir)?;
            partial.hand_over(dir)?;
        }
        let mut password =
            OpenOptions::new().create_new(true).write(true).mode(0o600).open(partial.password())?;
        write!(password, "{}", Uuid::new_v4().simple())?;
        partial.hand_over(&partial.password())?;
        Ok(partial)
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn password(&self) -> PathBuf {
        self.dir.join(PASSWORD)
    }

    fn hand_over(&self, path: &Path) -> io::Result<()> {
        self.account.map_or(Ok(()), |account| chown(path, Some(account.uid), Some(account.gid)))
    }

    /// The move takes the place of an empty directory.
    fn complete(self, data_dir: &Path) -> io::Result<()> {
        fs::rename(self.password(), self.data().join(PASSWORD))?;
        fs::rename(self.data(), data_dir)?;
        fs::remove_dir(&self.dir)
    }
}
