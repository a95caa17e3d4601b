//! Regions and buckets. Both become part of a host name, so both are validated first.

use std::fmt;
use std::str::FromStr;

use super::partition::Partition;

/// An AWS region, such as `us-east-1` or `us-gov-west-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

impl Region {
    /// Accepts at least two lower-case words and a number of one or two digits, joined by hyphens. There is no list
    /// of regions, so a new region needs no new version of this crate.
    pub fn new(name: impl Into<String>) -> Result<Self, ParseRegionError> {
        let name = name.into();
        if is_region(&name) { Ok(Self(name)) } else { Err(ParseRegionError) }
    }

    /// The region as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the region's partition, as ARNs have it: `aws`, `aws-us-gov`.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        Partition::of(self).name
    }

    /// The host name of an AWS service in this region: `sqs.us-east-1.amazonaws.com`. Its domain is that of the region's
    /// partition ("AWS service endpoints").
    #[must_use]
    pub fn service_host(&self, service: &str) -> String {
        let mut host = String::with_capacity(service.len() + self.0.len() + 20);
        self.push_service_host(&mut host, service);
        host
    }

    /// Appends [`service_host`](Self::service_host) to `out`.
    pub(super) fn push_service_host(&self, out: &mut String, service: &str) {
        out.extend([service, ".", &self.0, ".", Partition::of(self).domain]);
    }
}

fn is_region(name: &str) -> bool {
    let Some((words, number)) = name.rsplit_once('-') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut parts = words.split('-');
    name.len() <= 32
        && matches!(number.len(), 1..=2)
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && parts.next().is_some_and(|first| first.len() >= 2 && is_word(first))
        && parts.clone().next().is_some()
        && parts.all(is_word)
}

/// A bucket's name, by the rules for general purpose buckets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(String);

impl Bucket {
    /// Accepts 3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends, without two
    /// dots in a row, and not in the form of an IPv4 address ("Bucket naming rules").
    pub fn new(name: impl Into<String>) -> Result<Self, ParseBucketError> {
        let name = name.into();
        if is_bucket(&name) { Ok(Self(name)) } else { Err(ParseBucketError) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name has several host name labels, which AWS's wildcard certificate does not cover.
    pub(super) fn has_dots(&self) -> bool {
        self.0.contains('.')
    }
}

fn is_bucket(name: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| is_alphanumeric(byte) || matches!(byte, b'.' | b'-'))
        && name.bytes().next().is_some_and(is_alphanumeric)
        && name.bytes().next_back().is_some_and(is_alphanumeric)
        && !name.contains("..")
        && !looks_like_ipv4(name)
}

/// Whether the name has the form of an IPv4 address. The rule is about the form, so `999.999.999.999` counts, too.
fn looks_like_ipv4(name: &str) -> bool {
    name.split('.').count() == 4 && name.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit())
}

/// The text is not a valid AWS region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid region: expected a name such as us-east-1")]
pub struct ParseRegionError;

/// The text is not a valid bucket name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid bucket name: expected 3 to 63 lower-case letters, digits, dots and hyphens")]
pub struct ParseBucketError;

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Region {
    type Err = ParseRegionError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl FromStr for Bucket {
    type Err = ParseBucketError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validates_regions() {
        for name in
            ["us-east-1", "ap-southeast-2", "us-gov-west-1", "cn-north-1", "us-isob-east-1", "eu-x-12"]
        {
            assert_eq!(Region::new(name).unwrap().to_string(), name);
        }
        for name in [
            "",
            "us",
            "us-1",
            "us-east",
            "us-east-",
            "us-east-1a",
            "us-east-123",
            "u-east-1",
            "us--east-1",
            "US-EAST-1",
            "-us-east-1",
            "us-east-1.evil.example",
            "us-east-1/",
            "us-east-1\n",
            "us_east-1",
            "us-east-١",
            "dualstack",
            "accelerate",
            "us-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1",
        ] {
            assert_eq!(Region::new(name), Err(ParseRegionError), "{name}");
        }
    }

    #[test]
    fn service_hosts_follow_the_partition() {
        for (service, region, host) in [
            ("s3", "us-east-1", "s3.us-east-1.amazonaws.com"),
            ("sqs", "af-south-1", "sqs.af-south-1.amazonaws.com"),
            ("dynamodb", "us-gov-west-1", "dynamodb.us-gov-west-1.amazonaws.com"),
            ("ssm", "cn-north-1", "ssm.cn-north-1.amazonaws.com.cn"),
            ("s3", "cn-northwest-1", "s3.cn-northwest-1.amazonaws.com.cn"),
            // The prefix of the China partition has a hyphen.
            ("s3", "cnx-east-1", "s3.cnx-east-1.amazonaws.com"),
            ("sqs", "eusc-de-east-1", "sqs.eusc-de-east-1.amazonaws.eu"),
            ("s3", "us-isob-east-1", "s3.us-isob-east-1.sc2s.sgov.gov"),
        ] {
            assert_eq!(Region::new(region).unwrap().service_host(service), host);
        }
    }

    #[test]
    fn validates_buckets() {
        let longest = "b".repeat(63);
        for name in ["abc", "my.dotted.bucket", "a-b-c", "1a2", "192.168.1", "1.2.3.4.5", &longest] {
            assert_eq!(Bucket::new(name).unwrap().to_string(), name);
        }
        let too_long = "b".repeat(64);
        for name in [
            "",
            "ab",
            "Abc",
            "a_b_c",
            "a..b",
            "-abc",
            "abc-",
            ".abc",
            "abc.",
            "192.168.1.1",
            "999.999.999.999",
            "a/b",
            "a b",
            "a%62c",
            "bücket",
            "abc\n",
            &too_long,
        ] {
            assert_eq!(Bucket::new(name), Err(ParseBucketError), "{name}");
        }
    }
}
