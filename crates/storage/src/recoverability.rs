//! Whether deleted files can still be recovered, and until when.
//!
//! One request for each file's versions, one for each bucket's lifecycle. Nothing here fails: what S3 does not tell in
//! time is unknown.

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

pub(super) use crate::recoverability::lifecycle::min_noncurrent_days;
use crate::recoverability::lifecycle::{ExpirationRule, load_rules};
use crate::{
    ObjectStore, Region,
    s3_error::{S3Error, from_sdk_error},
    versions::{KEY_PAGE_ENTRIES, PageMarker, decode_key},
};

/// Requests in flight at once.
const MAX_CONCURRENT_REQUESTS: usize = 16;

/// Pages of one key's versions that are read.
const MAX_PAGES: usize = 4;

/// Whether a deleted file can be recovered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recoverability {
    /// Whether S3 has a version of the object; `None` if that is unknown.
    pub has_version: Option<bool>,
    /// When a lifecycle rule of the bucket removes the newest version; `None` if no rule does.
    pub expires_at: Option<OffsetDateTime>,
}

/// A bucket and a key in it.
type BucketKey<'a> = (&'a str, &'a str);

/// The newest object version of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NewestVersion {
    size: i64,
    /// When the first delete marker above it was created.
    hidden_at: Option<OffsetDateTime>,
}

impl ObjectStore {
    /// Finds the recoverability of files (bucket and key). A file that is not answered within `limit` is not in the map.
    pub async fn load_recoverability<'a>(
        &self,
        files: &BTreeSet<BucketKey<'a>>,
        limit: Duration,
    ) -> HashMap<BucketKey<'a>, Recoverability> {
        let deadline = Instant::now() + limit;
        let first = self.load_newest_versions(files, deadline).await;
        if !self.learn_regions(&first.versions, &first.asked) {
            return first.assess();
        }
        self.load_newest_versions(files, deadline).await.assess()
    }

    async fn load_newest_versions<'a>(
        &self,
        files: &BTreeSet<BucketKey<'a>>,
        deadline: Instant,
    ) -> LoadedVersions<'a> {
        let buckets: BTreeSet<&'a str> = files.iter().map(|(bucket, _)| *bucket).collect();
        let (mut clients, mut lifecycles, mut listings) = (HashMap::new(), Vec::new(), Vec::new());
        for bucket in buckets {
            let Ok((client, region)) = timeout_at(deadline, self.bucket_client(bucket)).await else { break };
            lifecycles.push(load_rules_or_none(client.clone(), bucket));
            clients.insert(bucket, (client, region));
        }
        for &(bucket, key) in files {
            let Some((client, _)) = clients.get(bucket) else { continue };
            listings.push(load_newest_version(client.clone(), bucket, key));
        }
        let lifecycles = stream::iter(lifecycles).buffer_unordered(MAX_CONCURRENT_REQUESTS);
        let listings = stream::iter(listings).buffer_unordered(MAX_CONCURRENT_REQUESTS);
        let (rules, versions) =
            tokio::join!(collect_until(deadline, lifecycles), collect_until(deadline, listings));
        let asked = clients.into_iter().map(|(bucket, (_, region))| (bucket, region)).collect();
        LoadedVersions { rules: rules.into_iter().collect(), versions, asked }
    }

    /// Whether S3 said that a bucket is in another region than the one that was asked.
    fn learn_regions(&self, versions: &[FileVersion<'_>], asked: &HashMap<&str, Region>) -> bool {
        let is_elsewhere = |((bucket, _), newest): &FileVersion<'_>| {
            let said = newest.as_ref().err().and_then(S3Error::said_region);
            asked.get(bucket).is_some_and(|asked| self.learn_region(bucket, asked, said))
        };
        // All are read: several buckets may be elsewhere.
        versions.iter().filter(|version| is_elsewhere(version)).count() > 0
    }
}

/// The newest version of a file, or why it is not known.
type FileVersion<'a> = (BucketKey<'a>, Result<Option<NewestVersion>, S3Error>);

/// What S3 answered in time.
struct LoadedVersions<'a> {
    rules: HashMap<&'a str, Vec<ExpirationRule>>,
    versions: Vec<FileVersion<'a>>,
    /// The regions that were asked.
    asked: HashMap<&'a str, Region>,
}

impl<'a> LoadedVersions<'a> {
    fn assess(self) -> HashMap<BucketKey<'a>, Recoverability> {
        let Self { rules, versions, .. } = self;
        let assess = |(file, newest): FileVersion<'a>| {
            let rules = rules.get(file.0).map_or(&[][..], Vec::as_slice);
            Some((file, recoverability(newest.ok()?, file.1, rules)))
        };
        versions.into_iter().filter_map(assess).collect()
    }
}

/// Collects a stream until its end or the deadline.
async fn collect_until<T>(deadline: Instant, stream: impl Stream<Item = T>) -> Vec<T> {
    let (mut stream, mut all) = (pin!(stream), Vec::new());
    while let Ok(Some(item)) = timeout_at(deadline, stream.next()).await {
        all.push(item);
    }
    all
}

