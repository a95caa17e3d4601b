//! The state that the journal describes: buckets, keys and versions in memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::journal::{Journal, JournalEntry};
use super::lifecycle::LifecycleRule;
use super::version::{Body, Version, VersionId};

pub(crate) type Buckets = BTreeMap<String, Bucket>;

/// The versions of each key, oldest first. A key without versions has no entry.
pub(crate) type Objects = BTreeMap<String, Vec<Arc<Version>>>;

#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Milliseconds since the Unix epoch.
    pub(crate) created: u64,
    pub(crate) lifecycle: Vec<LifecycleRule>,
    pub(crate) objects: Objects,
}

/// The result of one deletion.
#[derive(Debug)]
pub(crate) enum DeleteOutcome {
    /// This delete marker now hides the key.
    MarkerAdded(VersionId),
    /// The version is gone. It may have been gone before.
    VersionRemoved { id: VersionId, was_marker: bool },
}

#[derive(Debug)]
pub(crate) struct StoreState {
    pub(crate) buckets: Buckets,
    journal: Journal,
    /// The sequence number of the newest version.
    sequence: u64,
}

/// A journal with this many obsolete changes is rewritten at the next start.
const MAX_OBSOLETE_ENTRIES: usize = 1_000;

impl StoreState {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let (mut buckets, mut sequence, mut entry_count) = (Buckets::new(), 0, 0_usize);
        let mut journal = Journal::open(path, |entry| {
            entry_count += 1;
            if let JournalEntry::Add { version, .. } = &entry {
                sequence = sequence.max(version.id.sequence());
            }
            apply_entry(&mut buckets, entry);
        })?;
        let live_count = snapshot_entries(&buckets).count();
        if entry_count > 2 * live_count + MAX_OBSOLETE_ENTRIES {
            journal.rewrite(snapshot_entries(&buckets))?;
        }
        Ok(Self { buckets, journal, sequence })
    }

    /// Writes the changes to the journal, then applies them.
    pub(crate) fn commit<'a>(
        &mut self,
        entries: impl AsRef<[JournalEntry<'a>]> + IntoIterator<Item = JournalEntry<'a>>,
    ) -> io::Result<()> {
        self.journal.append(entries.as_ref())?;
        for entry in entries {
            apply_entry(&mut self.buckets, entry);
        }
        Ok(())
    }

    pub(crate) fn next_version_id(&mut self) -> io::Result<VersionId> {
        // A gap after a failed write does no harm: only the order counts.
        self.sequence += 1;
        VersionId::new(self.sequence)
    }

    /// The change that removes this version. `None` if the version does not exist: S3 reports success for it too.
    pub(crate) fn removal_entry(
        &self,
        bucket: &str,
        key: &str,
        id: &VersionId,
    ) -> (Option<JournalEntry<'static>>, DeleteOutcome) {
        let versions = self.buckets.get(bucket).and_then(|bucket| bucket.objects.get(key));
        let found = versions.into_iter().flatten().find(|version| version.id == *id);
        let entry = found.map(|_| JournalEntry::Remove {
            bucket: bucket.to_owned().into(),
            key: key.to_owned().into(),
            id: Cow::Owned(id.clone()),
        });
        let was_marker = found.is_some_and(|version| version.content.is_none());
        (entry, DeleteOutcome::VersionRemoved { id: id.clone(), was_marker })
    }

    /// The change that adds a delete marker, and the marker's id. S3 adds one even if the key does not exist.
    pub(crate) fn delete_marker_entry(
        &mut self,
        bucket: &str,
        key: &str,
        now_ms: u64,
    ) -> io::Result<(JournalEntry<'static>, VersionId)> {
        let id = self.next_version_id()?;
        let version = Cow::Owned(Version { id: id.clone(), modified: now_ms, content: None });
        let entry =
            JournalEntry::Add { bucket: bucket.to_owned().into(), key: key.to_owned().into(), version };
        Ok((entry, id))
    }

    /// The names of all body files.
    pub(crate) fn body_file_names(&self) -> HashSet<&str> {
        let versions = self.buckets.values().flat_map(|bucket| bucket.objects.values()).flatten();
        let in_files =
            versions.filter(|version| matches!(&version.content, Some(c) if matches!(c.body, Body::File)));
        in_files.map(|version| version.id.as_str()).collect()
    }
}

/// The changes that create these buckets from nothing.
fn snapshot_entries(buckets: &Buckets) -> impl Iterator<Item = JournalEntry<'_>> {
    buckets.iter().flat_map(|(name, bucket)| {
        let created = JournalEntry::CreateBucket { bucket: name.into(), at: bucket.created };
        let rules = (!bucket.lifecycle.is_empty()).then(|| JournalEntry::SetLifecycle {
            bucket: name.into(),
            rules: (&bucket.lifecycle[..]).into(),
        });
        let versions =
            bucket.objects.iter().flat_map(|(key, versions)| versions.iter().map(move |v| (key, v)));
        let added = versions.map(move |(key, version)| JournalEntry::add(name, key, version));
        std::iter::once(created).chain(rules).chain(added)
    })
}

fn apply_entry(buckets: &mut Buckets, entry: JournalEntry<'_>) {
    match entry {
        JournalEntry::CreateBucket { bucket, at } => {
            buckets.entry(bucket.into_owned()).or_default().created = at;
        }
        JournalEntry::DeleteBucket { bucket } => {
            buckets.remove(&*bucket);
        }
        JournalEntry::SetLifecycle { bucket, rules } => {
            buckets.entry(bucket.into_owned()).or_default().lifecycle = rules.into_owned();
        }
        JournalEntry::Add { bucket, key, version } => {
            let objects = &mut buckets.entry(bucket.into_owned()).or_default().objects;
            objects.entry(key.into_owned()).or_default().push(Arc::new(version.into_owned()));
        }
        JournalEntry::Remove { bucket, key, id } => {
            let Some(bucket) = buckets.get_mut(&*bucket) else { return };
            let Some(versions) = bucket.objects.get_mut(&*key) else { return };
            versions.retain(|version| version.id != *id);
            // A key without versions does not exist, also not in listings.
            if versions.is_empty() {
                bucket.objects.remove(&*key);
            }
        }
    }
}
