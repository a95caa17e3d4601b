//! Taking deleted files out of S3's trash: finding the delete markers on top of their keys, and removing those.
//!
//! A bucket's version listing is the truth: it says of every entry whether it *is* a delete marker, so nothing else can
//! be removed, and a key whose marker is gone already needs nothing. Work goes in chunks of a thousand files, several at
//! a time; a dense folder costs one listing and one deletion a chunk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt, stream};

use crate::{
    ObjectStore, markers,
    versions::{self, Top},
};
use aws::backoff_delay;
use packages::id::PackageId;

/// Files in one chunk: as many keys as one `DeleteObjects` takes (Amazon S3 API Reference, "DeleteObjects").
const CHUNK: usize = 1000;

/// Chunks in flight at once.
const CHUNKS_AT_ONCE: usize = 4;

/// How often a deletion that S3 put off is asked for again before its packages are to be tried later.
const DELETE_ATTEMPTS: u32 = 4;

/// A bucket's keys, each with the delete markers to remove from it.
type Markers = BTreeMap<String, Vec<String>>;

/// What lies on top of each key, by bucket.
type Tops<'a> = HashMap<&'a str, BTreeMap<String, Top>>;

/// What lies on top of keys, and what that says against packages.
type Looked<'a> = (Tops<'a>, UndeleteErrors);

/// A file of a package that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoredFile {
    /// Whose it is.
    pub package: PackageId,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Whether the package is nothing without it (a source file, not a derived one).
    pub is_source: bool,
}

/// Why a package's files are not all visible again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndeleteError {
    /// In words for the package's owner.
    pub reason: String,
    /// Whether another attempt may help.
    pub is_passing: bool,
    /// Whether the package may come back all the same: only derived files are concerned.
    pub is_derived: bool,
}

impl UndeleteError {
    /// What weighs more of two: a source file before a derived one, what is for good before what may pass.
    fn weight(&self) -> (bool, bool) {
        (!self.is_derived, !self.is_passing)
    }
}

/// The packages whose files are not all visible again, and why.
pub type UndeleteErrors = HashMap<PackageId, UndeleteError>;

/// Keeps the error that weighs most of each package.
fn add_error(errors: &mut UndeleteErrors, file: &StoredFile, reason: &versions::Error) {
    let error = UndeleteError {
        reason: reason.reason().to_owned(),
        is_passing: reason.is_passing(),
        is_derived: !file.is_source,
    };
    let known = errors.entry(file.package).or_insert_with(|| error.clone());
    if error.weight() > known.weight() {
        *known = error;
    }
}

impl ObjectStore {
    /// Makes the files visible again that a delete marker hides. What fails, fails for its package and for no other; of a
    /// package that has a reason against it before anything was removed, nothing is undeleted. Safe to repeat.
    pub async fn undelete(&self, files: &[StoredFile]) -> UndeleteErrors {
        // A list and not a closure over the chunks: the compiler cannot tell that such a closure may change threads.
        let mut work = Vec::new();
        for chunk in chunks(files) {
            work.push(self.undelete_chunk(chunk));
        }
        let errors: Vec<UndeleteErrors> = stream::iter(work).buffer_unordered(CHUNKS_AT_ONCE).collect().await;
        errors.into_iter().flatten().collect()
    }

    /// The packages whose files could not be made visible again, as far as a look tells, and why. Nothing changes.
    pub async fn find_lost(&self, files: &[StoredFile]) -> UndeleteErrors {
        let mut work = Vec::new();
        for chunk in chunks(files) {
            work.push(self.look_at_chunk(chunk));
        }
        let errors: Vec<Looked<'_>> = stream::iter(work).buffer_unordered(CHUNKS_AT_ONCE).collect().await;
        errors.into_iter().flat_map(|(_, errors)| errors).collect()
    }

