//! The journal: one JSON line per change, appended before the change is acknowledged.
//!
//! A process may be killed in the middle of a line. A line without a newline was never acknowledged, so the next start
//! cuts it off. Damage anywhere else cannot come from a kill and is an error.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lifecycle::LifecycleRule;
use super::version::{Version, VersionId};

/// The write buffer shrinks to this size after a large append.
const MAX_IDLE_BUFFER_BYTES: usize = 1 << 16;

/// One change. The names are the file format.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum JournalEntry<'a> {
    /// A bucket was created, at this many milliseconds since the Unix epoch.
    CreateBucket { bucket: Cow<'a, str>, at: u64 },
    /// An empty bucket was removed.
    DeleteBucket { bucket: Cow<'a, str> },
    /// A bucket got new lifecycle rules, which replace all old ones.
    SetLifecycle { bucket: Cow<'a, str>, rules: Cow<'a, [LifecycleRule]> },
    /// A version became the newest of its key.
    Add { bucket: Cow<'a, str>, key: Cow<'a, str>, version: Cow<'a, Version> },
    /// One version was removed permanently.
    Remove { bucket: Cow<'a, str>, key: Cow<'a, str>, id: Cow<'a, VersionId> },
}

impl<'a> JournalEntry<'a> {
    pub(crate) fn add(bucket: &'a str, key: &'a str, version: &'a Version) -> Self {
        Self::Add { bucket: bucket.into(), key: key.into(), version: Cow::Borrowed(version) }
    }

    /// The version that this change removes.
    pub(crate) fn removed_id(&self) -> Option<&VersionId> {
        match self {
            Self::Remove { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// The journal, open for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes up to the end of the last complete line.
    length: u64,
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens or creates the file, and passes every change in it to `apply`, oldest first.
    pub(crate) fn open(path: &Path, mut apply: impl FnMut(JournalEntry<'static>)) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let length = replay(&file, &mut apply)?;
        file.set_len(length)?;
        Ok(Self { path: path.to_owned(), file, length, buffer: Vec::new() })
    }

    /// Appends all of these changes, or none.
    pub(crate) fn append(&mut self, entries: &[JournalEntry<'_>]) -> io::Result<()> {
        self.buffer.clear();
        for entry in entries {
            write_line(&mut self.buffer, entry)?;
        }
        if let Err(error) = self.file.write_all(&self.buffer) {
            // A full disk may leave half a line, which would corrupt the next one.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += self.buffer.len() as u64;
        self.buffer.shrink_to(MAX_IDLE_BUFFER_BYTES);
        Ok(())
    }

    /// Replaces the journal by one with only these changes. A kill leaves either the old file or the new one.
    pub(crate) fn rewrite<'a>(
        &mut self,
        entries: impl IntoIterator<Item = JournalEntry<'a>>,
    ) -> io::Result<()> {
        let new_path = self.path.with_extension("new");
        let mut writer = BufWriter::new(File::create(&new_path)?);
        for entry in entries {
            write_line(&mut writer, &entry)?;
        }
        // Synced before the rename, so that the new name never has an incomplete file.
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&new_path, &self.path)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.length = self.file.metadata()?.len();
        Ok(())
    }
}

fn write_line(writer: &mut impl Write, entry: &JournalEntry<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, entry)?;
    writer.write_all(b"\n")
}

/// Returns the length of all complete lines in bytes.
fn replay(file: &File, apply: &mut impl FnMut(JournalEntry<'static>)) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut length = 0;
    loop {
        line.clear();
        let count = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(length);
        }
        let entry = serde_json::from_slice(&line).map_err(|error| corrupt_entry(length, &error))?;
        apply(entry);
        length += count as u64;
    }
}

fn corrupt_entry(offset: u64, error: &serde_json::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the journal is corrupt at byte {offset}: {error}"))
}
