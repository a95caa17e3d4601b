//! A bucket's version listing: what lies on top of each key.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::list_object_versions::ListObjectVersionsOutput,
    types::{DeleteMarkerEntry, EncodingType, ObjectVersion},
};
use futures_util::{StreamExt, stream};
use tracing::{Instrument, info_span};

use aws::error_chain;

/// Where a page of a thousand entries has fewer of our keys than this, each key is asked for by itself.
const DENSE: usize = 16;

/// Keys asked for by themselves at once.
const KEYS_AT_ONCE: usize = 16;

/// What lies on top of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Top {
    /// An object: the key is visible.
    Object,
    /// These delete markers, and an object below them.
    Deleted(Vec<String>),
    /// No object at all.
    Gone,
}

/// Why S3 did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Error {
    /// It will not: the reason, in words for the packages' owner.
    Refused(String),
    /// Not now: another attempt may help.
    Unavailable(String),
}

impl Error {
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Refused(reason) | Self::Unavailable(reason) => reason,
        }
    }

    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// What S3's own code means (Amazon S3 API Reference, "Error responses"). A code that is not known here is taken for a
    /// refusal: those that pass are few.
    pub(super) fn from_code(doing: &str, code: Option<&str>) -> Self {
        let Some(code) = code else { return Self::Unavailable(format!("S3 did not answer, {doing}")) };
        match code {
            "InternalError"
            | "SlowDown"
            | "ServiceUnavailable"
            | "RequestTimeout"
            | "OperationAborted"
            | "RequestTimeTooSkewed"
            | "ExpiredToken"
            | "Throttling"
            | "ThrottlingException"
            | "RequestThrottled"
            | "BandwidthLimitExceeded" => Self::Unavailable(format!("S3 did not answer ({code}), {doing}")),
            "NoSuchBucket" => Self::Refused("the bucket of its stored file no longer exists".to_owned()),
            "InvalidBucketName" => {
                Self::Refused("the bucket of its stored file has no valid name".to_owned())
            }
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => {
                Self::Refused(format!("S3 denies access to its stored file ({code}), {doing}"))
            }
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                Self::Refused(format!("the bucket of its stored file is in another region ({code})"))
            }
            code => Self::Refused(format!("S3 refuses its stored file ({code}), {doing}")),
        }
    }
}

/// What an error of the SDK means: S3's own code where it gave one; else what could not even be asked for is refused, and
/// what got no answer may pass.
pub(super) fn sdk_error<E>(doing: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    // Not the request, which holds what must not be logged.
    tracing::warn!(doing, code = error.code(), error = error_chain(error), "S3 did not do what it was asked");
    if error.code().is_some() {
        return Error::from_code(doing, error.code());
    }
    match error {
        SdkError::ConstructionFailure(_) => {
            Error::Refused("its stored file has no valid place: bucket or key cannot be asked for".to_owned())
        }
        _ => match error.raw_response().map(|response| response.status().as_u16()) {
            // An answer to HEAD, or of something before S3, has no code.
            Some(301 | 307) => Error::from_code(doing, Some("PermanentRedirect")),
            Some(403) => Error::from_code(doing, Some("AccessDenied")),
            Some(404) => Error::from_code(doing, Some("NoSuchBucket")),
            Some(status @ 400..500) if status != 408 && status != 429 => {
                Error::Refused(format!("S3 refuses its stored file (status {status}), {doing}"))
            }
            _ => Error::Unavailable(format!("S3 did not answer, {doing}")),
        },
    }
}

/// What was found on top of keys, and the keys that S3 said nothing about.
pub(super) type Found<'a> = (BTreeMap<String, Top>, BTreeMap<&'a str, Error>);

/// Finds what lies on top of each key; one that the bucket has never seen is in neither answer.
///
/// Keys that lie close together are read page by page, jumping over what lies between them; where that does not pay,
/// each key is asked for by itself.
pub(super) async fn find_tops<'a>(client: &Client, bucket: &str, keys: &BTreeSet<&'a str>) -> Found<'a> {
    let mut walk = Walk::new(keys.clone());
    while let Some(first) = walk.open.first().copied() {
        if keys.len() > 1 && !walk.pays {
            let (found, failed) = find_each(client, bucket, &walk.open).await;
            walk.tops.extend(found);
            return (walk.tops, failed);
        }
        let page = walk.next_page(client, bucket, first).await;
        if let Err(error) = page.and_then(|page| walk.read(page)) {
            let failed = walk.open.iter().map(|key| (*key, error.clone())).collect();
            return (walk.tops, failed);
        }
    }
    (walk.tops, BTreeMap::new())
}

