//! Many small objects at once, for tests and measurements: one write to the journal for thousands of them.

use std::{borrow::Cow, io};

use bytes::Bytes;

use super::{
    S3,
    journal::Entry,
    state::{Deleted, State},
    store::{Refusal, into_io},
    version::Attributes,
};

/// Objects in one write, for which the store is locked.
const CHUNK: usize = 1000;

impl S3 {
    /// Stores an object of so many bytes under each key and hides it behind a delete marker. Answers the markers' version
    /// ids, in the order of the keys.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such bucket, or what the file system says.
    pub fn put_hidden<K: AsRef<str>>(&self, bucket: &str, objects: &[(K, usize)]) -> io::Result<Vec<String>> {
        let mut markers = Vec::with_capacity(objects.len());
        for chunk in objects.chunks(CHUNK) {
            self.put_chunk(bucket, chunk, &mut markers)?;
        }
        Ok(markers)
    }

    fn put_chunk<K: AsRef<str>>(
        &self,
        bucket: &str,
        objects: &[(K, usize)],
        markers: &mut Vec<String>,
    ) -> io::Result<()> {
        let mut state = self.state();
        if !state.buckets.contains_key(bucket) {
            return Err(into_io(Refusal::NoSuchBucket));
        }
        let mut entries = Vec::with_capacity(2 * objects.len());
        for (key, size) in objects {
            entries.push(self.put_one(&mut state, bucket, (key.as_ref(), *size))?);
            let (hidden, outcome) = state.hiding(bucket, key.as_ref(), self.now())?;
            entries.extend(hidden);
            if let Deleted::Hidden(id) = outcome {
                markers.push(id.to_string());
            }
        }
        state.commit(entries)
    }

    fn put_one(
        &self,
        state: &mut State,
        bucket: &str,
        (key, size): (&str, usize),
    ) -> io::Result<Entry<'static>> {
        let attributes = Attributes { content_type: Some("text/plain".to_owned()), ..Attributes::default() };
        let object = self.stage(Bytes::from(vec![b'x'; size]), attributes)?;
        let version = Cow::Owned(self.version(state, object)?);
        Ok(Entry::Add { bucket: bucket.to_owned().into(), key: key.to_owned().into(), version })
    }
}
