//! A bucket's lifecycle: the rules that remove the versions of deleted files.

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    types::{ExpirationStatus, LifecycleRule, LifecycleRuleFilter},
};
use tracing::{Instrument, info_span};

use crate::s3_error::{S3Error, from_sdk_error};

/// A rule that removes a version this many days after a newer version was put above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExpirationRule {
    filter: RuleFilter,
    pub(super) days: i64,
}

/// The objects that a rule is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct RuleFilter {
    prefix: String,
    /// Only objects larger than this, in bytes.
    larger_than: Option<i64>,
    /// Only objects smaller than this, in bytes.
    smaller_than: Option<i64>,
}

impl ExpirationRule {
    #[cfg(test)]
    pub(super) fn new(prefix: &str, days: i64) -> Self {
        Self { filter: RuleFilter { prefix: prefix.to_owned(), ..RuleFilter::default() }, days }
    }

    /// Whether the rule is for this object.
    pub(super) fn matches(&self, key: &str, size: i64) -> bool {
        let RuleFilter { prefix, larger_than, smaller_than } = &self.filter;
        key.starts_with(prefix)
            && larger_than.is_none_or(|limit| size > limit)
            && smaller_than.is_none_or(|limit| size < limit)
    }

    /// Reads a rule. `None` if it is disabled, keeps the newest old versions, or is for objects with a tag: the tags of
    /// deleted files are not read.
    fn from_lifecycle(rule: &LifecycleRule) -> Option<Self> {
        let expiration = rule.noncurrent_version_expiration()?;
        let days = i64::from(expiration.noncurrent_days()?);
        if *rule.status() != ExpirationStatus::Enabled
            || expiration.newer_noncurrent_versions().unwrap_or(0) > 0
        {
            return None;
        }
        #[expect(deprecated, reason = "old rules have their prefix there")]
        let prefix = rule.prefix().unwrap_or_default().to_owned();
        let without_filter = RuleFilter { prefix, ..RuleFilter::default() };
        let filter = rule.filter().map_or(Some(without_filter), RuleFilter::from_lifecycle)?;
        Some(Self { filter, days })
    }
}

impl RuleFilter {
    /// Reads a filter. S3 puts several conditions into `And`, a single one beside it (Amazon S3 API Reference,
    /// `LifecycleRuleFilter`). `None` if a condition is a tag.
    fn from_lifecycle(filter: &LifecycleRuleFilter) -> Option<Self> {
        if filter.tag().is_some() {
            return None;
        }
        let Some(and) = filter.and() else {
            return Some(Self {
                prefix: filter.prefix().unwrap_or_default().to_owned(),
                larger_than: filter.object_size_greater_than(),
                smaller_than: filter.object_size_less_than(),
            });
        };
        and.tags().is_empty().then(|| Self {
            prefix: and.prefix().unwrap_or_default().to_owned(),
            larger_than: and.object_size_greater_than(),
            smaller_than: and.object_size_less_than(),
        })
    }
}

/// Loads the rules of a bucket that remove old versions. A bucket without a lifecycle has none.
pub(super) async fn load_rules(client: &Client, bucket: &str) -> Result<Vec<ExpirationRule>, S3Error> {
    let span = info_span!(target: "trace", "s3", operation = "GetBucketLifecycleConfiguration");
    match client.get_bucket_lifecycle_configuration().bucket(bucket).send().instrument(span).await {
        Ok(lifecycle) => Ok(lifecycle.rules().iter().filter_map(ExpirationRule::from_lifecycle).collect()),
        Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Ok(Vec::new()),
        Err(error) => Err(from_sdk_error("reading a bucket's lifecycle", &error)),
    }
}

/// The number of days after which the first old versions are removed; `None` if none are.
pub(in super::super) fn min_noncurrent_days(rules: &[LifecycleRule]) -> Option<i64> {
    rules.iter().filter_map(ExpirationRule::from_lifecycle).map(|rule| rule.days).min()
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{LifecycleRuleAndOperator, NoncurrentVersionExpiration, Tag};

    use super::*;

    fn rule(
        status: ExpirationStatus,
        newer: Option<i32>,
        filter: Option<LifecycleRuleFilter>,
    ) -> Option<ExpirationRule> {
        let expiration =
            NoncurrentVersionExpiration::builder().noncurrent_days(30).set_newer_noncurrent_versions(newer);
        let rule = LifecycleRule::builder()
            .status(status)
            .set_filter(filter)
            .noncurrent_version_expiration(expiration.build());
        ExpirationRule::from_lifecycle(&rule.build().unwrap())
    }

    #[test]
    fn a_rule_matches_by_prefix_and_size() {
        let all = rule(ExpirationStatus::Enabled, None, None).unwrap();
        assert!(all.matches("O1/a", 0) && all.days == 30);
        let prefix = LifecycleRuleFilter::builder().prefix("O1/").build();
        let some = rule(ExpirationStatus::Enabled, Some(0), Some(prefix)).unwrap();
        assert!(some.matches("O1/a", 5) && !some.matches("O2/a", 5));
        let and = LifecycleRuleAndOperator::builder()
            .prefix("O1/")
            .object_size_greater_than(4)
            .object_size_less_than(6)
            .build();
        let sized = LifecycleRuleFilter::builder().and(and).build();
        let sized = rule(ExpirationStatus::Enabled, None, Some(sized)).unwrap();
        assert!(sized.matches("O1/a", 5));
        assert!(!sized.matches("O1/a", 4) && !sized.matches("O1/a", 6) && !sized.matches("O2/a", 5));
    }

    #[test]
    fn rules_that_may_spare_the_newest_version_are_ignored() {
        assert_eq!(rule(ExpirationStatus::Disabled, None, None), None);
        assert_eq!(rule(ExpirationStatus::Enabled, Some(1), None), None);
        let tag = Tag::builder().key("a").value("b").build().unwrap();
        let tagged = LifecycleRuleFilter::builder().tag(tag.clone()).build();
        assert_eq!(rule(ExpirationStatus::Enabled, None, Some(tagged)), None);
        let and = LifecycleRuleAndOperator::builder().prefix("O1/").tags(tag).build();
        let tagged = LifecycleRuleFilter::builder().and(and).build();
        assert_eq!(rule(ExpirationStatus::Enabled, None, Some(tagged)), None);
        let none = LifecycleRule::builder().status(ExpirationStatus::Enabled).build().unwrap();
        assert_eq!(ExpirationRule::from_lifecycle(&none), None);
    }
}
