//! A file that one process at a time has locked.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

/// A locked file. The system releases the lock when the process ends, even by a kill.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: File,
}

impl LockFile {
    /// Locks the file, or returns `None` if it is locked already. Creates it if it is missing.
    pub(crate) fn try_lock(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that another thread has just forked has the file open until it executes
        // its program, and the lock lasts as long as any of the descriptors (flock(2)).
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = LockFile::try_lock(&path).unwrap().unwrap();
        // As a child has it between fork and exec.
        let _copy = lock.file.as_fd().try_clone_to_owned().unwrap();
        assert!(LockFile::try_lock(&path).unwrap().is_none());
        drop(lock);
        assert!(LockFile::try_lock(&path).unwrap().is_some());
    }
}
