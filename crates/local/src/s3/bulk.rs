//! Many small objects at once, for tests and benchmarks: one write to the journal for a thousand objects.

use std::{borrow::Cow, io};

use bytes::Bytes;

use super::{S3Store, errors::StoreError, journal::JournalEntry, state::StoreState, version::Attributes};

/// Objects per write. The store is locked during a write.
const CHUNK_SIZE: usize = 1000;

/// The key and the size of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// The key.
    pub key: String,
    /// The size in bytes.
    pub size: usize,
}

impl S3Store {
    /// Stores objects and adds a delete marker to each. Returns the version ids of the markers, in the order of the
    /// objects.
    ///
    /// # Errors
    ///
    /// `NotFound` if the bucket does not exist, or an error of the file system.
    pub fn put_deleted_objects(&self, bucket: &str, objects: &[StoredObject]) -> io::Result<Vec<String>> {
        let mut markers = Vec::with_capacity(objects.len());
        for chunk in objects.chunks(CHUNK_SIZE) {
            // Locked per chunk, so that other requests run between two chunks.
            let mut state = self.state();
            if !state.buckets.contains_key(bucket) {
                return Err(StoreError::NoSuchBucket.into());
            }
            let mut entries = Vec::with_capacity(2 * chunk.len());
            for object in chunk {
                entries.push(self.new_object_entry(&mut state, bucket, object)?);
                let (marker, id) = state.delete_marker_entry(bucket, &object.key, self.now_ms())?;
                entries.push(marker);
                markers.push(id.to_string());
            }
            state.commit(entries)?;
        }
        Ok(markers)
    }

    fn new_object_entry(
        &self,
        state: &mut StoreState,
        bucket: &str,
        object: &StoredObject,
    ) -> io::Result<JournalEntry<'static>> {
        let attributes = Attributes { content_type: Some("text/plain".to_owned()), ..Attributes::default() };
        let content = self.stage_object(Bytes::from(vec![b'x'; object.size]), attributes)?;
        let version = Cow::Owned(self.create_version(state, content)?);
        Ok(JournalEntry::Add { bucket: bucket.to_owned().into(), key: object.key.clone().into(), version })
    }
}
