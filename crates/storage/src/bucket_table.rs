//! What is known about buckets: where they are, how they are reached, and with whose credentials.
//!
//! A table is a JSON array. An entry is for one bucket, or for all whose names match a pattern with one `*`:
//!
//! ```json
//! [{"bucket": "published-*", "region": "us-east-1", "role_arn": "arn:aws:iam::123456789012:role/reader", "requester_pays": true}]
//! ```
//!
//! The entry of the exact name counts, else the first pattern that matches. Everything is checked when the table is read, above
//! all that no entry sends signatures or session tokens to a place that nobody meant.

mod entry;
mod pattern;

use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;
use signing::s3::{Bucket, CustomEndpoint, Region};

use self::{entry::EntryFields, pattern::BucketPattern};
use aws::sts::RoleArn;

/// What is known about the buckets that an entry is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketEntry {
    bucket: BucketPattern,
    /// The region. Without one it is learned from S3.
    pub(crate) region: Option<Region>,
    /// A server in place of AWS's own.
    pub(crate) endpoint: Option<CustomEndpoint>,
    /// Whether the bucket is in the path. Without a value, as the endpoint's default is.
    pub(crate) is_path_style: Option<bool>,
    /// The role whose sessions sign links.
    pub(crate) role: Option<RoleArn>,
    /// Whether our account pays for requests.
    pub(crate) is_requester_pays: bool,
    /// Whether `/proxy/s3` leads there.
    pub(crate) is_proxied: bool,
}

/// What is known about buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketTable {
    entries: Vec<BucketEntry>,
    /// The indexes of entries for one bucket.
    by_name: HashMap<String, usize>,
}

/// Why a table is refused. It names the entry by its number, and repeats no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketTableError {
    /// The text is not a JSON array, or not an object of roles.
    #[error("expected {0}")]
    Malformed(&'static str),
    /// An entry is refused. The first one is number 1.
    #[error("entry {number}: {reason}")]
    Entry {
        /// Its number.
        number: usize,
        /// What is wrong.
        reason: String,
    },
}

impl BucketEntry {
    /// The bucket, if it is for one and not for a pattern.
    pub(crate) fn bucket(&self) -> Option<&Bucket> {
        match &self.bucket {
            BucketPattern::Exact(bucket) => Some(bucket),
            BucketPattern::Wildcard { .. } => None,
        }
    }
}

impl BucketTable {
    /// Reads a table, a JSON array. `home` is the service's own region, whose partition all entries must be in.
    pub fn parse(json: &str, home: &Region) -> Result<Self, BucketTableError> {
        let malformed = |_| BucketTableError::Malformed("a JSON array of objects");
        // Raw, so that a member that an object has twice is seen.
        let objects: Vec<&RawValue> = serde_json::from_str(json).map_err(malformed)?;
        let mut table = Self::default();
        for (index, object) in objects.into_iter().enumerate() {
            let entry = EntryFields::parse(object.get()).and_then(|fields| fields.into_entry(home));
            let added = entry.and_then(|entry| table.add(entry));
            added.map_err(|reason| BucketTableError::Entry { number: index + 1, reason })?;
        }
        Ok(table)
    }

    /// Adds buckets of other accounts from a JSON object of bucket names and role ARNs. Their requests are paid by our account.
    pub fn with_external_roles(mut self, json: &str, home: &Region) -> Result<Self, BucketTableError> {
        let malformed = |_| BucketTableError::Malformed("a JSON object of bucket names and role ARNs");
        let roles: BTreeMap<String, String> = serde_json::from_str(json).map_err(malformed)?;
        for (index, (bucket, role)) in roles.into_iter().enumerate() {
            let added =
                EntryFields::external(bucket, role).into_entry(home).and_then(|entry| match entry.bucket {
                    BucketPattern::Exact(_) => self.add(entry),
                    BucketPattern::Wildcard { .. } => Err("a bucket's name has no `*`".to_owned()),
                });
            added.map_err(|reason| BucketTableError::Entry { number: index + 1, reason })?;
        }
        Ok(self)
    }

