//! The location of the data directory. Usually the configured path. If the server's account cannot reach it, as in the home
//! directory of root, the data are below `/var/tmp`.

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
    account::{SystemAccount, effective_uid},
    error::io_error,
    postmaster,
};

/// The real path of a configured data directory. Creates its parent.
pub(super) fn resolve_path(
    configured: &Path,
    account: Option<SystemAccount>,
) -> Result<PathBuf, PostgresError> {
    let path = absolute_path(configured).map_err(io_error("cannot create the parent of", configured))?;
    match (account, path.parent()) {
        (Some(account), Some(parent)) if !account.can_enter(parent) => link_to_var_tmp(&path),
        _ => Ok(path),
    }
}

/// The path of a file or directory next to the data directory: its name with a suffix.
pub(super) fn sibling_path(data_dir: &Path, suffix: &str) -> PathBuf {
    let mut path = data_dir.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn absolute_path(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no parent"));
    };
    fs::create_dir_all(parent)?;
    Ok(parent.canonicalize()?.join(name))
}

/// Returns a directory below `/var/tmp` and links to it from the configured path. Removing the link removes the data: without
/// the link, the next call starts with an empty directory.
fn link_to_var_tmp(path: &Path) -> Result<PathBuf, PostgresError> {
    let error = || io_error("cannot move data to /var/tmp for", path);
    let base = PathBuf::from(format!("/var/tmp/packages-service-{}", effective_uid()));
    create_own_dir(&base).map_err(error())?;
    // One directory per configured path, so that several checkouts do not share data.
    let parent = base.join(format!("{:016x}", fnv1a_hash(path.as_os_str().as_bytes())));
    let dir = parent.join("postgres");
    if fs::read_link(path).is_ok_and(|target| target == dir) {
        return Ok(dir);
    }
    // The link is gone, so the old data are no longer wanted. A server may still run on them.
    if parent.exists() {
        postmaster::clear_stale_server(&dir)?;
        fs::remove_dir_all(&parent).map_err(error())?;
    }
    create_own_dir(&parent).map_err(error())?;
    if fs::read_dir(path).is_ok() {
        fs::remove_dir(path).map_err(|_| PostgresError::NotADataDir(path.to_owned()))?;
    }
    symlink(&dir, path).map_err(error())?;
    Ok(dir)
}

/// Creates a directory that all accounts may enter. The parent is writable for everybody, so a directory of another owner
/// is refused.
pub(super) fn create_own_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    })?;
    // Without following links: another account may have created one with this name.
    let metadata = fs::symlink_metadata(dir)?;
    if !metadata.is_dir() || metadata.uid() != effective_uid() {
        let message = format!("{} belongs to another account", dir.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    fs::set_permissions(dir, Permissions::from_mode(0o711))
}

/// FNV-1a with 64 bits: a short, stable name for a path.
fn fnv1a_hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_match_the_published_test_vectors() {
        // The authors' values for the empty string and for "a".
        assert_eq!(fnv1a_hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a_hash(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn refuses_a_link_in_place_of_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("/tmp", &link).unwrap();
        assert_eq!(create_own_dir(&link).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        create_own_dir(&dir.path().join("new")).unwrap();
    }

    #[test]
    fn removing_the_link_removes_the_data() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().canonicalize().unwrap().join("postgres");
        fs::create_dir(&path).unwrap();
        let dir = link_to_var_tmp(&path).unwrap();
        fs::create_dir(&dir).unwrap();
        assert_eq!(link_to_var_tmp(&path).unwrap(), dir);
        assert!(dir.exists() && path.exists());
        fs::remove_file(&path).unwrap();
        assert_eq!(link_to_var_tmp(&path).unwrap(), dir);
        assert!(!dir.exists());
        fs::remove_dir_all(dir.parent().unwrap()).unwrap();
    }
}
