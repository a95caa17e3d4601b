//! Lifecycles of buckets: kept and told, so that a client can read them, and never carried out.
//!
//! Of all that a rule can say, only the removal of old versions is known here; a rule that says more is refused.

use std::io;

use s3s::dto::{
    DeleteBucketLifecycleOutput, ExpirationStatus, GetBucketLifecycleConfigurationOutput,
    LifecycleRule as Described, LifecycleRuleFilter, NoncurrentVersionExpiration,
    PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput,
};
use s3s::{S3Response, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::journal::Entry;
use super::store::{Refusal, S3, into_io};

/// A rule: old versions of keys that begin so are removed some days after another version was put on top.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    id: Option<String>,
    enabled: bool,
    prefix: String,
    days: i32,
    /// How many of the old versions are kept for good.
    kept: Option<i32>,
}

impl LifecycleRule {
    /// A rule for keys that begin so.
    #[must_use]
    pub fn new(prefix: &str, days: i32) -> Self {
        Self { id: None, enabled: true, prefix: prefix.to_owned(), days, kept: None }
    }

    /// The same, but for so many of the newest old versions.
    #[must_use]
    pub fn keeping(self, versions: i32) -> Self {
        Self { kept: Some(versions), ..self }
    }

    fn read(rule: Described) -> S3Result<Self> {
        let only_old_versions = rule.expiration.is_none()
            && rule.transitions.is_none()
            && rule.noncurrent_version_transitions.is_none()
            && rule.abort_incomplete_multipart_upload.is_none();
        let expiration = rule.noncurrent_version_expiration.filter(|_| only_old_versions);
        let prefix = match rule.filter {
            None => Some(rule.prefix),
            Some(LifecycleRuleFilter {
                and: None,
                tag: None,
                object_size_greater_than: None,
                object_size_less_than: None,
                prefix,
                ..
            }) => Some(prefix),
            Some(_) => None,
        };
        let (Some(expiration), Some(prefix)) = (expiration, prefix) else {
            return Err(s3_error!(
                NotImplemented,
                "Only the removal of old versions by prefix is implemented"
            ));
        };
        let days = expiration.noncurrent_days.filter(|days| *days > 0);
        Ok(Self {
            id: rule.id,
            enabled: rule.status.as_str() == ExpirationStatus::ENABLED,
            prefix: prefix.unwrap_or_default(),
            days: days
                .ok_or_else(|| s3_error!(InvalidArgument, "'NoncurrentDays' must be a positive integer"))?,
            kept: expiration.newer_noncurrent_versions,
        })
    }

    fn described(&self) -> Described {
        let status = if self.enabled { ExpirationStatus::ENABLED } else { ExpirationStatus::DISABLED };
        Described {
            abort_incomplete_multipart_upload: None,
            expiration: None,
            filter: Some(LifecycleRuleFilter {
                prefix: Some(self.prefix.clone()),
                ..LifecycleRuleFilter::default()
            }),
            id: self.id.clone(),
            noncurrent_version_expiration: Some(NoncurrentVersionExpiration {
                newer_noncurrent_versions: self.kept,
                noncurrent_days: Some(self.days),
            }),
            noncurrent_version_transitions: None,
            prefix: None,
            status: ExpirationStatus::from_static(status),
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

pub(super) fn put(
    store: &S3,
    input: PutBucketLifecycleConfigurationInput,
) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
    let rules = input.lifecycle_configuration.map(|lifecycle| lifecycle.rules).unwrap_or_default();
    if rules.is_empty() {
        return Err(s3_error!(MalformedXML, "A lifecycle has at least one rule"));
    }
    let rules: S3Result<Vec<LifecycleRule>> = rules.into_iter().map(LifecycleRule::read).collect();
    store.replace_lifecycle(&input.bucket, rules?)?;
    Ok(S3Response::new(PutBucketLifecycleConfigurationOutput::default()))
}

pub(super) fn delete(store: &S3, bucket: &str) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
    store.replace_lifecycle(bucket, Vec::new())?;
    Ok(S3Response::new(DeleteBucketLifecycleOutput::default()))
}
