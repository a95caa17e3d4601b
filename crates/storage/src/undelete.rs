//! Undeleting files: finding the delete markers that hide them, and removing those.
//!
//! A bucket's version listing says of every entry whether it *is* a delete marker. So nothing else can be removed, and a
//! key whose marker is gone needs no work. Files are processed in chunks of a thousand, several at a time: a dense folder
//! takes one listing and one deletion per chunk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt, stream};

use crate::{
    ObjectStore,
    delete_markers::{DeleteMarker, remove_markers},
    s3_error::S3Error,
    versions::{KeyState, KeyStates, load_key_states},
};
use aws::backoff_delay;
use packages::id::PackageId;

/// Files in one chunk: the maximum of one `DeleteObjects` (Amazon S3 API Reference, `DeleteObjects`).
const MAX_CHUNK_FILES: usize = 1000;

/// Chunks in flight at once.
const MAX_CONCURRENT_CHUNKS: usize = 4;

/// Attempts for a deletion, before the packages are left to a later attempt of the restore.
const MAX_DELETE_ATTEMPTS: u32 = 4;

/// The states of keys, by bucket.
type BucketStates<'a> = HashMap<&'a str, BTreeMap<String, KeyState>>;

/// The states of a chunk's files, and the packages that they keep in the trash.
struct ChunkStates<'a> {
    states: BucketStates<'a>,
    errors: UndeleteErrors,
}

/// A file of a package to restore.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoredFile {
    /// The package of the file.
    pub package: PackageId,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Whether it is a source file, without which the package cannot be restored, and not a derived one.
    pub is_source: bool,
}

/// Why a package has files that are not visible again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndeleteError {
    /// The reason, for the package's owner.
    pub reason: String,
    /// Whether another attempt may succeed.
    pub is_transient: bool,
    /// Whether only derived files are missing. Then the package can be restored.
    pub is_derived: bool,
}

impl UndeleteError {
    /// Orders errors: a source file counts more than a derived one, a permanent error more than a transient one.
    fn severity(&self) -> (bool, bool) {
        (!self.is_derived, !self.is_transient)
    }
}

/// The packages with files that are not visible again, and why.
pub type UndeleteErrors = HashMap<PackageId, UndeleteError>;

/// Keeps the most severe error of each package.
fn add_error(errors: &mut UndeleteErrors, file: &StoredFile, reason: &S3Error) {
    let error = UndeleteError {
        reason: reason.to_string(),
        is_transient: reason.is_transient(),
        is_derived: !file.is_source,
    };
    let known = errors.entry(file.package).or_insert_with(|| error.clone());
    if error.severity() > known.severity() {
        *known = error;
    }
}

impl ObjectStore {
    /// Makes files visible again that delete markers hide. A failure concerns only its package. If a package has an error
    /// before its markers are removed, none of its files is undeleted. Safe to repeat.
    pub async fn undelete(&self, files: &[StoredFile]) -> UndeleteErrors {
        // The calls are collected, not mapped: the compiler cannot prove that such a closure's future is `Send`.
        let mut calls = Vec::new();
        for chunk in split_chunks(files) {
            calls.push(self.undelete_chunk(chunk));
        }
        let errors: Vec<UndeleteErrors> =
            stream::iter(calls).buffer_unordered(MAX_CONCURRENT_CHUNKS).collect().await;
        errors.into_iter().flatten().collect()
    }

    /// Finds the packages whose files cannot be undeleted, as far as listings tell, and why. Nothing changes.
    pub async fn list_unrecoverable(&self, files: &[StoredFile]) -> UndeleteErrors {
        let mut calls = Vec::new();
        for chunk in split_chunks(files) {
            calls.push(self.load_chunk_states(chunk));
        }
        let chunks: Vec<ChunkStates<'_>> =
            stream::iter(calls).buffer_unordered(MAX_CONCURRENT_CHUNKS).collect().await;
        chunks.into_iter().flat_map(|chunk| chunk.errors).collect()
    }

