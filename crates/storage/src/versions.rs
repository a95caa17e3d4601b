//! A bucket's version listing: the state of each key.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::{
    Client,
    operation::list_object_versions::ListObjectVersionsOutput,
    types::{DeleteMarkerEntry, EncodingType, ObjectVersion},
};
use futures_util::{StreamExt, stream};
use tracing::{Instrument, info_span};

use crate::s3_error::{S3Error, from_sdk_error};

/// Entries on a page of a listing: S3's maximum.
const PAGE_ENTRIES: i32 = 1000;

/// Entries on a page of a single key's listing. A key rarely has more versions.
pub(super) const KEY_PAGE_ENTRIES: i32 = 50;

/// If a page has fewer of our keys than this, the remaining keys are listed one by one.
const MIN_KEYS_PER_PAGE: usize = 16;

/// Keys that are listed one by one at once.
const MAX_CONCURRENT_KEYS: usize = 16;

/// The state of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyState {
    /// The newest version is an object.
    Visible,
    /// These delete markers hide an object.
    Deleted(Vec<String>),
    /// There is no object version.
    Missing,
}

/// The states of keys, and the keys whose listing failed.
#[derive(Default)]
pub(super) struct KeyStates<'a> {
    pub(super) states: BTreeMap<String, KeyState>,
    pub(super) failed: BTreeMap<&'a str, S3Error>,
}

/// Finds the state of each key. A key that never had a version is in neither map.
///
/// Keys that are close together are read page by page, with jumps over what lies between them. If a page has too few of
/// them, the remaining keys are listed one by one.
pub(super) async fn load_key_states<'a>(
    client: &Client,
    bucket: &str,
    keys: &BTreeSet<&'a str>,
) -> KeyStates<'a> {
    let mut walk = ListingWalk::new(keys.clone());
    while let Some(first) = walk.open.first().copied() {
        if keys.len() > 1 && !walk.is_dense {
            let KeyStates { states, failed } = list_each_key(client, bucket, &walk.open).await;
            walk.states.extend(states);
            return KeyStates { states: walk.states, failed };
        }
        let page = walk.load_page(client, bucket, first).await;
        if let Err(error) = page.and_then(|page| walk.read_page(page)) {
            let failed = walk.open.iter().map(|key| (*key, error.clone())).collect();
            return KeyStates { states: walk.states, failed };
        }
    }
    KeyStates { states: walk.states, failed: BTreeMap::new() }
}

async fn list_each_key<'a>(client: &Client, bucket: &str, keys: &BTreeSet<&'a str>) -> KeyStates<'a> {
    // The calls are collected, not mapped: the compiler cannot prove that such a closure's future is `Send`.
    let mut calls = Vec::new();
    for key in keys {
        calls.push(list_key(client, bucket, key));
    }
    let mut all = KeyStates::default();
    let mut results = stream::iter(calls).buffer_unordered(MAX_CONCURRENT_KEYS);
    while let Some((key, result)) = results.next().await {
        match result {
            Ok(states) => all.states.extend(states),
            Err(error) => drop(all.failed.insert(key, error)),
        }
    }
    all
}

async fn list_key<'a>(
    client: &Client,
    bucket: &str,
    key: &'a str,
) -> (&'a str, Result<BTreeMap<String, KeyState>, S3Error>) {
    let mut walk = ListingWalk::new(BTreeSet::from([key]));
    while !walk.open.is_empty() {
        let page = walk.load_page(client, bucket, key).await;
        if let Err(error) = page.and_then(|page| walk.read_page(page)) {
            return (key, Err(error));
        }
    }
    (key, Ok(walk.states))
}

/// A walk through a listing, in the order of keys.
struct ListingWalk<'a> {
    prefix: String,
    /// The keys whose state is not known yet.
    open: BTreeSet<&'a str>,
    /// The versions of open keys that pages had so far: a key's versions may span two pages.
    partial: BTreeMap<String, Vec<VersionEntry>>,
    states: BTreeMap<String, KeyState>,
    marker: Option<PageMarker>,
    /// Whether the last page had enough of the open keys.
    is_dense: bool,
}

/// Where the next page of a listing begins.
pub(super) struct PageMarker {
    pub(super) key: String,
    pub(super) version_id: Option<String>,
}

struct VersionEntry {
    version_id: String,
    is_delete_marker: bool,
    is_latest: bool,
    /// In nanoseconds since the Unix epoch.
    modified_at: i128,
}

impl<'a> ListingWalk<'a> {
    fn new(open: BTreeSet<&'a str>) -> Self {
        let prefix = common_prefix(open.first().unwrap_or(&""), open.last().unwrap_or(&"")).to_owned();
        let (partial, states) = (BTreeMap::new(), BTreeMap::new());
        Self { prefix, open, partial, states, marker: None, is_dense: true }
    }

    /// Loads the next page with `first`, the smallest open key.
    async fn load_page(
        &self,
        client: &Client,
        bucket: &str,
        first: &str,
    ) -> Result<ListObjectVersionsOutput, S3Error> {
        // A listing begins after its key marker, so the jump goes to a text that sorts before the key.
        let jump = marker_before(first);
        let (key, version_id) = match &self.marker {
            Some(marker) if marker.key.as_str() >= jump => {
                (marker.key.as_str(), marker.version_id.as_deref())
            }
            _ => (jump, None),
        };
        let is_start = key.len() <= self.prefix.len() && version_id.is_none();
        let page = client
            .list_object_versions()
            .bucket(bucket)
            .prefix(&self.prefix)
            // A key may have characters that XML cannot express.
            .encoding_type(EncodingType::Url)
            .set_key_marker((!is_start).then(|| key.to_owned()))
            .set_version_id_marker(version_id.map(str::to_owned))
            .max_keys(if self.open.len() == 1 { KEY_PAGE_ENTRIES } else { PAGE_ENTRIES })
            .send();
        let span = info_span!(target: "trace", "s3", operation = "ListObjectVersions");
        page.instrument(span).await.map_err(|error| from_sdk_error("listing its versions", &error))
    }

