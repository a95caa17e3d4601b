//! Where the data live. Usually where they were asked for; below `/var/tmp` where the server's account cannot go there,
//! as in root's home.

use std::{
    fs,
    fs::Permissions,
    io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
};

use super::{
    PostgresError,
    account::{Account, our_uid},
    error::Context as _,
    postmaster,
};

/// The real path of a data directory, whose parent exists thereafter.
pub(super) fn settle(wanted: &Path, account: Option<Account>) -> Result<PathBuf, PostgresError> {
    let wanted = absolute(wanted).context(|| format!("cannot make the parent of {}", wanted.display()))?;
    match (account, wanted.parent()) {
        (Some(account), Some(parent)) if !account.may_enter(parent) => detour(&wanted),
        _ => Ok(wanted),
    }
}

/// A neighbour of the data directory: its name, and more.
pub(super) fn beside(data_dir: &Path, more: &str) -> PathBuf {
    let mut path = data_dir.as_os_str().to_owned();
    path.push(more);
    path.into()
}

fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it has none"));
    };
    fs::create_dir_all(parent)?;
    Ok(parent.canonicalize()?.join(name))
}

/// A directory elsewhere, to which a link leads from where it was asked for. The link stands for the data: who removes
/// it has removed them.
fn detour(wanted: &Path) -> Result<PathBuf, PostgresError> {
    let context = || format!("cannot keep the data of {} in /var/tmp", wanted.display());
    let home = PathBuf::from(format!("/var/tmp/packages-service-{}", our_uid()));
    own_dir(&home).context(context)?;
    let home = home.join(format!("{:016x}", fnv1a(wanted.as_os_str().as_bytes())));
    let dir = home.join("postgres");
    if fs::read_link(wanted).is_ok_and(|target| target == dir) {
        return Ok(dir);
    }
    if home.exists() {
        postmaster::clear(&dir)?;
        fs::remove_dir_all(&home).context(context)?;
    }
    own_dir(&home).context(context)?;
    if fs::read_dir(wanted).is_ok() {
        fs::remove_dir(wanted).map_err(|_| PostgresError::Occupied(wanted.to_owned()))?;
    }
    symlink(&dir, wanted).context(context)?;
    Ok(dir)
}

/// A directory of ours that all may pass through, in a place where anyone could have put another under its name.
pub(super) fn own_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    })?;
    let found = fs::symlink_metadata(dir)?;
    if !found.is_dir() || found.uid() != our_uid() {
        let message = format!("{} belongs to someone else", dir.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    fs::set_permissions(dir, Permissions::from_mode(0o711))
}

/// A short name for a path that never changes (FNV-1a, 64 bits).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_change() {
        // The test vectors of the algorithm's authors, for the empty string and "a".
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn a_link_is_no_directory_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("/tmp", &link).unwrap();
        assert_eq!(own_dir(&link).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        own_dir(&dir.path().join("new")).unwrap();
    }

    #[test]
    fn who_removes_the_link_has_removed_the_data() {
        let root = tempfile::tempdir().unwrap();
        let wanted = root.path().canonicalize().unwrap().join("postgres");
        fs::create_dir(&wanted).unwrap();
        let dir = detour(&wanted).unwrap();
        fs::create_dir(&dir).unwrap();
        assert_eq!(detour(&wanted).unwrap(), dir);
        assert!(dir.exists() && wanted.exists());
        fs::remove_file(&wanted).unwrap();
        assert_eq!(detour(&wanted).unwrap(), dir);
        assert!(!dir.exists());
        fs::remove_dir_all(dir.parent().unwrap()).unwrap();
    }
}
