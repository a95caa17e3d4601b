//! Finds the programs `postgres` and `initdb`.

use std::{
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::{PostgresError, account::SystemAccount};

/// Debian's directory, with a subdirectory per major version.
const DEBIAN_DIR: &str = "/usr/lib/postgresql";

/// Search depth below `.tools/postgres*`.
const MAX_TOOLS_DEPTH: u32 = 4;

/// A directory with `postgres` and `initdb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// Makes the path absolute, because the programs run in another working directory.
    fn from_dir(dir: impl AsRef<Path>) -> Option<Self> {
        let dir = std::path::absolute(dir).ok()?;
        (dir.join("postgres").is_file() && dir.join("initdb").is_file()).then_some(Self(dir))
    }

    pub(super) fn postgres_path(&self) -> PathBuf {
        self.0.join("postgres")
    }

    pub(super) fn initdb_path(&self) -> PathBuf {
        self.0.join("initdb")
    }

    /// The major version. The program prints `postgres (PostgreSQL) 15.18 (Debian …)`.
    fn major_version(&self) -> Option<u32> {
        let output = Command::new(self.postgres_path()).arg("--version").output().ok()?;
        parse_major_version(&String::from_utf8(output.stdout).ok()?)
    }
}

/// All installations, in order of preference.
pub(super) struct Candidates(Vec<Binaries>);

impl Candidates {
    pub(super) fn into_first(self) -> Result<Binaries, PostgresError> {
        self.0.into_iter().next().ok_or(PostgresError::NotInstalled)
    }

    pub(super) fn find_version(&self, version: u32) -> Option<Binaries> {
        self.0.iter().find(|binaries| binaries.major_version() == Some(version)).cloned()
    }
}

/// The programs that this account (`None`: the account of this process) can run. A configured directory excludes all
/// others. An empty path counts as not configured, because an empty environment variable has that value.
pub(super) fn find_binaries(
    configured: Option<&Path>,
    account: Option<SystemAccount>,
) -> Result<Candidates, PostgresError> {
    let is_reachable = |found: &Binaries| account.is_none_or(|account| account.can_enter(&found.0));
    if let Some(dir) = configured.filter(|dir| !dir.as_os_str().is_empty()) {
        let found = Binaries::from_dir(dir).filter(is_reachable);
        let invalid = || PostgresError::InvalidBinaries(dir.to_owned());
        return found.map(|found| Candidates(vec![found])).ok_or_else(invalid);
    }
    let (reachable, unreachable): (Vec<_>, Vec<_>) =
        candidate_dirs().into_iter().filter_map(Binaries::from_dir).partition(is_reachable);
    match (reachable.is_empty(), unreachable.is_empty()) {
        (false, _) => Ok(Candidates(reachable)),
        (true, true) => Err(PostgresError::NotInstalled),
        (true, false) => {
            Err(PostgresError::Unreachable(unreachable.into_iter().map(|found| found.0).collect()))
        }
    }
}

/// All directories to search, in order of preference: Debian's, `.tools`, `PATH`.
fn candidate_dirs() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> =
        list_dirs(DEBIAN_DIR.as_ref()).into_iter().map(|dir| dir.join("bin")).collect();
    // Tests run in the directory of their crate, the service anywhere. Both use the checkout's `.tools`.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for root in [std::env::current_dir().ok(), Some(workspace)].into_iter().flatten() {
        add_tools_dirs(&root.join(".tools"), &mut dirs);
    }
    dirs.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    dirs
}

/// Adds the `bin` directories below `.tools/postgres*`.
fn add_tools_dirs(tools: &Path, dirs: &mut Vec<PathBuf>) {
    let is_postgres =
        |dir: &PathBuf| dir.file_name().is_some_and(|name| name.as_bytes().starts_with(b"postgres"));
    for dir in list_dirs(tools).into_iter().filter(is_postgres) {
        add_bin_dirs(&dir, MAX_TOOLS_DEPTH, dirs);
    }
}

fn add_bin_dirs(dir: &Path, depth: u32, dirs: &mut Vec<PathBuf>) {
    for dir in list_dirs(dir) {
        if dir.ends_with("bin") {
            dirs.push(dir);
        // In a package the programs may be several directories down.
        } else if depth > 1 {
            add_bin_dirs(&dir, depth - 1, dirs);
        }
    }
}

/// The subdirectories of a directory. Version numbers come first, the newest of them at the start.
fn list_dirs(dir: &Path) -> Vec<PathBuf> {
    let number = |dir: &PathBuf| dir.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut dirs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    dirs.sort_by_key(|dir| std::cmp::Reverse(number(dir)));
    dirs
}

fn parse_major_version(output: &str) -> Option<u32> {
    let number = output.split(' ').nth(2)?;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_major_versions() {
        let parse = parse_major_version;
        assert_eq!(parse("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse("postgres (PostgreSQL) 9.6.24\n"), Some(9));
        assert_eq!(parse("postgres"), None);
    }

    #[test]
    fn finds_programs_below_tools_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        for bin in [
            "postgres/18/bin",
            "postgres/9/bin",
            "postgres/17/embedded/install/bin",
            "other/bin",
            "postgres/share",
        ] {
            fs::create_dir_all(dir.path().join(bin)).unwrap();
        }
        let mut found = Vec::new();
        add_tools_dirs(dir.path(), &mut found);
        let expected = ["postgres/18/bin", "postgres/17/embedded/install/bin", "postgres/9/bin"];
        assert_eq!(found, expected.map(|bin| dir.path().join(bin)));
    }

    #[test]
    fn rejects_a_configured_directory_without_the_programs() {
        let dir = tempfile::tempdir().unwrap();
        let found = find_binaries(Some(dir.path()), None);
        assert!(matches!(found, Err(PostgresError::InvalidBinaries(bad)) if bad == dir.path()));
        let not_configured = find_binaries(Some(Path::new("")), None);
        assert!(!matches!(not_configured, Err(PostgresError::InvalidBinaries(_))));
    }
}
