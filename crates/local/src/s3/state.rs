//! What the journal says: buckets, keys and versions in memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::journal::{Entry, Journal};
use super::lifecycle::LifecycleRule;
use super::version::{Body, Version, VersionId};

pub(crate) type Buckets = BTreeMap<String, Bucket>;

/// The versions of each key, oldest first; a key without versions is not there.
pub(crate) type Objects = BTreeMap<String, Vec<Arc<Version>>>;

#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Milliseconds since the Unix epoch.
    pub(crate) created: u64,
    /// Kept and told, and never carried out.
    pub(crate) lifecycle: Vec<LifecycleRule>,
    pub(crate) objects: Objects,
}

/// What became of one deletion.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// This delete marker now hides the key.
    Hidden(VersionId),
    /// The version is gone, or was gone before; `marker` if it was a delete marker.
    Removed { id: VersionId, marker: bool },
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) buckets: Buckets,
    journal: Journal,
    /// The place of the newest version in the order of all versions.
    place: u64,
}

/// A journal with this many more changes than it needs is worth writing anew.
const WASTE: usize = 1_000;

impl State {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let (mut buckets, mut place, mut changes) = (Buckets::new(), 0, 0_usize);
        let mut journal = Journal::open(path, |entry| {
            changes += 1;
            if let Entry::Add { version, .. } = &entry {
                place = place.max(version.id.place());
            }
            apply(&mut buckets, entry);
        })?;
        let needed = live(&buckets).count();
        if changes > 2 * needed + WASTE {
            journal.rewrite(live(&buckets))?;
        }
        Ok(Self { buckets, journal, place })
    }

    /// Writes the changes to the journal, then makes them.
    pub(crate) fn commit<'a>(
        &mut self,
        entries: impl AsRef<[Entry<'a>]> + IntoIterator<Item = Entry<'a>>,
    ) -> io::Result<()> {
        self.journal.append(entries.as_ref())?;
        for entry in entries {
            apply(&mut self.buckets, entry);
        }
        Ok(())
    }

    pub(crate) fn next_id(&mut self) -> io::Result<VersionId> {
        self.place += 1;
        VersionId::new(self.place)
    }

    /// The change that removes this version, none if there is no such version.
    pub(crate) fn removal(
        &self,
        bucket: &str,
        key: &str,
        id: &VersionId,
    ) -> (Option<Entry<'static>>, Deleted) {
        let versions = self.buckets.get(bucket).and_then(|bucket| bucket.objects.get(key));
        let found = versions.into_iter().flatten().find(|version| version.id == *id);
        let entry = found.map(|_| Entry::Remove {
            bucket: bucket.to_owned().into(),
            key: key.to_owned().into(),
            id: Cow::Owned(id.clone()),
        });
        let marker = found.is_some_and(|version| version.content.is_none());
        (entry, Deleted::Removed { id: id.clone(), marker })
    }

    /// The change that puts a delete marker on top.
    pub(crate) fn hiding(
        &mut self,
        bucket: &str,
        key: &str,
        now: u64,
    ) -> io::Result<(Option<Entry<'static>>, Deleted)> {
        let id = self.next_id()?;
        let version = Cow::Owned(Version { id: id.clone(), modified: now, content: None });
        let entry = Entry::Add { bucket: bucket.to_owned().into(), key: key.to_owned().into(), version };
        Ok((Some(entry), Deleted::Hidden(id)))
    }

    /// The names of all files that are bodies.
    pub(crate) fn files(&self) -> HashSet<&str> {
        let versions = self.buckets.values().flat_map(|bucket| bucket.objects.values()).flatten();
        let in_files =
            versions.filter(|version| matches!(&version.content, Some(c) if matches!(c.body, Body::File)));
        in_files.map(|version| version.id.as_str()).collect()
    }
}

/// The changes that make these buckets from nothing.
fn live(buckets: &Buckets) -> impl Iterator<Item = Entry<'_>> {
    buckets.iter().flat_map(|(name, bucket)| {
        let made = Entry::CreateBucket { bucket: name.into(), at: bucket.created };
        let versions =
            bucket.objects.iter().flat_map(|(key, versions)| versions.iter().map(move |v| (key, v)));
        let rules = (!bucket.lifecycle.is_empty())
            .then(|| Entry::SetLifecycle { bucket: name.into(), rules: (&bucket.lifecycle[..]).into() });
        let versions = versions.map(move |(key, version)| Entry::add(name, key, version));
        std::iter::once(made).chain(rules).chain(versions)
    })
}

fn apply(buckets: &mut Buckets, entry: Entry<'_>) {
    match entry {
        Entry::CreateBucket { bucket, at } => {
            buckets.entry(bucket.into_owned()).or_default().created = at;
        }
        Entry::DeleteBucket { bucket } => {
            buckets.remove(&*bucket);
        }
        Entry::SetLifecycle { bucket, rules } => {
            buckets.entry(bucket.into_owned()).or_default().lifecycle = rules.into_owned();
        }
        Entry::Add { bucket, key, version } => {
            let objects = &mut buckets.entry(bucket.into_owned()).or_default().objects;
            objects.entry(key.into_owned()).or_default().push(Arc::new(version.into_owned()));
        }
        Entry::Remove { bucket, key, id } => {
            let Some(bucket) = buckets.get_mut(&*bucket) else { return };
            let Some(versions) = bucket.objects.get_mut(&*key) else { return };
            versions.retain(|version| version.id != *id);
            if versions.is_empty() {
                bucket.objects.remove(&*key);
            }
        }
    }
}