    fn read_page(&mut self, page: ListObjectVersionsOutput) -> Result<(), S3Error> {
        let next =
            page.next_key_marker.filter(|_| page.is_truncated == Some(true)).map(|key| decode_key(&key));
        if page.is_truncated == Some(true) && next.is_none() {
            let error = "S3 truncated a version listing without a marker";
            return Err(S3Error::Unavailable(error.to_owned()));
        }
        self.collect_entries(page.delete_markers.unwrap_or_default(), page.versions.unwrap_or_default());
        // The marker's own key may have more versions on the next page.
        let is_done = |key: &str| next.as_deref().is_none_or(|next| key < next);
        let open_before = self.open.len();
        self.open.retain(|key| !is_done(key));
        self.is_dense = next.is_none() || open_before - self.open.len() >= MIN_KEYS_PER_PAGE;
        let (done, partial): (BTreeMap<_, _>, _) =
            std::mem::take(&mut self.partial).into_iter().partition(|(key, _)| is_done(key));
        self.partial = partial;
        self.states.extend(done.into_iter().map(|(key, entries)| (key, key_state(&entries))));
        self.marker = next.map(|key| PageMarker { key, version_id: page.next_version_id_marker });
        Ok(())
    }

    /// Collects the entries of open keys.
    fn collect_entries(&mut self, markers: Vec<DeleteMarkerEntry>, objects: Vec<ObjectVersion>) {
        let markers = markers.into_iter().map(|m| (m.key, m.version_id, true, m.is_latest, m.last_modified));
        let objects = objects.into_iter().map(|v| (v.key, v.version_id, false, v.is_latest, v.last_modified));
        for (key, version_id, is_delete_marker, is_latest, modified) in markers.chain(objects) {
            let (Some(key), Some(version_id)) = (key.map(|key| decode_key(&key)), version_id) else {
                continue;
            };
            if self.open.contains(key.as_str()) {
                let modified_at = modified.map_or(0, |at| at.as_nanos());
                let is_latest = is_latest == Some(true);
                let entry = VersionEntry { version_id, is_delete_marker, is_latest, modified_at };
                self.partial.entry(key).or_default().push(entry);
            }
        }
    }
}

/// Decodes a key of a listing with `encoding-type=url`. S3 encodes it as in a form: `+` is a space. A key that is not
/// encoded is returned unchanged.
pub(super) fn decode_key(key: &str) -> String {
    let bytes = signing::percent::decode(&key.replace('+', " "));
    bytes.map_or_else(|| key.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The state of a key from its versions. A listing has markers and objects in two lists, so only their times tell their
/// order. A marker as old as the newest object, at the listing's precision, may be below it: removing it does no harm.
fn key_state(entries: &[VersionEntry]) -> KeyState {
    let objects = entries.iter().filter(|entry| !entry.is_delete_marker);
    let Some(newest) = objects.map(|entry| entry.modified_at).max() else { return KeyState::Missing };
    let markers: Vec<_> = entries.iter().filter(|entry| entry.is_delete_marker).collect();
    if !markers.iter().any(|marker| marker.is_latest) {
        return KeyState::Visible;
    }
    let above = markers.iter().filter(|marker| marker.is_latest || marker.modified_at >= newest);
    KeyState::Deleted(above.map(|marker| marker.version_id.clone()).collect())
}

/// A text that sorts before `key`, with few keys between the two.
fn marker_before(key: &str) -> &str {
    key.char_indices().next_back().map_or("", |(last, _)| &key[..last])
}

fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let end = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    &a[..end.unwrap_or_else(|| a.len().min(b.len()))]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(version_id: &str, is_delete_marker: bool, is_latest: bool, modified_at: i128) -> VersionEntry {
        VersionEntry { version_id: version_id.into(), is_delete_marker, is_latest, modified_at }
    }

    #[test]
    fn only_markers_above_the_newest_object_hide_it() {
        assert_eq!(key_state(&[entry("v1", false, true, 1)]), KeyState::Visible);
        assert_eq!(
            key_state(&[entry("m", true, true, 2), entry("v1", false, false, 1)]),
            KeyState::Deleted(vec!["m".into()])
        );
        assert_eq!(key_state(&[entry("m", true, true, 2)]), KeyState::Missing);
        assert_eq!(key_state(&[]), KeyState::Missing);
        let reuploaded =
            [entry("old", true, false, 2), entry("v2", false, true, 3), entry("v1", false, false, 1)];
        assert_eq!(key_state(&reuploaded), KeyState::Visible);
        let twice = [
            entry("m2", true, true, 4),
            entry("m1", true, false, 3),
            entry("v", false, false, 2),
            entry("m0", true, false, 1),
        ];
        assert_eq!(key_state(&twice), KeyState::Deleted(vec!["m2".into(), "m1".into()]));
    }

    #[test]
    fn keys_of_listings_are_decoded_as_forms() {
        assert_eq!(decode_key("a%2Fb+c%2B%01%E6%9D%B1"), "a/b c+\u{1}東");
    }

    proptest! {
        #[test]
        fn the_marker_sorts_before_the_key(key in "\\PC{1,20}") {
            prop_assert!(marker_before(&key) < key.as_str());
        }

        #[test]
        fn a_common_prefix_is_a_prefix_of_both(a in "[ab東/]{0,8}", b in "[ab東/]{0,8}") {
            let prefix = common_prefix(&a, &b);
            prop_assert!(a.starts_with(prefix) && b.starts_with(prefix));
        }
    }
}