    async fn load_chunk_states<'a>(&self, files: Vec<&'a StoredFile>) -> ChunkStates<'a> {
        let mut errors = UndeleteErrors::new();
        let mut buckets = BucketStates::new();
        for (bucket, keys) in group_by_bucket(files.iter().copied()) {
            let KeyStates { states, failed } = self.load_bucket_states(bucket, &keys).await;
            for file in files.iter().filter(|file| file.bucket == bucket) {
                if let Some(error) = failed.get(file.key.as_str()) {
                    add_error(&mut errors, file, error);
                } else if is_lost(file, &states) {
                    let error = S3Error::Refused("its stored file no longer exists".to_owned());
                    add_error(&mut errors, file, &error);
                }
            }
            buckets.insert(bucket, states);
        }
        ChunkStates { states: buckets, errors }
    }

    /// Loads the states of keys. If S3 says that the bucket is in another region, they are loaded there.
    async fn load_bucket_states<'a>(&self, bucket: &str, keys: &BTreeSet<&'a str>) -> KeyStates<'a> {
        let (client, asked) = self.bucket_client(bucket).await;
        let loaded = load_key_states(&client, bucket, keys).await;
        let said = loaded.failed.values().find_map(S3Error::said_region);
        if !self.learn_region(bucket, &asked, said) {
            return loaded;
        }
        let (client, _) = self.bucket_client(bucket).await;
        load_key_states(&client, bucket, keys).await
    }

    async fn undelete_chunk(&self, files: Vec<&StoredFile>) -> UndeleteErrors {
        let ChunkStates { states, mut errors } = self.load_chunk_states(files.clone()).await;
        for (bucket, markers) in removable_markers(&files, &states, &errors) {
            let failed = self.remove_markers(bucket, markers).await;
            for file in files.iter().filter(|file| file.bucket == bucket) {
                if let Some(error) = failed.get(&file.key) {
                    add_error(&mut errors, file, error);
                }
            }
        }
        errors
    }

    /// Removes markers, a thousand per call. Returns the keys with a marker that S3 did not remove.
    async fn remove_markers(&self, bucket: &str, markers: Vec<DeleteMarker>) -> HashMap<String, S3Error> {
        let (client, _) = self.bucket_client(bucket).await;
        let mut failed = HashMap::new();
        for batch in markers.chunks(MAX_CHUNK_FILES) {
            let mut open = batch.to_vec();
            for attempt in 1.. {
                let failures = remove_markers(&client, bucket, &open).await;
                failed.extend(failures.refused);
                open = failures.transient.iter().map(|(marker, _)| marker.clone()).collect();
                if open.is_empty() {
                    break;
                }
                if attempt == MAX_DELETE_ATTEMPTS {
                    failed.extend(failures.transient.into_iter().map(|(marker, error)| (marker.key, error)));
                    break;
                }
                tokio::time::sleep(backoff_delay(attempt)).await;
            }
        }
        failed
    }
}

/// Splits files into chunks of about [`MAX_CHUNK_FILES`], in the order of their keys: neighbours in a listing share a
/// chunk. A package is never split, because an error keeps all of its files deleted.
fn split_chunks(files: &[StoredFile]) -> Vec<Vec<&StoredFile>> {
    let mut packages: HashMap<PackageId, Vec<&StoredFile>> = HashMap::new();
    for file in files {
        packages.entry(file.package).or_default().push(file);
    }
    let mut packages: Vec<Vec<&StoredFile>> = packages.into_values().collect();
    packages.sort_by(|a, b| first_key(a).cmp(&first_key(b)));

    let mut chunks: Vec<Vec<&StoredFile>> = Vec::new();
    for package in packages {
        match chunks.last_mut() {
            Some(chunk) if chunk.len() + package.len() <= MAX_CHUNK_FILES => chunk.extend(package),
            _ => chunks.push(package),
        }
    }
    chunks
}

fn first_key<'a>(files: &[&'a StoredFile]) -> Option<(&'a str, &'a str)> {
    files.iter().map(|file| (file.bucket.as_str(), file.key.as_str())).min()
}

fn group_by_bucket<'a>(files: impl Iterator<Item = &'a StoredFile>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut buckets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in files {
        buckets.entry(&file.bucket).or_default().insert(&file.key);
    }
    buckets
}

/// Whether a source file has no version left. A derived file can be generated again.
fn is_lost(file: &StoredFile, states: &BTreeMap<String, KeyState>) -> bool {
    file.is_source && matches!(states.get(&file.key), None | Some(KeyState::Missing))
}

