//! Who the server runs as. PostgreSQL refuses to run as root, so root hands it to another account.

use std::{
    fs, io,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command},
};

use super::{PostgresError, error::Context as _};
use crate::spawn::spawn;

/// The accounts that root may hand the server to, best first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An account of the system, other than root's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// Who the server must run as; `None` means us. An existing data directory keeps its owner.
    pub(super) fn of_server(data_dir: &Path) -> Result<Option<Self>, PostgresError> {
        if our_uid() != 0 {
            return Ok(None);
        }
        match fs::metadata(data_dir) {
            Ok(owned) if owned.uid() != 0 => return Ok(Some(Self { uid: owned.uid(), gid: owned.gid() })),
            _ => {}
        }
        let accounts = fs::read_to_string("/etc/passwd").context(|| "cannot read /etc/passwd".to_owned())?;
        let account = CANDIDATES.iter().find_map(|name| find(&accounts, name));
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no account named postgres or nobody");
        account.ok_or_else(missing).context(|| "PostgreSQL does not run as root".to_owned()).map(Some)
    }

    /// Whether this account may pass through the directory and all those above it, by their permission bits.
    pub(super) fn may_enter(self, dir: &Path) -> bool {
        let passable = |dir: &Path| {
            fs::metadata(dir).is_ok_and(|dir| {
                let bit = match (dir.uid() == self.uid, dir.gid() == self.gid) {
                    (true, _) => 0o100,
                    (false, true) => 0o010,
                    (false, false) => 0o001,
                };
                dir.mode() & bit != 0
            })
        };
        dir.canonicalize().is_ok_and(|dir| dir.ancestors().all(passable))
    }
}

/// An entry of `/etc/passwd` (`name:password:uid:gid:…`, passwd(5)), unless it is another name for root.
fn find(accounts: &str, name: &str) -> Option<Account> {
    let mut fields = accounts.lines().map(|line| line.split(':')).find_map(|mut fields| {
        let found = fields.next() == Some(name);
        found.then_some(fields.skip(1))
    })?;
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (uid != 0).then_some(Account { uid, gid })
}

/// The user id that this process acts with.
#[expect(unsafe_code, reason = "std has no call for it")]
pub(super) fn our_uid() -> u32 {
    // SAFETY: it takes nothing, touches no memory and cannot fail.
    unsafe { libc::geteuid() }
}

/// Starts a program as this account (`None`: ours).
pub(super) fn spawn_as(account: Option<Account>, mut command: Command) -> io::Result<Child> {
    if let Some(Account { uid, gid }) = account {
        // The standard library drops root's other groups on the way.
        command.gid(gid).uid(uid);
    }
    spawn(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_the_fields_of_their_line() {
        let accounts =
            "root:x:0:0::/root:/bin/sh\npostgresql:x:7:7:::\npostgres:x:101:104:Administrator,,,:/:/bin/sh\n";
        assert_eq!(find(accounts, "postgres"), Some(Account { uid: 101, gid: 104 }));
        assert_eq!(find(accounts, "nobody"), None);
        assert_eq!(find(accounts, "root"), None, "handing the server to root would be in vain");
        assert_eq!(find("nobody:x:many", "nobody"), None);
    }
}