async fn find_each<'a>(client: &Client, bucket: &str, keys: &BTreeSet<&'a str>) -> Found<'a> {
    // A list and not a closure over the keys: see `undelete`.
    let mut work = Vec::new();
    for key in keys {
        work.push(find_one(client, bucket, key));
    }
    let (mut tops, mut failed) = Found::default();
    let mut found = stream::iter(work).buffer_unordered(KEYS_AT_ONCE);
    while let Some((key, found)) = found.next().await {
        match found {
            Ok(found) => tops.extend(found),
            Err(error) => drop(failed.insert(key, error)),
        }
    }
    (tops, failed)
}

async fn find_one<'a>(
    client: &Client,
    bucket: &str,
    key: &'a str,
) -> (&'a str, Result<BTreeMap<String, Top>, Error>) {
    let mut walk = Walk::new(BTreeSet::from([key]));
    while !walk.open.is_empty() {
        let page = walk.next_page(client, bucket, key).await;
        if let Err(error) = page.and_then(|page| walk.read(page)) {
            return (key, Err(error));
        }
    }
    (key, Ok(walk.tops))
}

/// A walk through a listing.
struct Walk<'a> {
    prefix: String,
    open: BTreeSet<&'a str>,
    /// The versions of keys that are not fully read yet.
    partial: BTreeMap<String, Vec<Entry>>,
    tops: BTreeMap<String, Top>,
    marker: Option<(String, Option<String>)>,
    pays: bool,
}

struct Entry {
    version: String,
    is_marker: bool,
    is_latest: bool,
    modified: i128,
}

impl<'a> Walk<'a> {
    fn new(open: BTreeSet<&'a str>) -> Self {
        let prefix = common_prefix(open.first().unwrap_or(&""), open.last().unwrap_or(&"")).to_owned();
        Self { prefix, open, partial: BTreeMap::new(), tops: BTreeMap::new(), marker: None, pays: true }
    }

    /// The next page that has anything to say about `first`, the smallest open key.
    async fn next_page(
        &self,
        client: &Client,
        bucket: &str,
        first: &str,
    ) -> Result<ListObjectVersionsOutput, Error> {
        let jump = before(first);
        let (key, version) = match &self.marker {
            Some((key, version)) if key.as_str() >= jump => (key.as_str(), version.as_deref()),
            _ => (jump, None),
        };
        let from_start = key.len() <= self.prefix.len() && version.is_none();
        let page = client
            .list_object_versions()
            .bucket(bucket)
            .prefix(&self.prefix)
            // A key may hold characters that XML cannot.
            .encoding_type(EncodingType::Url)
            .set_key_marker((!from_start).then(|| key.to_owned()))
            .set_version_id_marker(version.map(str::to_owned))
            .max_keys(if self.open.len() == 1 { 50 } else { 1000 })
            .send();
        let span = info_span!(target: "trace", "s3", operation = "ListObjectVersions");
        page.instrument(span).await.map_err(|error| sdk_error("listing its versions", &error))
    }

    fn read(&mut self, page: ListObjectVersionsOutput) -> Result<(), Error> {
        let next = page.next_key_marker.filter(|_| page.is_truncated == Some(true)).map(|key| decoded(&key));
        if page.is_truncated == Some(true) && next.is_none() {
            let error = "S3 cut a version listing short without saying where";
            return Err(Error::Unavailable(error.to_owned()));
        }
        self.keep(page.delete_markers.unwrap_or_default(), page.versions.unwrap_or_default());
        let done = |key: &str| next.as_deref().is_none_or(|next| key < next);
        let before = self.open.len();
        self.open.retain(|key| !done(key));
        self.pays = next.is_none() || before - self.open.len() >= DENSE;
        let (finished, partial) =
            std::mem::take(&mut self.partial).into_iter().partition(|(key, _)| done(key));
        self.partial = partial;
        let finished: BTreeMap<String, Vec<Entry>> = finished;
        self.tops.extend(finished.into_iter().map(|(key, entries)| (key, top(&entries))));
        self.marker = next.map(|key| (key, page.next_version_id_marker));
        Ok(())
    }

