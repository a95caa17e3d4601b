//! Taking deleted files out of S3's trash: finding the delete markers on top of their keys, and removing those.
//!
//! A bucket's version listing is the truth: it says of every entry whether it *is* a delete marker, so nothing else can
//! be removed, and a key whose marker is gone already needs nothing. Work goes in chunks of a thousand files, several at
//! a time; a dense folder costs one listing and one deletion a chunk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Interrupted, Objects, markers,
    versions::{self, Top},
};
use crate::{aws::backoff, db::files::StoredFile, id::PackageId, restore::Reasons};

/// Files in one chunk: as many keys as one `DeleteObjects` takes (Amazon S3 API Reference, "DeleteObjects").
const CHUNK: usize = 1000;

/// Chunks in flight at once.
const CHUNKS_AT_ONCE: usize = 4;

/// How often a deletion that S3 put off is asked for again before the whole run stops.
const DELETE_ATTEMPTS: u32 = 4;

/// A bucket's keys, each with the delete markers to remove from it.
type Markers = BTreeMap<String, Vec<String>>;

impl Objects {
    /// Makes the files visible again that a delete marker hides. Answers the packages whose bytes are lost, of which
    /// nothing is undeleted, and those of which S3 refuses a file for good, each with the reason. Safe to repeat.
    pub async fn undelete(&self, files: &[StoredFile]) -> Result<Reasons, Interrupted> {
        // A list and not a closure over the chunks: the compiler cannot tell that such a closure may change threads.
        let mut work = Vec::new();
        for chunk in chunks(files) {
            work.push(self.undelete_chunk(chunk));
        }
        let reasons: Vec<Reasons> = stream::iter(work).buffer_unordered(CHUNKS_AT_ONCE).try_collect().await?;
        Ok(reasons.into_iter().flatten().collect())
    }

    async fn undelete_chunk(&self, files: Vec<&StoredFile>) -> Result<Reasons, Interrupted> {
        let mut reasons = Reasons::new();
        let mut tops: HashMap<&str, BTreeMap<String, Top>> = HashMap::new();
        for (bucket, keys) in by_bucket(&files) {
            match versions::find_tops(&self.client(bucket), bucket, &keys).await {
                Ok(found) => drop(tops.insert(bucket, found)),
                Err(versions::Error::Refused(reason)) => {
                    let lost = files.iter().filter(|file| file.bucket == bucket);
                    reasons.extend(lost.map(|file| (file.package, reason.clone())));
                }
                Err(versions::Error::Interrupted(error)) => return Err(error),
            }
        }
        reasons.extend(files.iter().filter_map(|file| lost(file, &tops)));
        for (bucket, markers) in removable(&files, &tops, &reasons) {
            let refused = self.remove(bucket, markers).await?;
            let hit = files.iter().filter(|file| file.bucket == bucket);
            reasons.extend(hit.filter_map(|file| Some((file.package, refused.get(&file.key)?.clone()))));
        }
        Ok(reasons)
    }

    /// Removes markers, at most a thousand at a call. Answers the keys that S3 refuses for good.
    async fn remove(&self, bucket: &str, markers: Markers) -> Result<HashMap<String, String>, Interrupted> {
        let mut refused = HashMap::new();
        let pairs: Vec<(String, String)> = markers
            .into_iter()
            .flat_map(|(key, versions)| versions.into_iter().map(move |version| (key.clone(), version)))
            .collect();
        for batch in pairs.chunks(CHUNK) {
            let mut open = batch.to_vec();
            for tried in 1.. {
                let errors = markers::delete(&self.client(bucket), bucket, &open).await?;
                refused.extend(errors.refused);
                open = errors.put_off;
                if open.is_empty() {
                    break;
                }
                if tried == DELETE_ATTEMPTS {
                    return Err(Interrupted::new("S3 kept putting off the removal of delete markers"));
                }
                tokio::time::sleep(backoff(tried)).await;
            }
        }
        Ok(refused)
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
fn lost(file: &StoredFile, tops: &HashMap<&str, BTreeMap<String, Top>>) -> Option<(PackageId, String)> {
    let top = tops.get(file.bucket.as_str())?.get(&file.key);
    let gone = matches!(top, None | Some(Top::Gone));
    (gone && file.is_source).then(|| (file.package, "its stored file no longer exists".to_owned()))
}

/// The markers on the files of packages that have no reason against them.
fn removable<'a>(
    files: &[&'a StoredFile],
    tops: &HashMap<&str, BTreeMap<String, Top>>,
    reasons: &Reasons,
) -> BTreeMap<&'a str, Markers> {
    let mut buckets: BTreeMap<&str, Markers> = BTreeMap::new();
    for file in files.iter().filter(|file| !reasons.contains_key(&file.package)) {
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