    fn add(&mut self, entry: BucketEntry) -> Result<(), String> {
        if self.entries.iter().any(|known| known.bucket == entry.bucket) {
            return Err("there is another entry for the same bucket".to_owned());
        }
        if let BucketPattern::Exact(bucket) = &entry.bucket {
            self.by_name.insert(bucket.as_str().to_owned(), self.entries.len());
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Whether `/proxy/s3` may lead to a bucket.
    #[must_use]
    pub fn is_proxied(&self, bucket: &Bucket) -> bool {
        self.find_index(bucket.as_str())
            .and_then(|index| self.entries.get(index))
            .is_some_and(|entry| entry.is_proxied)
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a role is assumed for any bucket.
    #[must_use]
    pub fn has_roles(&self) -> bool {
        self.entries.iter().any(|entry| entry.role.is_some())
    }

    pub(crate) fn entries(&self) -> &[BucketEntry] {
        &self.entries
    }

    /// The index of a bucket's entry.
    pub(crate) fn find_index(&self, bucket: &str) -> Option<usize> {
        let matching = || self.entries.iter().position(|entry| entry.bucket.matches(bucket));
        self.by_name.get(bucket).copied().or_else(matching)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Region {
        Region::new("us-east-1").unwrap()
    }

    fn parse(json: &str) -> Result<BucketTable, String> {
        BucketTable::parse(json, &home()).map_err(|error| error.to_string())
    }

    fn find<'a>(table: &'a BucketTable, bucket: &str) -> Option<&'a BucketEntry> {
        table.entries.get(table.find_index(bucket)?)
    }

    #[test]
    fn an_exact_name_counts_before_patterns_and_the_first_pattern_before_others() {
        let table = parse(
            r#"[
                {"bucket": "pub-*", "region": "eu-west-1"},
                {"bucket": "pub-*-use2", "region": "us-east-2"},
                {"bucket": "pub-special", "region": "us-west-2"},
                {"bucket": "*-afs1", "region": "af-south-1", "proxy": true}
            ]"#,
        )
        .unwrap();
        for (bucket, region) in [
            ("pub-special", Some("us-west-2")),
            ("pub-a-use2", Some("eu-west-1")),
            ("pub-a", Some("eu-west-1")),
            ("a-afs1", Some("af-south-1")),
            ("republished", None),
            ("a-afs1-b", None),
        ] {
            let found = find(&table, bucket).and_then(|entry| entry.region.as_ref()).map(Region::as_str);
            assert_eq!(found, region, "{bucket}");
        }
        let is_proxied = |name: &str| table.is_proxied(&Bucket::new(name).unwrap());
        assert!(
            is_proxied("a-afs1")
                && !is_proxied("pub-a")
                && !is_proxied("a-afs1.evil")
                && !is_proxied("other")
        );
    }

    #[test]
    fn all_members_are_read() {
        let table = parse(
            r#"[{"bucket": "data", "region": "us-east-2", "endpoint": "https://s3.us-east-2.amazonaws.com/", "path_style": true,
                 "role_arn": "arn:aws:iam::123456789012:role/r", "requester_pays": true, "proxy": false},
                {"bucket": "local", "endpoint": "http://127.0.0.1:9000", "path_style": false}]"#,
        )
        .unwrap();
        let entry = find(&table, "data").unwrap();
        assert_eq!(entry.region.as_ref().unwrap().as_str(), "us-east-2");
        assert_eq!(entry.endpoint.as_ref().unwrap().to_string(), "https://s3.us-east-2.amazonaws.com");
        assert_eq!(entry.role.as_ref().unwrap().as_str(), "arn:aws:iam::123456789012:role/r");
        assert!(entry.is_requester_pays && !entry.is_proxied && entry.is_path_style == Some(true));
        assert_eq!(find(&table, "local").unwrap().is_path_style, Some(false));
        assert!(table.has_roles() && parse("[]").unwrap().is_empty());
    }

    #[test]
    fn a_wrong_entry_is_named_and_no_value_is_repeated() {
        for (entry, reason) in [
            (r#"{"bucket": "Hunter2"}"#, "bucket: expected a bucket's name, or a pattern with one `*`"),
            (r#"{"bucket": "hunter2*x*"}"#, "bucket: expected"),
            (r#"{"bucket": "*"}"#, "bucket: a pattern needs at least 3 characters beside its `*`"),
            (r#"{"bucket": "ab*"}"#, "bucket: a pattern needs"),
            (r#"{"bucket": "abc/*"}"#, "bucket: expected"),
            (r#"{"region": "us-east-1"}"#, "missing field `bucket`"),
            (r#"{"bucket": "abc", "rgion": "hunter2"}"#, "unknown field `rgion`"),
            (r#"{"bucket": "abc", "bucket": "hunter2"}"#, "duplicate field `bucket`"),
            (r#"{"bucket": "abc", "proxy": "hunter2"}"#, "a member has the wrong type"),
            (r#"{"bucket": "abc", "region": "hunter2"}"#, "region: expected a region"),
            (r#"{"bucket": "abc", "region": "evil.example/"}"#, "region: expected a region"),
            (r#"{"bucket": "abc", "region": "cn-north-1"}"#, "region: it is in another partition"),
            (r#"{"bucket": "abc", "region": "us-gov-west-1"}"#, "region: it is in another partition"),
            (r#"{"bucket": "abc", "role_arn": "hunter2"}"#, "role_arn: invalid role"),
            (
                r#"{"bucket": "abc", "role_arn": "arn:aws-cn:iam::123456789012:role/hunter2"}"#,
                "role_arn: it is in another partition",
            ),
            (r#"{"bucket": "used-one"}"#, "there is another entry for the same bucket"),
        ] {
            let error = parse(&format!(r#"[{{"bucket": "used-one"}}, {entry}]"#)).unwrap_err();
            assert!(error.starts_with(&format!("entry 2: {reason}")), "{entry}: {error}");
            assert!(!error.contains("hunter2") && !error.contains("evil"), "{error}");
        }
        for text in ["", "hunter2", "{}", "[1", r#"{"bucket": "abc"}"#] {
            assert_eq!(parse(text).unwrap_err(), "expected a JSON array of objects", "{text}");
        }
    }

    #[test]
    fn no_entry_sends_credentials_to_a_place_that_nobody_meant() {
        for (members, reason) in [
            (
                r#""endpoint": "https://user@s3.example.org""#,
                "endpoint: expected https://HOST or https://HOST:PORT",
            ),
            (r#""endpoint": "https://s3.example.org/path""#, "endpoint: expected"),
            (r#""endpoint": "https://s3.example.org?a=b""#, "endpoint: expected"),
            (r#""endpoint": "https://s3.example.org#a""#, "endpoint: expected"),
            (r#""endpoint": "ftp://s3.example.org""#, "endpoint: expected"),
            (r#""endpoint": "file:///etc/passwd""#, "endpoint: expected"),
            (r#""endpoint": "s3.example.org""#, "endpoint: expected"),
            (r#""endpoint": "http://s3.example.org""#, "endpoint: http:// is only for this machine"),
            (r#""endpoint": "http://localhost.example.org""#, "endpoint: http:// is only for this machine"),
            (
                r#""endpoint": "https://s3.example.org", "role_arn": "arn:aws:iam::123456789012:role/r""#,
                "role_arn: the endpoint is not AWS's",
            ),
            (
                r#""endpoint": "https://amazonaws.com.example.org", "role_arn": "arn:aws:iam::123456789012:role/r""#,
                "role_arn: the endpoint is not AWS's",
            ),
            (
                r#""endpoint": "https://evilamazonaws.com", "role_arn": "arn:aws:iam::123456789012:role/r""#,
                "role_arn: the endpoint is not AWS's",
            ),
            (
                r#""endpoint": "https://s3.example.org", "proxy": true"#,
                "proxy: it leads to no endpoint of a table",
            ),
        ] {
            let error = parse(&format!(r#"[{{"bucket": "abc", {members}}}]"#)).unwrap_err();
            assert!(error.starts_with(&format!("entry 1: {reason}")), "{members}: {error}");
        }
        for endpoint in ["http://localhost:9000", "http://127.0.0.1:9000", "https://minio.example.org:9000"] {
            assert!(
                parse(&format!(r#"[{{"bucket": "abc", "endpoint": "{endpoint}"}}]"#)).is_ok(),
                "{endpoint}"
            );
        }
    }

    #[test]
    fn the_map_of_external_buckets_makes_entries() {
        let table = parse(r#"[{"bucket": "known-*", "region": "us-west-2"}]"#).unwrap();
        let roles = r#"{"known-one": "arn:aws:iam::123456789012:role/a", "other": "arn:aws:iam::123456789012:role/b"}"#;
        let table = table.with_external_roles(roles, &home()).unwrap();
        let entry = find(&table, "known-one").unwrap();
        assert!(
            entry.role.is_some() && entry.is_requester_pays && !entry.is_proxied && entry.region.is_none()
        );
        assert!(find(&table, "known-two").unwrap().role.is_none());
        assert_eq!(table.len(), 3);
        assert!(BucketTable::default().with_external_roles("{}", &home()).unwrap().is_empty());
    }

    #[test]
    fn the_map_of_external_buckets_is_checked() {
        let table = parse(r#"[{"bucket": "used-one"}]"#).unwrap();
        for (map, reason) in [
            ("[]", "expected a JSON object of bucket names and role ARNs"),
            ("hunter2", "expected a JSON object of bucket names and role ARNs"),
            (r#"{"abc": 1}"#, "expected a JSON object of bucket names and role ARNs"),
            (r#"{"abc": "hunter2"}"#, "entry 1: role_arn: invalid role"),
            (r#"{"abc*": "arn:aws:iam::123456789012:role/a"}"#, "entry 1: a bucket's name has no `*`"),
            (
                r#"{"used-one": "arn:aws:iam::123456789012:role/a"}"#,
                "entry 1: there is another entry for the same bucket",
            ),
        ] {
            let error = table.clone().with_external_roles(map, &home()).unwrap_err().to_string();
            assert!(error.starts_with(reason) && !error.contains("hunter2"), "{map}: {error}");
        }
    }
}
