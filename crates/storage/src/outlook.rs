//! What S3 still has of deleted files, and until when.
//!
//! A file is asked for by its version listing, a bucket by its lifecycle, once each. Nothing here fails: what S3 does not
//! say, or not in time, is not known.

mod lifecycle;

use std::{
    collections::{BTreeSet, HashMap},
    pin::pin,
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    operation::list_object_versions::ListObjectVersionsOutput,
    types::{EncodingType, ObjectVersion},
};
use futures_util::{Stream, StreamExt, stream};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, info_span};

pub(super) use crate::outlook::lifecycle::noncurrent_days;
use crate::outlook::lifecycle::{Rule, find_rules};
use crate::{
    ObjectStore,
    versions::{Error, decoded, sdk_error},
};

/// Requests in flight at once.
const AT_ONCE: usize = 16;

/// Entries on one page of a listing. A key rarely has more versions.
const PAGE: i32 = 50;

/// Pages that are read of one key's versions.
const MAX_PAGES: usize = 4;

/// What is known of one deleted file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recoverability {
    /// Whether a version of the object is there; `None`: not known.
    pub is_there: Option<bool>,
    /// When a rule of the bucket's lifecycle removes the newest version, as far as one does.
    pub until: Option<OffsetDateTime>,
}

/// A key, and what its version listing says: the newest object version, and the first delete marker above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    size: i64,
    hidden_at: Option<OffsetDateTime>,
}

impl ObjectStore {
    /// What S3 still has of these files (bucket and key), by the end of `limit`.
    pub async fn outlook<'a>(
        &self,
        files: &BTreeSet<(&'a str, &'a str)>,
        limit: Duration,
    ) -> HashMap<(&'a str, &'a str), Recoverability> {
        let deadline = Instant::now() + limit;
        let buckets: BTreeSet<&'a str> = files.iter().map(|(bucket, _)| *bucket).collect();
        let (mut lifecycles, mut listings) = (Vec::new(), Vec::new());
        for bucket in buckets {
            lifecycles.push(rules_of(self.client(bucket), bucket));
        }
        for &(bucket, key) in files {
            listings.push(versions_of(self.client(bucket), bucket, key));
        }
        let lifecycles = stream::iter(lifecycles).buffer_unordered(AT_ONCE);
        let listings = stream::iter(listings).buffer_unordered(AT_ONCE);
        let (rules, found) = tokio::join!(until(deadline, lifecycles), until(deadline, listings));
        let rules: HashMap<&str, Vec<Rule>> = rules.into_iter().collect();
        let none = Vec::new();
        found
            .into_iter()
            .filter_map(|(file, found)| {
                let rules = rules.get(file.0).unwrap_or(&none);
                Some((file, outlook(found.ok()?, file.1, rules)))
            })
            .collect()
    }
}

/// What a stream gives until its end or the deadline.
async fn until<T>(deadline: Instant, stream: impl Stream<Item = T>) -> Vec<T> {
    let (mut stream, mut all) = (pin!(stream), Vec::new());
    while let Ok(Some(one)) = timeout_at(deadline, stream.next()).await {
        all.push(one);
    }
    all
}

fn outlook(found: Option<Found>, key: &str, rules: &[Rule]) -> Recoverability {
    let Some(found) = found else { return Recoverability { is_there: Some(false), until: None } };
    let days = rules.iter().filter(|rule| rule.matches(key, found.size)).map(|rule| rule.days).min();
    let until = found.hidden_at.zip(days).and_then(|(at, days)| at.checked_add(time::Duration::days(days)));
    Recoverability { is_there: Some(true), until }
}

/// A bucket's rules; none where they cannot be read.
async fn rules_of(client: Client, bucket: &str) -> (&str, Vec<Rule>) {
    let rules = find_rules(&client, bucket).await.unwrap_or_else(|error| {
        tracing::warn!(bucket, error = error.reason(), "a bucket's lifecycle could not be read");
        Vec::new()
    });
    (bucket, rules)
}

type File<'a> = (&'a str, &'a str);

async fn versions_of<'a>(
    client: Client,
    bucket: &'a str,
    key: &'a str,
) -> (File<'a>, Result<Option<Found>, Error>) {
    let found = find_version(&client, bucket, key).await;
    if let Err(error) = &found {
        tracing::debug!(bucket, error = error.reason(), "the versions of a deleted file could not be listed");
    }
    ((bucket, key), found)
}

/// The newest object version of a key; `None` if it has none.
async fn find_version(client: &Client, bucket: &str, key: &str) -> Result<Option<Found>, Error> {
    let (mut markers, mut marker) = (Vec::new(), (None, None));
    for _ in 0..MAX_PAGES {
        let page = next_page(client, bucket, key, marker).await?;
        markers.extend(
            page.delete_markers()
                .iter()
                .filter(|one| is_of(one.key(), key))
                .filter_map(|one| date(one.last_modified()?)),
        );
        let newest =
            page.versions().iter().filter(|one| is_of(one.key(), key)).max_by_key(|one| modified(one));
        if let Some(newest) = newest {
            let above = markers.into_iter().filter(|at| Some(*at) >= modified(newest)).min();
            let hidden_at = above.filter(|_| newest.is_latest() != Some(true));
            return Ok(Some(Found { size: newest.size().unwrap_or(0), hidden_at }));
        }
        if page.is_truncated() != Some(true) || page.next_key_marker().is_none_or(|next| decoded(next) != key)
        {
            return Ok(None);
        }
        marker = (page.next_key_marker().map(decoded), page.next_version_id_marker().map(str::to_owned));
    }
    Err(Error::Refused("a key has more delete markers than are looked through".to_owned()))
}

/// A page of the entries whose key begins with `key`; those of the key itself come first, the newest of them first.
async fn next_page(
    client: &Client,
    bucket: &str,
    key: &str,
    (after, version): (Option<String>, Option<String>),
) -> Result<ListObjectVersionsOutput, Error> {
    let page = client
        .list_object_versions()
        .bucket(bucket)
        .prefix(key)
        // A key may hold characters that XML cannot.
        .encoding_type(EncodingType::Url)
        .set_key_marker(after)
        .set_version_id_marker(version)
        .max_keys(PAGE)
        .send();
    let span = info_span!(target: "trace", "s3", operation = "ListObjectVersions");
    page.instrument(span).await.map_err(|error| sdk_error("listing its versions", &error))
}

fn is_of(found: Option<&str>, key: &str) -> bool {
    found.is_some_and(|found| decoded(found) == key)
}

fn modified(version: &ObjectVersion) -> Option<OffsetDateTime> {
    version.last_modified().and_then(date)
}

fn date(at: &aws_sdk_s3::primitives::DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(at.as_nanos()).ok()
}