    /// Reads what lies on top of each file, and what that says against its package.
    async fn look_at_chunk<'a>(&self, files: Vec<&'a StoredFile>) -> Looked<'a> {
        let mut errors = UndeleteErrors::new();
        let mut tops = Tops::new();
        for (bucket, keys) in by_bucket(&files) {
            let (found, failed) = versions::find_tops(&self.client(bucket), bucket, &keys).await;
            for file in files.iter().filter(|file| file.bucket == bucket) {
                if let Some(error) = failed.get(file.key.as_str()) {
                    add_error(&mut errors, file, error);
                } else if is_lost(file, &found) {
                    let error = versions::Error::Refused("its stored file no longer exists".to_owned());
                    add_error(&mut errors, file, &error);
                }
            }
            tops.insert(bucket, found);
        }
        (tops, errors)
    }

    async fn undelete_chunk(&self, files: Vec<&StoredFile>) -> UndeleteErrors {
        let (tops, mut errors) = self.look_at_chunk(files.clone()).await;
        for (bucket, markers) in removable(&files, &tops, &errors) {
            let failed = self.remove(bucket, markers).await;
            for file in files.iter().filter(|file| file.bucket == bucket) {
                if let Some(error) = failed.get(&file.key) {
                    add_error(&mut errors, file, error);
                }
            }
        }
        errors
    }

    /// Removes markers, at most a thousand at a call. Answers the keys of which S3 did not remove one.
    async fn remove(&self, bucket: &str, markers: Markers) -> HashMap<String, versions::Error> {
        let mut failed = HashMap::new();
        let pairs: Vec<(String, String)> = markers
            .into_iter()
            .flat_map(|(key, versions)| versions.into_iter().map(move |version| (key.clone(), version)))
            .collect();
        for batch in pairs.chunks(CHUNK) {
            let mut open = batch.to_vec();
            for tried in 1.. {
                let left = markers::delete(&self.client(bucket), bucket, &open).await;
                failed.extend(left.refused);
                open = left.put_off.iter().map(|(marker, _)| marker.clone()).collect();
                if open.is_empty() {
                    break;
                }
                if tried == DELETE_ATTEMPTS {
                    failed.extend(left.put_off.into_iter().map(|((key, _), error)| (key, error)));
                    break;
                }
                tokio::time::sleep(backoff_delay(tried)).await;
            }
        }
        failed
    }
}

/// Whole packages, side by side in the order of their keys, in chunks of about [`CHUNK`] files: neighbours in the
/// listing belong into the same chunk, and a package is decided on at one place.
fn chunks(files: &[StoredFile]) -> Vec<Vec<&StoredFile>> {
    let mut packages: HashMap<PackageId, Vec<&StoredFile>> = HashMap::new();
    for file in files {
        packages.entry(file.package).or_default().push(file);
    }
    let mut packages: Vec<Vec<&StoredFile>> = packages.into_values().collect();
    packages.sort_by(|a, b| first_key(a).cmp(&first_key(b)));

    let mut chunks: Vec<Vec<&StoredFile>> = Vec::new();
    for package in packages {
        match chunks.last_mut() {
            Some(chunk) if chunk.len() + package.len() <= CHUNK => chunk.extend(package),
            _ => chunks.push(package),
        }
    }
    chunks
}

fn first_key<'a>(files: &[&'a StoredFile]) -> Option<(&'a str, &'a str)> {
    files.iter().map(|file| (file.bucket.as_str(), file.key.as_str())).min()
}

fn by_bucket<'a>(files: &[&'a StoredFile]) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut buckets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in files {
        buckets.entry(&file.bucket).or_default().insert(&file.key);
    }
    buckets
}

/// A source file without any version left takes its package along; a derived file can be made again.
fn is_lost(file: &StoredFile, tops: &BTreeMap<String, Top>) -> bool {
    file.is_source && matches!(tops.get(&file.key), None | Some(Top::Gone))
}

/// The markers on the files of packages that have no reason against them.
fn removable<'a>(
    files: &[&'a StoredFile],
    tops: &Tops<'_>,
    errors: &UndeleteErrors,
) -> BTreeMap<&'a str, Markers> {
    let stays = |file: &&&StoredFile| errors.get(&file.package).is_some_and(|error| !error.is_derived);
    let mut buckets: BTreeMap<&str, Markers> = BTreeMap::new();
    for file in files.iter().filter(|file| !stays(file)) {
        let top = tops.get(file.bucket.as_str()).and_then(|tops| tops.get(&file.key));
        if let Some(Top::Deleted(markers)) = top {
            buckets.entry(&file.bucket).or_default().insert(file.key.clone(), markers.clone());
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(package: i32, key: &str) -> StoredFile {
        StoredFile { package: PackageId(package), bucket: "b".into(), key: key.into(), is_source: true }
    }

    #[test]
    fn a_package_is_never_split_over_chunks() {
        let files: Vec<StoredFile> =
            (0..2500).map(|n| file(n / 3, &format!("key-{:05}", (n * 7919) % 2500))).collect();
        let chunks = chunks(&files);
        assert_eq!(chunks.iter().map(Vec::len).sum::<usize>(), files.len());
        assert!(chunks.len() <= 4 && chunks.iter().all(|chunk| chunk.len() <= CHUNK));
        let mut seen = BTreeSet::new();
        for chunk in &chunks {
            let packages: BTreeSet<PackageId> = chunk.iter().map(|file| file.package).collect();
            assert!(packages.iter().all(|package| seen.insert(*package)));
        }
    }

    #[test]
    fn a_package_with_more_files_than_a_chunk_is_one_chunk() {
        let files: Vec<StoredFile> = (0..1500).map(|n| file(1, &n.to_string())).collect();
        assert_eq!(chunks(&files).len(), 1);
    }
}
