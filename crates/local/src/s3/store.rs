//! The store: buckets, keys and their versions, in memory and in the journal.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws::Clock;
use bytes::Bytes;
use md5::{Digest, Md5};

use super::bodies::{Bodies, Staged};
use super::journal::Entry;
use super::state::{Bucket, Buckets, Deleted, State};
use super::uploads::Uploads;
use super::version::{Attributes, Checksum, Content, Version, VersionEntry, VersionId};

/// Versioned buckets in a folder. Cheap to clone: all clones are one store.
///
/// Versioning is always on. A change is in the journal, and so survives the end of the process, when its method returns.
#[derive(Debug, Clone)]
pub struct S3 {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    bodies: Bodies,
    uploads: Mutex<Uploads>,
    state: Mutex<State>,
    /// Locked for as long as the store is open.
    _lock: File,
}

/// Content that is complete and only waits for its version.
pub(crate) struct NewObject {
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) attributes: Attributes,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) body: Staged,
}

/// Why the store did not do what was asked.
#[derive(Debug)]
pub(crate) enum Refusal {
    NoSuchBucket,
    BucketNotEmpty,
    /// The key has no version, or its newest is this delete marker.
    NoSuchKey(Option<VersionId>),
    NoSuchVersion,
    /// The version asked for is a delete marker.
    IsDeleteMarker(Arc<Version>),
    PreconditionFailed,
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl S3 {
    /// Opens the store in this folder, which is made where missing, and cleans up after a process that was killed.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if another process has the store open, `InvalidData` if the journal is damaged elsewhere than at
    /// its end, or what the file system says.
    pub fn open(dir: &Path, clock: Clock) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let lock = File::create(dir.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, "another process has this store open")
            }
            TryLockError::Error(error) => error,
        })?;
        let bodies = Bodies::open(dir)?;
        let state = State::open(&dir.join("journal"))?;
        let files = state.files();
        bodies.retain(|name| files.contains(name))?;
        drop(files);
        let (state, uploads) = (Mutex::new(state), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { clock, bodies, uploads, state, _lock: lock }) })
    }

    /// Makes a bucket; one that exists is left as it is.
    pub fn create_bucket(&self, bucket: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.buckets.contains_key(bucket) {
            return Ok(());
        }
        let at = self.now();
        state.commit([Entry::CreateBucket { bucket: bucket.into(), at }])
    }

    /// Stores an object and returns its version id.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such bucket, or what the file system says.
    pub fn put(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
        content_type: &str,
    ) -> io::Result<String> {
        let attributes = Attributes { content_type: Some(content_type.to_owned()), ..Attributes::default() };
        self.put_with(bucket, key, body, attributes)
    }

    /// [`S3::put`] with more to say about the object than its type.
    pub fn put_with(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
        attributes: Attributes,
    ) -> io::Result<String> {
        let object = self.stage(body.into(), attributes)?;
        let version = self.add(bucket, key, object, |_| true).map_err(into_io)?;
        Ok(version.id.to_string())
    }

    /// Hides a key behind a delete marker and returns the marker's version id.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such bucket, or what the file system says.
    pub fn delete_marker(&self, bucket: &str, key: &str) -> io::Result<String> {
        match self.delete(bucket, &[(key, None)]).map_err(into_io)?.pop() {
            Some(Deleted::Hidden(id) | Deleted::Removed { id, .. }) => Ok(id.to_string()),
            None => Err(io::Error::other("a deletion without an outcome")),
        }
    }

    /// Removes one version for good; one that is not there is as good as removed.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such bucket, `InvalidInput` if no bucket could have issued this id, or what the file
    /// system says.
    pub fn delete_version(&self, bucket: &str, key: &str, id: &str) -> io::Result<()> {
        let id = VersionId::parse(id).ok_or(io::ErrorKind::InvalidInput)?;
        self.delete(bucket, &[(key, Some(&id))]).map_err(into_io)?;
        Ok(())
    }

    /// The versions of a key, newest first; none if the bucket or the key is unknown.
    #[must_use]
    pub fn versions(&self, bucket: &str, key: &str) -> Vec<VersionEntry> {
        let state = self.state();
        let versions = state.buckets.get(bucket).and_then(|bucket| bucket.objects.get(key));
        versions.into_iter().flatten().rev().map(|version| version.entry()).collect()
    }

    /// Looks at a bucket while nothing changes.
    pub(crate) fn read<T>(&self, bucket: &str, look: impl FnOnce(&Bucket) -> T) -> Result<T, Refusal> {
        self.state().buckets.get(bucket).map(look).ok_or(Refusal::NoSuchBucket)
    }

    /// Looks at all buckets while nothing changes.
    pub(crate) fn read_all<T>(&self, look: impl FnOnce(&Buckets) -> T) -> T {
        look(&self.state().buckets)
    }

    pub(crate) fn delete_bucket(&self, bucket: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        match state.buckets.get(bucket) {
            None => Err(Refusal::NoSuchBucket),
            Some(found) if !found.objects.is_empty() => Err(Refusal::BucketNotEmpty),
            Some(_) => Ok(state.commit([Entry::DeleteBucket { bucket: bucket.into() }])?),
        }
    }

    /// The newest version, or the one with this id. Never a delete marker.
    pub(crate) fn find(
        &self,
        bucket: &str,
        key: &str,
        id: Option<&VersionId>,
    ) -> Result<Arc<Version>, Refusal> {
        let version = self.read(bucket, |bucket| {
            let versions = bucket.objects.get(key).map_or(&[][..], Vec::as_slice);
            match id {
                None => versions.last().cloned().ok_or(Refusal::NoSuchKey(None)),
                Some(id) => versions.iter().find(|v| v.id == *id).cloned().ok_or(Refusal::NoSuchVersion),
            }
        })??;
        match (&version.content, id) {
            (Some(_), _) => Ok(version),
            (None, None) => Err(Refusal::NoSuchKey(Some(version.id.clone()))),
            (None, Some(_)) => Err(Refusal::IsDeleteMarker(version)),
        }
    }

    /// Adds a version on top of the others, if the present newest content (`None`: none) is as expected.
    pub(crate) fn add(
        &self,
        bucket: &str,
        key: &str,
        object: NewObject,
        expected: impl FnOnce(Option<&Content>) -> bool,
    ) -> Result<Arc<Version>, Refusal> {
        let mut state = self.state();
        let found = state.buckets.get(bucket).ok_or(Refusal::NoSuchBucket)?;
        let newest = found.objects.get(key).and_then(|versions| versions.last());
        if !expected(newest.and_then(|version| version.content.as_deref())) {
            return Err(Refusal::PreconditionFailed);
        }
        let version = self.version(&mut state, object)?;
        if let Err(error) = state.commit([Entry::add(bucket, key, &version)]) {
            self.bodies().discard(&version.id);
            return Err(error.into());
        }
        Ok(Arc::new(version))
    }

    /// Content of these bytes.
    pub(super) fn stage(&self, bytes: Bytes, attributes: Attributes) -> io::Result<NewObject> {
        let (size, etag) = (bytes.len() as u64, hex::encode(Md5::digest(&bytes)));
        Ok(NewObject { size, etag, attributes, checksum: None, body: self.bodies().stage(bytes)? })
    }

    /// The version that is to hold this content; nobody sees it yet.
    pub(super) fn version(&self, state: &mut State, object: NewObject) -> io::Result<Version> {
        let NewObject { size, etag, attributes, checksum, body } = object;
        let id = state.next_id()?;
        let body = self.bodies().keep(body, &id)?;
        let content = Content { size, etag, attributes, checksum, body };
        Ok(Version { id, modified: self.now(), content: Some(Box::new(content)) })
    }

    /// For each key: removes the version named, or else hides the key behind a new delete marker. All or, if the
    /// journal cannot be written, nothing.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        items: &[(&str, Option<&VersionId>)],
    ) -> Result<Vec<Deleted>, Refusal> {
        let mut state = self.state();
        if !state.buckets.contains_key(bucket) {
            return Err(Refusal::NoSuchBucket);
        }
        let now = self.now();
        let deletions = items.iter().map(|&(key, id)| match id {
            Some(id) => Ok(state.removal(bucket, key, id)),
            None => state.hiding(bucket, key, now),
        });
        let (entries, outcomes): (Vec<_>, Vec<_>) =
            deletions.collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
        let entries: Vec<_> = entries.into_iter().flatten().collect();
        let gone: Vec<_> = entries.iter().filter_map(Entry::removed).cloned().collect();
        state.commit(entries)?;
        // Only now: a file without a version is litter, a version without its file would be a loss.
        for id in &gone {
            self.bodies().discard(id);
        }
        Ok(outcomes)
    }

    pub(crate) fn bodies(&self) -> &Bodies {
        &self.inner.bodies
    }

    pub(crate) fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.inner.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the Unix epoch.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.inner.clock.now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn into_io(refusal: Refusal) -> io::Error {
    match refusal {
        Refusal::Io(error) => error,
        Refusal::NoSuchBucket => io::Error::new(io::ErrorKind::NotFound, "no such bucket"),
        other => io::Error::other(format!("{other:?}")),
    }
}
