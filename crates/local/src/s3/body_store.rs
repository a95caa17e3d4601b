//! The bytes of objects: files named by version ids. A file is written under a temporary name and then renamed.
//!
//! File names never contain keys, so no key can reach outside the directory.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::version::{Body, VersionId};

/// Bodies of up to this many bytes are kept in the journal and in memory instead of a file.
pub(crate) const MAX_INLINE_BYTES: usize = 1_024;

/// The directories of complete and of incomplete bodies.
#[derive(Debug)]
pub(crate) struct BodyStore {
    complete: PathBuf,
    incomplete: PathBuf,
    next_name: AtomicU64,
}

impl BodyStore {
    /// Creates the directories where they are missing. Removes the incomplete bodies of the last process.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let (complete, incomplete) = (dir.join("bodies"), dir.join("arriving"));
        fs::create_dir_all(&complete)?;
        // It is missing at the first start.
        if let Err(error) = fs::remove_dir_all(&incomplete)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        fs::create_dir(&incomplete)?;
        Ok(Self { complete, incomplete, next_name: AtomicU64::new(0) })
    }

    /// Creates a file for an incoming body. It is removed unless [`BodyStore::persist`] moves it.
    pub(crate) fn create_temporary(&self) -> io::Result<(File, TemporaryFile)> {
        // The version id is not known yet: it is assigned under the lock of the store.
        let path = self.temporary_path();
        let file = File::create_new(&path)?;
        Ok((file, TemporaryFile(path)))
    }

    /// Stages bytes that are in memory.
    pub(crate) fn stage(&self, bytes: Bytes) -> io::Result<StagedBody> {
        if bytes.len() <= MAX_INLINE_BYTES {
            return Ok(StagedBody::Inline(bytes));
        }
        let (mut file, temporary) = self.create_temporary()?;
        io::Write::write_all(&mut file, &bytes)?;
        Ok(StagedBody::File(temporary))
    }

    /// Stages the body of an existing version once more. A hard link is enough, because bodies never change.
    pub(crate) fn stage_existing(&self, id: &VersionId, body: &Body) -> io::Result<StagedBody> {
        if let Body::Inline(bytes) = body {
            return Ok(StagedBody::Inline(bytes.clone()));
        }
        let path = self.temporary_path();
        fs::hard_link(self.body_path(id), &path)?;
        Ok(StagedBody::File(TemporaryFile(path)))
    }

    /// Makes a staged body the body of this version.
    pub(crate) fn persist(&self, staged: StagedBody, id: &VersionId) -> io::Result<Body> {
        match staged {
            StagedBody::Inline(bytes) => Ok(Body::Inline(bytes)),
            StagedBody::File(temporary) => {
                fs::rename(&temporary.0, self.body_path(id))?;
                Ok(Body::File)
            }
        }
    }

    /// Removes the file of a removed version. If that fails, the next [`BodyStore::remove_orphans`] removes it.
    pub(crate) fn remove(&self, id: &VersionId) {
        let _ = fs::remove_file(self.body_path(id));
    }

    /// Removes files that belong to no version.
    pub(crate) fn remove_orphans(&self, is_live: impl Fn(&str) -> bool) -> io::Result<()> {
        for file in fs::read_dir(&self.complete)? {
            let file = file?;
            if !file.file_name().to_str().is_some_and(&is_live) {
                fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }

    /// The path of this version's body, if the body is in a file.
    pub(crate) fn body_path(&self, id: &VersionId) -> PathBuf {
        self.complete.join(id.as_str())
    }

    fn temporary_path(&self) -> PathBuf {
        self.incomplete.join(self.next_name.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

/// A complete body that belongs to no version yet.
#[derive(Debug)]
pub(crate) enum StagedBody {
    Inline(Bytes),
    File(TemporaryFile),
}

/// A file that is removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct TemporaryFile(PathBuf);

impl TemporaryFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // Usually the file was renamed, and there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}
