//! Lifecycle rules of buckets. The store keeps and returns them, and never applies them.
//!
//! A rule can only expire noncurrent versions.

use std::io;

use s3s::dto::{
    ExpirationStatus, GetBucketLifecycleConfigurationOutput, LifecycleRule as RuleDto, LifecycleRuleFilter,
    NoncurrentVersionExpiration,
};
use s3s::{S3Response, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::errors::StoreError;
use super::journal::JournalEntry;
use super::store::S3Store;

/// Expires versions of keys with this prefix, some days after they became noncurrent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    prefix: String,
    days: i32,
    /// The number of noncurrent versions that never expire.
    #[serde(rename = "kept")]
    newer_versions: Option<i32>,
}

impl LifecycleRule {
    /// Expires all noncurrent versions of keys with this prefix.
    #[must_use]
    pub fn new(prefix: &str, days: i32) -> Self {
        Self { prefix: prefix.to_owned(), days, newer_versions: None }
    }

    /// Keeps this many of the newest noncurrent versions (`NewerNoncurrentVersions`).
    #[must_use]
    pub fn with_newer_versions(self, count: i32) -> Self {
        Self { newer_versions: Some(count), ..self }
    }

    fn to_dto(&self) -> RuleDto {
        RuleDto {
            abort_incomplete_multipart_upload: None,
            expiration: None,
            filter: Some(LifecycleRuleFilter {
                prefix: Some(self.prefix.clone()),
                ..LifecycleRuleFilter::default()
            }),
            id: None,
            noncurrent_version_expiration: Some(NoncurrentVersionExpiration {
                newer_noncurrent_versions: self.newer_versions,
                noncurrent_days: Some(self.days),
            }),
            noncurrent_version_transitions: None,
            prefix: None,
            status: ExpirationStatus::from_static(ExpirationStatus::ENABLED),
            transitions: None,
        }
    }
}

impl S3Store {
    /// Replaces the lifecycle of a bucket. Without rules the bucket has no lifecycle.
    ///
    /// # Errors
    ///
    /// `NotFound` if the bucket does not exist, or an error of the file system.
    pub fn set_lifecycle(&self, bucket: &str, rules: Vec<LifecycleRule>) -> io::Result<()> {
        let mut state = self.state();
        if !state.buckets.contains_key(bucket) {
            return Err(StoreError::NoSuchBucket.into());
        }
        state.commit([JournalEntry::SetLifecycle { bucket: bucket.into(), rules: rules.into() }])
    }

    /// The lifecycle of a bucket. Empty if it has none, or if the bucket does not exist.
    #[must_use]
    pub fn lifecycle(&self, bucket: &str) -> Vec<LifecycleRule> {
        self.with_bucket(bucket, |bucket| bucket.lifecycle.clone()).unwrap_or_default()
    }
}

pub(super) fn get_bucket_lifecycle(
    store: &S3Store,
    bucket: &str,
) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
    let to_dtos = |rules: &[LifecycleRule]| rules.iter().map(LifecycleRule::to_dto).collect();
    let rules: Vec<RuleDto> = store.with_bucket(bucket, |bucket| to_dtos(&bucket.lifecycle))?;
    // S3 has no empty lifecycle: a bucket without rules answers 404.
    if rules.is_empty() {
        return Err(s3_error!(NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist"));
    }
    Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
        rules: Some(rules),
        ..GetBucketLifecycleConfigurationOutput::default()
    }))
}