    /// Keeps what a page says of open keys.
    fn keep(&mut self, markers: Vec<DeleteMarkerEntry>, objects: Vec<ObjectVersion>) {
        let markers = markers.into_iter().map(|m| (m.key, m.version_id, true, m.is_latest, m.last_modified));
        let objects = objects.into_iter().map(|v| (v.key, v.version_id, false, v.is_latest, v.last_modified));
        for (key, version, is_marker, is_latest, modified) in markers.chain(objects) {
            let (Some(key), Some(version)) = (key.map(|key| decoded(&key)), version) else { continue };
            if self.open.contains(key.as_str()) {
                let modified = modified.map_or(0, |at| at.as_nanos());
                let entry = Entry { version, is_marker, is_latest: is_latest == Some(true), modified };
                self.partial.entry(key).or_default().push(entry);
            }
        }
    }
}

/// A key as a listing spells it, percent-encoded as in a form: `+` is a blank. One that is not so is left as it is.
pub(super) fn decoded(key: &str) -> String {
    let bytes = signing::percent::decode(&key.replace('+', " "));
    bytes.map_or_else(|| key.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// What a key's versions amount to. The listing tells markers and objects apart, but not their order; their times do.
/// A marker as old as the newest object, to the listing's precision, may lie beneath it: removing it hides nothing.
fn top(entries: &[Entry]) -> Top {
    let Some(newest) = entries.iter().filter(|entry| !entry.is_marker).map(|entry| entry.modified).max()
    else {
        return Top::Gone;
    };
    if !entries.iter().any(|entry| entry.is_marker && entry.is_latest) {
        return Top::Object;
    }
    let above =
        entries.iter().filter(|entry| entry.is_marker && (entry.is_latest || entry.modified >= newest));
    Top::Deleted(above.map(|entry| entry.version.clone()).collect())
}

/// A text that sorts before `key`, with few keys between the two.
fn before(key: &str) -> &str {
    key.char_indices().next_back().map_or("", |(last, _)| &key[..last])
}

fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let end = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    &a[..end.unwrap_or_else(|| a.len().min(b.len()))]
}

/// Bounds on one attempt of one call.
pub(super) const ATTEMPT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(version: &str, is_marker: bool, is_latest: bool, modified: i128) -> Entry {
        Entry { version: version.into(), is_marker, is_latest, modified }
    }

    #[test]
    fn only_markers_on_top_of_an_object_are_to_be_removed() {
        assert_eq!(top(&[entry("v1", false, true, 1)]), Top::Object);
        assert_eq!(
            top(&[entry("m", true, true, 2), entry("v1", false, false, 1)]),
            Top::Deleted(vec!["m".into()])
        );
        assert_eq!(top(&[entry("m", true, true, 2)]), Top::Gone);
        assert_eq!(top(&[]), Top::Gone);
        let reuploaded =
            [entry("old", true, false, 2), entry("v2", false, true, 3), entry("v1", false, false, 1)];
        assert_eq!(top(&reuploaded), Top::Object);
        let twice = [
            entry("m2", true, true, 4),
            entry("m1", true, false, 3),
            entry("v", false, false, 2),
            entry("m0", true, false, 1),
        ];
        assert_eq!(top(&twice), Top::Deleted(vec!["m2".into(), "m1".into()]));
    }

    #[test]
    fn keys_are_read_as_listings_spell_them() {
        assert_eq!(decoded("a%2Fb+c%2B%01%E6%9D%B1"), "a/b c+\u{1}東");
    }

    proptest! {
        #[test]
        fn the_jump_lands_before_the_key(key in "\\PC{1,20}") {
            prop_assert!(before(&key) < key.as_str());
        }

        #[test]
        fn a_common_prefix_is_a_prefix_of_both(a in "[ab東/]{0,8}", b in "[ab東/]{0,8}") {
            let prefix = common_prefix(&a, &b);
            prop_assert!(a.starts_with(prefix) && b.starts_with(prefix));
        }
    }
}
