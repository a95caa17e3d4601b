//! A bucket's lifecycle, as far as it removes the newest version of a deleted file.

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    types::{ExpirationStatus, LifecycleRule, LifecycleRuleFilter},
};
use tracing::{Instrument, info_span};

use crate::versions::{Error, sdk_error};

/// A rule that removes a version this many days after something was put on top of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    prefix: String,
    /// The object is to be larger than this many bytes, and smaller than that many.
    sizes: (Option<i64>, Option<i64>),
    pub(super) days: i64,
}

impl Rule {
    /// Whether the rule is for this object.
    pub(super) fn matches(&self, key: &str, size: i64) -> bool {
        let (above, below) = self.sizes;
        key.starts_with(&self.prefix)
            && above.is_none_or(|above| size > above)
            && below.is_none_or(|below| size < below)
    }

    /// `None` for a rule that is off, keeps the newest of the old versions, or is for objects with a tag: tags of deleted
    /// files are not asked for.
    fn read(rule: &LifecycleRule) -> Option<Self> {
        let expiration = rule.noncurrent_version_expiration()?;
        let days = i64::from(expiration.noncurrent_days()?);
        if *rule.status() != ExpirationStatus::Enabled
            || expiration.newer_noncurrent_versions().unwrap_or(0) > 0
        {
            return None;
        }
        #[expect(deprecated, reason = "old rules have their prefix there")]
        let old = rule.prefix();
        let (prefix, sizes) = rule.filter().map_or(Some((old, (None, None))), filter)?;
        Some(Self { prefix: prefix.unwrap_or_default().to_owned(), sizes, days })
    }
}

type Filter<'a> = (Option<&'a str>, (Option<i64>, Option<i64>));

fn filter(filter: &LifecycleRuleFilter) -> Option<Filter<'_>> {
    if filter.tag().is_some() {
        return None;
    }
    let Some(and) = filter.and() else {
        let sizes = (filter.object_size_greater_than(), filter.object_size_less_than());
        return Some((filter.prefix(), sizes));
    };
    let sizes = (and.object_size_greater_than(), and.object_size_less_than());
    and.tags().is_empty().then_some((and.prefix(), sizes))
}

/// The rules of a bucket that remove old versions; none where it has no lifecycle.
pub(super) async fn find_rules(client: &Client, bucket: &str) -> Result<Vec<Rule>, Error> {
    let span = info_span!(target: "trace", "s3", operation = "GetBucketLifecycleConfiguration");
    match client.get_bucket_lifecycle_configuration().bucket(bucket).send().instrument(span).await {
        Ok(lifecycle) => Ok(lifecycle.rules().iter().filter_map(Rule::read).collect()),
        Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Ok(Vec::new()),
        Err(error) => Err(sdk_error("reading a bucket's lifecycle", &error)),
    }
}

/// After how many days the first of a bucket's old versions goes.
pub(in super::super) fn noncurrent_days(rules: &[LifecycleRule]) -> Option<i64> {
    rules.iter().filter_map(Rule::read).map(|rule| rule.days).min()
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{LifecycleRuleAndOperator, NoncurrentVersionExpiration, Tag};

    use super::*;

    fn rule(
        status: ExpirationStatus,
        newer: Option<i32>,
        filter: Option<LifecycleRuleFilter>,
    ) -> Option<Rule> {
        let expiration =
            NoncurrentVersionExpiration::builder().noncurrent_days(30).set_newer_noncurrent_versions(newer);
        let rule = LifecycleRule::builder()
            .status(status)
            .set_filter(filter)
            .noncurrent_version_expiration(expiration.build());
        Rule::read(&rule.build().unwrap())
    }

    #[test]
    fn a_rule_is_for_its_prefix_and_sizes() {
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
    fn a_rule_that_spares_the_newest_version_is_none() {
        assert_eq!(rule(ExpirationStatus::Disabled, None, None), None);
        assert_eq!(rule(ExpirationStatus::Enabled, Some(1), None), None);
        let tag = Tag::builder().key("a").value("b").build().unwrap();
        let tagged = LifecycleRuleFilter::builder().tag(tag.clone()).build();
        assert_eq!(rule(ExpirationStatus::Enabled, None, Some(tagged)), None);
        let and = LifecycleRuleAndOperator::builder().prefix("O1/").tags(tag).build();
        let tagged = LifecycleRuleFilter::builder().and(and).build();
        assert_eq!(rule(ExpirationStatus::Enabled, None, Some(tagged)), None);
        let none = LifecycleRule::builder().status(ExpirationStatus::Enabled).build().unwrap();
        assert_eq!(Rule::read(&none), None);
    }
}
