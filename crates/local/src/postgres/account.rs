//! The account that the server runs as. PostgreSQL refuses to run as root, so root starts it as another account.

use std::{
    fs, io,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command},
};

use super::{PostgresError, error::io_context};
use crate::child_process::spawn_child;

/// The accounts that root may use for the server, in order of preference.
const ACCOUNT_NAMES: [&str; 2] = ["postgres", "nobody"];

/// An account of the system other than root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SystemAccount {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl SystemAccount {
    /// The account that the server must run as. `None` means the account of this process. The owner of an existing data
    /// directory keeps it.
    pub(super) fn for_server(data_dir: &Path) -> Result<Option<Self>, PostgresError> {
        if effective_uid() != 0 {
            return Ok(None);
        }
        // PostgreSQL refuses a data directory of another account.
        match fs::metadata(data_dir) {
            Ok(owned) if owned.uid() != 0 => return Ok(Some(Self { uid: owned.uid(), gid: owned.gid() })),
            _ => {}
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(io_context("cannot read /etc/passwd"))?;
        let account = ACCOUNT_NAMES.iter().find_map(|name| find_account(&passwd, name));
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no account named postgres or nobody");
        account.ok_or_else(missing).map_err(io_context("PostgreSQL does not run as root")).map(Some)
    }

    /// Whether the permission bits let this account enter the directory and all its parents.
    pub(super) fn can_enter(self, dir: &Path) -> bool {
        let is_open = |dir: &Path| {
            fs::metadata(dir).is_ok_and(|dir| {
                // The bits of the owner apply to the owner, even if those of the group or of all others allow more.
                let bit = match (dir.uid() == self.uid, dir.gid() == self.gid) {
                    (true, _) => 0o100,
                    (false, true) => 0o010,
                    (false, false) => 0o001,
                };
                dir.mode() & bit != 0
            })
        };
        dir.canonicalize().is_ok_and(|dir| dir.ancestors().all(is_open))
    }
}

/// An entry of `/etc/passwd` (`name:password:uid:gid:…`, passwd(5)). `None` if it is another name of root.
fn find_account(passwd: &str, name: &str) -> Option<SystemAccount> {
    let mut fields = passwd.lines().map(|line| line.split(':')).find_map(|mut fields| {
        let is_match = fields.next() == Some(name);
        is_match.then_some(fields.skip(1))
    })?;
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (uid != 0).then_some(SystemAccount { uid, gid })
}

/// The effective user id of this process.
#[expect(unsafe_code, reason = "std has no call for it")]
pub(super) fn effective_uid() -> u32 {
    // SAFETY: it takes nothing, touches no memory and cannot fail.
    unsafe { libc::geteuid() }
}

/// Starts a program as this account. `None` means the account of this process.
pub(super) fn spawn_as(account: Option<SystemAccount>, mut command: Command) -> io::Result<Child> {
    if let Some(SystemAccount { uid, gid }) = account {
        // The standard library also drops the supplementary groups of root.
        command.gid(gid).uid(uid);
    }
    spawn_child(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_accounts_from_passwd() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\npostgresql:x:7:7:::\npostgres:x:101:104:Administrator,,,:/:/bin/sh\n";
        assert_eq!(find_account(passwd, "postgres"), Some(SystemAccount { uid: 101, gid: 104 }));
        assert_eq!(find_account(passwd, "nobody"), None);
        assert_eq!(find_account(passwd, "root"), None, "the server does not run as root");
        assert_eq!(find_account("nobody:x:many", "nobody"), None);
    }
}
