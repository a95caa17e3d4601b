//! Lifecycles of buckets: kept and told, so that a client can read them, and never carried out.
//!
//! Of all that a rule can say, only the removal of old versions is known here.

use std::io;

use s3s::dto::{
    ExpirationStatus, GetBucketLifecycleConfigurationOutput, LifecycleRule as Described, LifecycleRuleFilter,
    NoncurrentVersionExpiration,
};
use s3s::{S3Response, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::journal::Entry;
use super::store::{Refusal, S3, into_io};

/// A rule: old versions of keys that begin so are removed some days after another version was put on top.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    prefix: String,
    days: i32,
    /// How many of the old versions are kept for good.
    kept: Option<i32>,
}

impl LifecycleRule {
    /// A rule for keys that begin so.
    #[must_use]
    pub fn new(prefix: &str, days: i32) -> Self {
        Self { prefix: prefix.to_owned(), days, kept: None }
    }

    /// The same, but for so many of the newest old versions.
    #[must_use]
    pub fn keeping(self, versions: i32) -> Self {
        Self { kept: Some(versions), ..self }
    }

    fn described(&self) -> Described {
        Described {
            abort_incomplete_multipart_upload: None,
            expiration: None,
            filter: Some(LifecycleRuleFilter {
                prefix: Some(self.prefix.clone()),
                ..LifecycleRuleFilter::default()
            }),
            id: None,
            noncurrent_version_expiration: Some(NoncurrentVersionExpiration {
                newer_noncurrent_versions: self.kept,
                noncurrent_days: Some(self.days),
            }),
            noncurrent_version_transitions: None,
            prefix: None,
            status: ExpirationStatus::from_static(ExpirationStatus::ENABLED),
            transitions: None,
        }
    }
}

impl S3 {
    /// Gives a bucket a lifecycle in place of the one it had; none, where there are no rules.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such bucket, or what the file system says.
    pub fn set_lifecycle(&self, bucket: &str, rules: Vec<LifecycleRule>) -> io::Result<()> {
        self.replace_lifecycle(bucket, rules).map_err(into_io)
    }

    /// A bucket's lifecycle; no rules if it has none, or is unknown.
    #[must_use]
    pub fn lifecycle(&self, bucket: &str) -> Vec<LifecycleRule> {
        self.read(bucket, |bucket| bucket.lifecycle.clone()).unwrap_or_default()
    }

    fn replace_lifecycle(&self, bucket: &str, rules: Vec<LifecycleRule>) -> Result<(), Refusal> {
        let mut state = self.state();
        if !state.buckets.contains_key(bucket) {
            return Err(Refusal::NoSuchBucket);
        }
        Ok(state.commit([Entry::SetLifecycle { bucket: bucket.into(), rules: rules.into() }])?)
    }
}

pub(super) fn get(store: &S3, bucket: &str) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
    let rules: Vec<Described> =
        store.read(bucket, |bucket| bucket.lifecycle.iter().map(LifecycleRule::described).collect())?;
    if rules.is_empty() {
        return Err(s3_error!(NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist"));
    }
    Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
        rules: Some(rules),
        ..GetBucketLifecycleConfigurationOutput::default()
    }))
}
