//! The store: buckets, keys and their versions, in memory and in the journal.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws::Clock;
use bytes::Bytes;
use md5::{Digest, Md5};

use crate::lock_file::LockFile;
use crate::state::create_private_dir;

use super::body_store::{BodyStore, StagedBody};
use super::errors::StoreError;
use super::journal::JournalEntry;
use super::multipart::MultipartUploads;
use super::state::{Bucket, Buckets, DeleteOutcome, StoreState};
use super::version::{Attributes, Checksum, Content, Version, VersionEntry, VersionId};

/// Versioned buckets in a directory. Cheap to clone: all clones share one store.
///
/// Versioning is always enabled. When a method returns, its change is in the journal and survives the end of the process.
#[derive(Debug, Clone)]
pub struct S3Store {
    inner: Arc<StoreInner>,
}

#[derive(Debug)]
struct StoreInner {
    clock: Clock,
    bodies: BodyStore,
    uploads: Mutex<MultipartUploads>,
    state: Mutex<StoreState>,
    /// Locked while the store is open.
    _lock: LockFile,
}

/// Complete content that has no version yet.
pub(crate) struct NewObject {
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) attributes: Attributes,
    pub(crate) checksum: Option<Checksum>,
    /// The sizes of the parts of a multipart upload, else empty.
    pub(crate) part_sizes: Vec<u64>,
    pub(crate) body: StagedBody,
}

/// What to delete: one version or, without a version, the key. A deleted key gets a delete marker.
pub(crate) struct DeleteTarget<'a> {
    pub(crate) key: &'a str,
    pub(crate) version_id: Option<&'a VersionId>,
}