/// The delete markers of packages without an error, by bucket. Two packages may share a key: its markers count once.
fn removable_markers<'a>(
    files: &[&'a StoredFile],
    states: &BucketStates<'_>,
    errors: &UndeleteErrors,
) -> BTreeMap<&'a str, Vec<DeleteMarker>> {
    let stays_deleted = |file: &StoredFile| errors.get(&file.package).is_some_and(|error| !error.is_derived);
    let mut buckets: BTreeMap<&str, Vec<DeleteMarker>> = BTreeMap::new();
    for (bucket, keys) in group_by_bucket(files.iter().copied().filter(|file| !stays_deleted(file))) {
        for key in keys {
            let state = states.get(bucket).and_then(|states| states.get(key));
            let Some(KeyState::Deleted(versions)) = state else { continue };
            let marker =
                |version_id: &String| DeleteMarker { key: key.to_owned(), version_id: version_id.clone() };
            buckets.entry(bucket).or_default().extend(versions.iter().map(marker));
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
        let chunks = split_chunks(&files);
        assert_eq!(chunks.iter().map(Vec::len).sum::<usize>(), files.len());
        assert!(chunks.len() <= 4 && chunks.iter().all(|chunk| chunk.len() <= MAX_CHUNK_FILES));
        let mut seen = BTreeSet::new();
        for chunk in &chunks {
            let packages: BTreeSet<PackageId> = chunk.iter().map(|file| file.package).collect();
            assert!(packages.iter().all(|package| seen.insert(*package)));
        }
    }

    #[test]
    fn a_package_with_more_files_than_a_chunk_is_one_chunk() {
        let files: Vec<StoredFile> = (0..1500).map(|n| file(1, &n.to_string())).collect();
        assert_eq!(split_chunks(&files).len(), 1);
    }

    #[test]
    fn only_packages_without_an_error_lose_their_markers() {
        let mut files = [file(1, "a"), file(1, "b"), file(2, "a"), file(3, "c"), file(4, "d")];
        files[4].is_source = false;
        let files: Vec<&StoredFile> = files.iter().collect();
        let deleted = |ids: &[&str]| KeyState::Deleted(ids.iter().map(|id| (*id).to_owned()).collect());
        let states = BTreeMap::from([
            ("a".to_owned(), deleted(&["a1", "a2"])),
            ("b".to_owned(), KeyState::Visible),
            ("c".to_owned(), deleted(&["c1"])),
            ("d".to_owned(), deleted(&["d1"])),
        ]);
        let mut errors = UndeleteErrors::new();
        add_error(&mut errors, files[3], &S3Error::Refused("denied".to_owned()));
        add_error(&mut errors, files[4], &S3Error::Unavailable("slow".to_owned()));
        let removable = removable_markers(&files, &HashMap::from([("b", states)]), &errors);
        let ids: Vec<&str> = removable["b"].iter().map(|marker| marker.version_id.as_str()).collect();
        assert_eq!(ids, ["a1", "a2", "d1"]);
    }

    #[test]
    fn the_most_severe_error_of_a_package_is_kept() {
        let source = file(1, "a");
        let derived = StoredFile { is_source: false, ..file(1, "b") };
        let (refused, slow) = (S3Error::Refused("no".to_owned()), S3Error::Unavailable("slow".to_owned()));
        let mut errors = UndeleteErrors::new();
        for (file, error, is_derived, is_transient) in [
            (&derived, &slow, true, true),
            (&derived, &refused, true, false),
            (&source, &slow, false, true),
            (&derived, &refused, false, true),
            (&source, &refused, false, false),
            (&source, &slow, false, false),
        ] {
            add_error(&mut errors, file, error);
            let kept = &errors[&PackageId(1)];
            assert_eq!((kept.is_derived, kept.is_transient), (is_derived, is_transient));
        }
    }

    #[test]
    fn only_source_files_can_be_lost() {
        let states = BTreeMap::from([
            ("missing".to_owned(), KeyState::Missing),
            ("visible".to_owned(), KeyState::Visible),
            ("deleted".to_owned(), KeyState::Deleted(vec!["m".to_owned()])),
        ]);
        for (key, expected) in
            [("missing", true), ("never seen", true), ("visible", false), ("deleted", false)]
        {
            assert_eq!(is_lost(&file(1, key), &states), expected, "{key}");
            assert!(!is_lost(&StoredFile { is_source: false, ..file(1, key) }, &states), "{key}");
        }
    }
}
