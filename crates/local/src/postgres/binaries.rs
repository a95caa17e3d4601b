//! Finding the programs `postgres` and `initdb`.

use std::{
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::{PostgresError, account::Account};

/// Where Debian puts each major version.
const SYSTEM: &str = "/usr/lib/postgresql";

/// How far below `.tools/postgres*` the programs may be.
const TOOLS_DEPTH: u32 = 4;

/// A directory with `postgres` and `initdb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// The programs run elsewhere, so the path must hold there too.
    fn at(dir: impl AsRef<Path>) -> Option<Self> {
        let dir = std::path::absolute(dir).ok()?;
        (dir.join("postgres").is_file() && dir.join("initdb").is_file()).then_some(Self(dir))
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.0.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.0.join("initdb")
    }

    /// The major version, asked of the program: `postgres (PostgreSQL) 15.18 (Debian …)`.
    fn version(&self) -> Option<u32> {
        let output = Command::new(self.postgres()).arg("--version").output().ok()?;
        major(&String::from_utf8(output.stdout).ok()?)
    }
}

/// All that was found, best first.
pub(super) struct Candidates(Vec<Binaries>);

impl Candidates {
    /// The best there is.
    pub(super) fn best(self) -> Result<Binaries, PostgresError> {
        let none = PostgresError::NotInstalled { out_of_reach: Vec::new() };
        self.0.into_iter().next().ok_or(none)
    }

    /// The best of one major version.
    pub(super) fn of_version(&self, version: u32) -> Option<Binaries> {
        self.0.iter().find(|binaries| binaries.version() == Some(version)).cloned()
    }
}

/// The programs that this account (`None`: ours) can run. A named directory excludes all others; an empty name is none,
/// as a variable that is set to nothing gives it.
pub(super) fn find(named: Option<&Path>, account: Option<Account>) -> Result<Candidates, PostgresError> {
    let reachable = |found: &Binaries| account.is_none_or(|account| account.may_enter(&found.0));
    if let Some(dir) = named.filter(|dir| !dir.as_os_str().is_empty()) {
        let found = Binaries::at(dir).filter(reachable);
        return found.map(|found| Candidates(vec![found])).ok_or(PostgresError::BadBinaries(dir.to_owned()));
    }
    let (found, out_of_reach): (Vec<_>, Vec<_>) =
        places().into_iter().filter_map(Binaries::at).partition(reachable);
    if found.is_empty() {
        return Err(PostgresError::NotInstalled {
            out_of_reach: out_of_reach.into_iter().map(|it| it.0).collect(),
        });
    }
    Ok(Candidates(found))
}

/// Every directory worth a look, best first.
fn places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        newest_first(SYSTEM.as_ref()).into_iter().map(|dir| dir.join("bin")).collect();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for root in [std::env::current_dir().ok(), Some(workspace)].into_iter().flatten() {
        tools(&root.join(".tools"), &mut places);
    }
    places.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    places
}

/// The `bin` directories below `.tools/postgres*`.
fn tools(dir: &Path, places: &mut Vec<PathBuf>) {
    let ours = |dir: &PathBuf| dir.file_name().is_some_and(|name| name.as_bytes().starts_with(b"postgres"));
    for dir in newest_first(dir).into_iter().filter(ours) {
        bins(&dir, TOOLS_DEPTH, places);
    }
}

fn bins(dir: &Path, depth: u32, places: &mut Vec<PathBuf>) {
    for dir in newest_first(dir) {
        if dir.ends_with("bin") {
            places.push(dir);
        } else if depth > 1 {
            bins(&dir, depth - 1, places);
        }
    }
}

/// The directories in a directory, by the number that is their name, the greatest first.
fn newest_first(dir: &Path) -> Vec<PathBuf> {
    let number = |dir: &PathBuf| dir.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut dirs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    dirs.sort_by_key(|dir| std::cmp::Reverse(number(dir)));
    dirs
}

fn major(version: &str) -> Option<u32> {
    let number = version.split(' ').nth(2)?;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_program_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 9.6.24\n"), Some(9));
        assert_eq!(major("postgres"), None);
    }

    #[test]
    fn programs_are_found_below_tools_and_the_newest_come_first() {
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
        tools(dir.path(), &mut found);
        let expected = ["postgres/18/bin", "postgres/17/embedded/install/bin", "postgres/9/bin"];
        assert_eq!(found, expected.map(|bin| dir.path().join(bin)));
    }

    #[test]
    fn a_named_directory_without_the_programs_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let found = find(Some(dir.path()), None);
        assert!(matches!(found, Err(PostgresError::BadBinaries(bad)) if bad == dir.path()));
        let unnamed = find(Some(Path::new("")), None);
        assert!(!matches!(unnamed, Err(PostgresError::BadBinaries(_))));
    }
}