fn recoverability(newest: Option<NewestVersion>, key: &str, rules: &[ExpirationRule]) -> Recoverability {
    let Some(newest) = newest else { return Recoverability { has_version: Some(false), expires_at: None } };
    let days = rules.iter().filter(|rule| rule.matches(key, newest.size)).map(|rule| rule.days).min();
    let expiry = newest.hidden_at.zip(days);
    let expires_at = expiry.and_then(|(hidden_at, days)| hidden_at.checked_add(time::Duration::days(days)));
    Recoverability { has_version: Some(true), expires_at }
}

/// The rules of a bucket; none if its lifecycle cannot be read.
async fn load_rules_or_none(client: Client, bucket: &str) -> (&str, Vec<ExpirationRule>) {
    let rules = load_rules(&client, bucket).await.unwrap_or_else(|error| {
        tracing::warn!(bucket, %error, "a bucket's lifecycle could not be read");
        Vec::new()
    });
    (bucket, rules)
}

async fn load_newest_version<'a>(client: Client, bucket: &'a str, key: &'a str) -> FileVersion<'a> {
    let newest = find_newest_version(&client, bucket, key).await;
    if let Err(error) = &newest {
        tracing::debug!(bucket, %error, "the versions of a deleted file could not be listed");
    }
    ((bucket, key), newest)
}

/// The newest object version of a key; `None` if it has none.
async fn find_newest_version(
    client: &Client,
    bucket: &str,
    key: &str,
) -> Result<Option<NewestVersion>, S3Error> {
    let (mut marker_dates, mut next) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let page = load_page(client, bucket, key, next).await?;
        let markers = page.delete_markers().iter().filter(|marker| is_key(marker.key(), key));
        marker_dates.extend(markers.filter_map(|marker| to_utc(marker.last_modified()?)));
        let objects = page.versions().iter().filter(|version| is_key(version.key(), key));
        if let Some(newest) = objects.max_by_key(|version| modified_at(version)) {
            let above = marker_dates.into_iter().filter(|date| Some(*date) >= modified_at(newest)).min();
            let hidden_at = above.filter(|_| newest.is_latest() != Some(true));
            return Ok(Some(NewestVersion { size: newest.size().unwrap_or(0), hidden_at }));
        }
        let next_key = page.next_key_marker().map(decode_key);
        let Some(next_key) = next_key.filter(|next| page.is_truncated() == Some(true) && next == key) else {
            return Ok(None);
        };
        let version_id = page.next_version_id_marker().map(str::to_owned);
        next = Some(PageMarker { key: next_key, version_id });
    }
    Err(S3Error::Refused(format!("a key has more than {MAX_PAGES} pages of delete markers")))
}

/// Loads a page of the keys that begin with `key`. The key itself sorts first, its newest version before the others.
async fn load_page(
    client: &Client,
    bucket: &str,
    key: &str,
    marker: Option<PageMarker>,
) -> Result<ListObjectVersionsOutput, S3Error> {
    let (key_marker, version_id_marker) =
        marker.map_or((None, None), |marker| (Some(marker.key), marker.version_id));
    let page = client
        .list_object_versions()
        .bucket(bucket)
        .prefix(key)
        // A key may have characters that XML cannot express.
        .encoding_type(EncodingType::Url)
        .set_key_marker(key_marker)
        .set_version_id_marker(version_id_marker)
        .max_keys(KEY_PAGE_ENTRIES)
        .send();
    let span = info_span!(target: "trace", "s3", operation = "ListObjectVersions");
    page.instrument(span).await.map_err(|error| from_sdk_error("listing its versions", &error))
}

fn is_key(listed: Option<&str>, key: &str) -> bool {
    listed.is_some_and(|listed| decode_key(listed) == key)
}

fn modified_at(version: &ObjectVersion) -> Option<OffsetDateTime> {
    version.last_modified().and_then(to_utc)
}

fn to_utc(date: &aws_sdk_s3::primitives::DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(date.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_matching_rule_sets_the_expiry() {
        let hidden_at = OffsetDateTime::from_unix_timestamp(0).unwrap();
        let rule = |prefix: &str, days| ExpirationRule::new(prefix, days);
        let rules = [rule("a/", 30), rule("a/b", 7), rule("c", 1)];
        let newest = NewestVersion { size: 1, hidden_at: Some(hidden_at) };
        for (key, days) in [("a/x", Some(30)), ("a/b", Some(7)), ("x", None)] {
            let expected = days.map(|days| hidden_at + time::Duration::days(days));
            let expected = Recoverability { has_version: Some(true), expires_at: expected };
            assert_eq!(recoverability(Some(newest), key, &rules), expected, "{key}");
        }
        let visible = NewestVersion { hidden_at: None, ..newest };
        assert_eq!(recoverability(Some(visible), "a/x", &rules).expires_at, None);
        let lost = Recoverability { has_version: Some(false), expires_at: None };
        assert_eq!(recoverability(None, "a/x", &rules), lost);
    }
}
