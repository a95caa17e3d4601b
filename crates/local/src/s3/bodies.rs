//! The bytes of objects: files named by version ids, written under a temporary name and then renamed.
//!
//! Names of files never come from keys, so no key can reach outside the folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::version::{Body, VersionId};

/// Up to this many bytes live in the journal and in memory instead of a file of their own.
pub(crate) const INLINE_LIMIT: usize = 1_024;

/// The folders for finished and for arriving bodies.
#[derive(Debug)]
pub(crate) struct Bodies {
    finished: PathBuf,
    arriving: PathBuf,
    next: AtomicU64,
}

impl Bodies {
    /// Makes the folders where missing, and forgets whatever was arriving when the last process ended.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let (finished, arriving) = (dir.join("bodies"), dir.join("arriving"));
        fs::create_dir_all(&finished)?;
        if let Err(error) = fs::remove_dir_all(&arriving)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        fs::create_dir(&arriving)?;
        Ok(Self { finished, arriving, next: AtomicU64::new(0) })
    }

    /// A new file for bytes that arrive; removed again unless it is kept.
    pub(crate) fn arrive(&self) -> io::Result<(File, Temporary)> {
        let path = self.arriving.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let file = File::create_new(&path)?;
        Ok((file, Temporary(path)))
    }

    /// Stages bytes that are at hand.
    pub(crate) fn stage(&self, bytes: Bytes) -> io::Result<Staged> {
        if bytes.len() <= INLINE_LIMIT {
            return Ok(Staged::Inline(bytes));
        }
        let (mut file, temporary) = self.arrive()?;
        io::Write::write_all(&mut file, &bytes)?;
        Ok(Staged::File(temporary))
    }

    /// Stages the body of an existing version again, without copying: bodies never change.
    pub(crate) fn share(&self, id: &VersionId, body: &Body) -> io::Result<Staged> {
        if let Body::Inline(bytes) = body {
            return Ok(Staged::Inline(bytes.clone()));
        }
        let path = self.arriving.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        fs::hard_link(self.path(id), &path)?;
        Ok(Staged::File(Temporary(path)))
    }

    /// Makes staged bytes the body of this version.
    pub(crate) fn keep(&self, staged: Staged, id: &VersionId) -> io::Result<Body> {
        match staged {
            Staged::Inline(bytes) => Ok(Body::Inline(bytes)),
            Staged::File(temporary) => {
                fs::rename(&temporary.0, self.path(id))?;
                Ok(Body::File)
            }
        }
    }

    /// Removes the file of a version that is gone. A file that stays behind is found at the next opening.
    pub(crate) fn discard(&self, id: &VersionId) {
        let _ = fs::remove_file(self.path(id));
    }

    /// Removes files that belong to no version.
    pub(crate) fn retain(&self, is_live: impl Fn(&str) -> bool) -> io::Result<()> {
        for file in fs::read_dir(&self.finished)? {
            let file = file?;
            if !file.file_name().to_str().is_some_and(&is_live) {
                fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }

    /// Where the body of this version is, if it is in a file.
    pub(crate) fn path(&self, id: &VersionId) -> PathBuf {
        self.finished.join(id.as_str())
    }
}

/// Bytes that are complete but belong to no version yet.
#[derive(Debug)]
pub(crate) enum Staged {
    Inline(Bytes),
    File(Temporary),
}

/// A file that goes when this value does.
#[derive(Debug)]
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Renamed into place is the usual case, and then there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}
