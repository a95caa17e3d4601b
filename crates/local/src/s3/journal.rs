//! The file of record: one JSON line for every change, appended before the change is answered.
//!
//! A process may be killed in the middle of a line. What is not closed by a newline was never answered, so it is cut
//! off when the journal is read again. Damage anywhere else is an error: it cannot come from a kill.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lifecycle::LifecycleRule;
use super::version::{Version, VersionId};

/// One change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Entry<'a> {
    /// A bucket was made, at this many milliseconds since the Unix epoch.
    CreateBucket { bucket: Cow<'a, str>, at: u64 },
    /// An empty bucket was removed.
    DeleteBucket { bucket: Cow<'a, str> },
    /// A bucket was given a lifecycle in place of the one it had.
    SetLifecycle { bucket: Cow<'a, str>, rules: Cow<'a, [LifecycleRule]> },
    /// A version became the newest of its key.
    Add { bucket: Cow<'a, str>, key: Cow<'a, str>, version: Cow<'a, Version> },
    /// One version was removed for good.
    Remove { bucket: Cow<'a, str>, key: Cow<'a, str>, id: Cow<'a, VersionId> },
}

impl<'a> Entry<'a> {
    pub(crate) fn add(bucket: &'a str, key: &'a str, version: &'a Version) -> Self {
        Self::Add { bucket: bucket.into(), key: key.into(), version: Cow::Borrowed(version) }
    }

    /// The version that this change removes.
    pub(crate) fn removed(&self) -> Option<&VersionId> {
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
    /// Bytes up to the end of the last whole line.
    length: u64,
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens the file, or creates it, and hands every change in it to `apply`, oldest first.
    pub(crate) fn open(path: &Path, mut apply: impl FnMut(Entry<'static>)) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let length = replay(&file, &mut apply)?;
        file.set_len(length)?;
        Ok(Self { path: path.to_owned(), file, length, buffer: Vec::new() })
    }

    /// Appends all of these changes, or none.
    pub(crate) fn append(&mut self, entries: &[Entry<'_>]) -> io::Result<()> {
        self.buffer.clear();
        for entry in entries {
            write_line(&mut self.buffer, entry)?;
        }
        if let Err(error) = self.file.write_all(&self.buffer) {
            // Half a line from a full disk would make the next one unreadable.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += self.buffer.len() as u64;
        self.buffer.shrink_to(1 << 16);
        Ok(())
    }

    /// Replaces the journal by one with just these changes; a kill leaves either the old one or the new one.
    pub(crate) fn rewrite<'a>(&mut self, entries: impl IntoIterator<Item = Entry<'a>>) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut writer = BufWriter::new(File::create(&fresh)?);
        for entry in entries {
            write_line(&mut writer, &entry)?;
        }
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.length = self.file.metadata()?.len();
        Ok(())
    }
}

fn write_line(writer: &mut impl Write, entry: &Entry<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, entry)?;
    writer.write_all(b"\n")
}

/// Returns how many bytes of the file are whole lines.
fn replay(file: &File, apply: &mut impl FnMut(Entry<'static>)) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut length = 0;
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(length);
        }
        let entry = serde_json::from_slice(&line).map_err(|error| damaged(length, &error))?;
        apply(entry);
        length += read as u64;
    }
}

fn damaged(at: u64, error: &serde_json::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the journal is damaged at byte {at}: {error}"))
}