impl S3Store {
    /// Opens the store in this directory. Creates the directory if it is missing, and cleans up after a killed process.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if another process has the store open, `InvalidData` if the journal is corrupt before its last line,
    /// or an error of the file system.
    pub fn open(dir: &Path, clock: Clock) -> io::Result<Self> {
        create_private_dir(dir)?;
        let lock = LockFile::try_lock(&dir.join("lock"))?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::WouldBlock, "another process has this store open")
        })?;
        let bodies = BodyStore::open(dir)?;
        let state = StoreState::open(&dir.join("journal"))?;
        // A process may have been killed between a body and its journal entry.
        let files = state.body_file_names();
        bodies.remove_orphans(|name| files.contains(name))?;
        drop(files);
        let (state, uploads) = (Mutex::new(state), Mutex::default());
        Ok(Self { inner: Arc::new(StoreInner { clock, bodies, uploads, state, _lock: lock }) })
    }

    /// Creates a bucket. An existing bucket is left unchanged.
    pub fn create_bucket(&self, bucket: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.buckets.contains_key(bucket) {
            return Ok(());
        }
        let at = self.now_ms();
        state.commit([JournalEntry::CreateBucket { bucket: bucket.into(), at }])
    }

    /// Stores an object and returns its version id.
    ///
    /// # Errors
    ///
    /// `NotFound` if the bucket does not exist, or an error of the file system.
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

    /// [`S3Store::put`] with all attributes.
    pub fn put_with(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
        attributes: Attributes,
    ) -> io::Result<String> {
        let object = self.stage_object(body.into(), attributes)?;
        let version = self.add_version(bucket, key, object, |_| true).map_err(io::Error::from)?;
        Ok(version.id.to_string())
    }

    /// Adds a delete marker to a key and returns the marker's version id.
    ///
    /// # Errors
    ///
    /// `NotFound` if the bucket does not exist, or an error of the file system.
    pub fn add_delete_marker(&self, bucket: &str, key: &str) -> io::Result<String> {
        let target = DeleteTarget { key, version_id: None };
        match self.delete(bucket, &[target]).map_err(io::Error::from)?.pop() {
            Some(DeleteOutcome::MarkerAdded(id) | DeleteOutcome::VersionRemoved { id, .. }) => {
                Ok(id.to_string())
            }
            None => Err(io::Error::other("the deletion has no outcome")),
        }
    }

    /// Removes one version permanently. A version that does not exist is no error.
    ///
    /// # Errors
    ///
    /// `NotFound` if the bucket does not exist, `InvalidInput` if the id is malformed, or an error of the file system.
    pub fn delete_version(&self, bucket: &str, key: &str, id: &str) -> io::Result<()> {
        let id = VersionId::parse(id).ok_or(io::ErrorKind::InvalidInput)?;
        let target = DeleteTarget { key, version_id: Some(&id) };
        self.delete(bucket, &[target]).map(drop).map_err(io::Error::from)
    }

    /// The versions of a key, newest first. Empty if the bucket or the key does not exist.
    #[must_use]
    pub fn list_versions(&self, bucket: &str, key: &str) -> Vec<VersionEntry> {
        let state = self.state();
        let versions = state.buckets.get(bucket).and_then(|bucket| bucket.objects.get(key));
        versions.into_iter().flatten().rev().map(|version| version.entry()).collect()
    }

    /// Reads a bucket under the store's lock.
    pub(crate) fn with_bucket<T>(
        &self,
        bucket: &str,
        read: impl FnOnce(&Bucket) -> T,
    ) -> Result<T, StoreError> {
        self.state().buckets.get(bucket).map(read).ok_or(StoreError::NoSuchBucket)
    }

    /// Reads all buckets under the store's lock.
    pub(crate) fn with_buckets<T>(&self, read: impl FnOnce(&Buckets) -> T) -> T {
        read(&self.state().buckets)
    }

    pub(crate) fn check_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        self.with_bucket(bucket, |_| ())
    }

    pub(crate) fn delete_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        let mut state = self.state();
        match state.buckets.get(bucket) {
            None => Err(StoreError::NoSuchBucket),
            Some(found) if !found.objects.is_empty() => Err(StoreError::BucketNotEmpty),
            Some(_) => Ok(state.commit([JournalEntry::DeleteBucket { bucket: bucket.into() }])?),
        }
    }

    /// The newest version, or the version with this id. A delete marker is an error.
    pub(crate) fn find_version(
        &self,
        bucket: &str,
        key: &str,
        id: Option<&VersionId>,
    ) -> Result<Arc<Version>, StoreError> {
        let version = self.with_bucket(bucket, |bucket| {
            let versions = bucket.objects.get(key).map_or(&[][..], Vec::as_slice);
            match id {
                None => versions.last().cloned().ok_or(StoreError::NoSuchKey(None)),
                Some(id) => versions.iter().find(|v| v.id == *id).cloned().ok_or(StoreError::NoSuchVersion),
            }
        })??;
        // A delete marker is a version without content. S3 distinguishes whether the client named it.
        match (&version.content, id) {
            (Some(_), _) => Ok(version),
            (None, None) => Err(StoreError::NoSuchKey(Some(version.id.clone()))),
            (None, Some(_)) => Err(StoreError::IsDeleteMarker(version)),
        }
    }

    /// Adds a version if `is_expected` accepts the current content of the key (`None`: no content).
    pub(crate) fn add_version(
        &self,
        bucket: &str,
        key: &str,
        object: NewObject,
        is_expected: impl FnOnce(Option<&Content>) -> bool,
    ) -> Result<Arc<Version>, StoreError> {
        let mut state = self.state();
        let found = state.buckets.get(bucket).ok_or(StoreError::NoSuchBucket)?;
        let newest = found.objects.get(key).and_then(|versions| versions.last());
        if !is_expected(newest.and_then(|version| version.content.as_deref())) {
            return Err(StoreError::PreconditionFailed);
        }
        // The lock is held from the sequence number to the journal, so both have the same order.
        let version = self.create_version(&mut state, object)?;
        if let Err(error) = state.commit([JournalEntry::add(bucket, key, &version)]) {
            self.bodies().remove(&version.id);
            return Err(error.into());
        }
        Ok(Arc::new(version))
    }

    /// Stages bytes as a new object.
    pub(super) fn stage_object(&self, bytes: Bytes, attributes: Attributes) -> io::Result<NewObject> {
        let (size, etag) = (bytes.len() as u64, hex::encode(Md5::digest(&bytes)));
        let (part_sizes, body) = (Vec::new(), self.bodies().stage(bytes)?);
        Ok(NewObject { size, etag, attributes, checksum: None, part_sizes, body })
    }

    /// Creates a version with this content. It is not visible until the journal has it.
    pub(super) fn create_version(&self, state: &mut StoreState, object: NewObject) -> io::Result<Version> {
        let NewObject { size, etag, attributes, checksum, part_sizes, body } = object;
        let id = state.next_version_id()?;
        let body = self.bodies().persist(body, &id)?;
        let content = Content { size, etag, attributes, checksum, part_sizes, body };
        Ok(Version { id, modified: self.now_ms(), content: Some(Box::new(content)) })
    }

    /// Deletes all targets. If the journal cannot be written, deletes none.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        targets: &[DeleteTarget<'_>],
    ) -> Result<Vec<DeleteOutcome>, StoreError> {
        let mut state = self.state();
        if !state.buckets.contains_key(bucket) {
            return Err(StoreError::NoSuchBucket);
        }
        let now_ms = self.now_ms();
        let (mut entries, mut outcomes) = (Vec::new(), Vec::new());
        for DeleteTarget { key, version_id } in targets {
            let (entry, outcome) = if let Some(id) = version_id {
                state.removal_entry(bucket, key, id)
            } else {
                let (entry, id) = state.delete_marker_entry(bucket, key, now_ms)?;
                (Some(entry), DeleteOutcome::MarkerAdded(id))
            };
            entries.extend(entry);
            outcomes.push(outcome);
        }
        let removed: Vec<_> = entries.iter().filter_map(JournalEntry::removed_id).cloned().collect();
        state.commit(entries)?;
        // Only after the commit: a file without a version is removed later, a version without its file is lost data.
        for id in &removed {
            self.bodies().remove(id);
        }
        Ok(outcomes)
    }

    pub(crate) fn bodies(&self) -> &BodyStore {
        &self.inner.bodies
    }

    pub(crate) fn uploads(&self) -> MutexGuard<'_, MultipartUploads> {
        self.inner.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the Unix epoch.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.inner.clock.now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, StoreState> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
