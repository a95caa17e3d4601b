//! Parsing host names of S3 at AWS ("Virtual hosting of general purpose buckets", "Amazon S3 endpoints").
//!
//! A host is parsed from its right end, which must be AWS's domain. A name that merely contains an S3 host is
//! therefore rejected. What is left of the endpoint is the whole bucket name, dots included.

use super::names::Region;

/// A parsed S3 host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct S3Host<'a> {
    /// The bucket. `None` if the bucket is in the path.
    pub(super) bucket: Option<&'a str>,
    pub(super) region: HostRegion,
}

/// The regions of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostRegion {
    /// One region.
    Only(Region),
    /// Any region outside China: the global endpoint and transfer acceleration.
    Global,
}

impl HostRegion {
    pub(super) fn accepts(&self, region: &Region) -> bool {
        match self {
            Self::Only(only) => only == region,
            Self::Global => !region.is_in_china(),
        }
    }
}

/// Parses a lower-case host name. `None` if it is not an S3 host.
pub(super) fn parse_host(host: &str) -> Option<S3Host<'_>> {
    if let Some(rest) = host.strip_suffix(".amazonaws.com.cn") {
        return parse_regional(rest)
            .filter(|found| matches!(&found.region, HostRegion::Only(r) if r.is_in_china()));
    }
    let rest = host.strip_suffix(".amazonaws.com")?;
    let found = parse_regional(rest).or_else(|| parse_global(rest))?;
    // A host in China ends in `.cn`, which is another partition.
    let is_in_china = matches!(&found.region, HostRegion::Only(region) if region.is_in_china());
    (!is_in_china).then_some(found)
}

/// Parses `[{bucket}.]s3.{region}`, `[{bucket}.]s3.dualstack.{region}` and the legacy `[{bucket}.]s3-{region}`.
fn parse_regional(rest: &str) -> Option<S3Host<'_>> {
    let last = rest.rsplit('.').next()?;
    if let Some(name) = last.strip_prefix("s3-") {
        // `s3-website-us-east-1` and `s3-fips-us-gov-west-1` are other services. A region of this legacy form begins
        // with two letters.
        let region = Region::new(name).ok().filter(|_| name.find('-') == Some(2))?;
        return S3Host::from_service_label(rest, last, HostRegion::Only(region));
    }
    let region = Region::new(last).ok()?;
    let service = rest.strip_suffix(last)?.strip_suffix('.')?;
    let service = service.strip_suffix(".dualstack").unwrap_or(service);
    S3Host::from_service_label(service, "s3", HostRegion::Only(region))
}

/// Parses `[{bucket}.]s3` and `{bucket}.s3-accelerate`.
fn parse_global(rest: &str) -> Option<S3Host<'_>> {
    // Transfer acceleration needs the bucket in the host name.
    let accelerated = S3Host::from_service_label(rest, "s3-accelerate", HostRegion::Global);
    accelerated
        .filter(|host| host.bucket.is_some())
        .or_else(|| S3Host::from_service_label(rest, "s3", HostRegion::Global))
}

impl<'a> S3Host<'a> {
    /// Parses the service's label, alone or after a bucket and a dot.
    fn from_service_label(name: &'a str, service: &str, region: HostRegion) -> Option<Self> {
        let before = name.strip_suffix(service)?;
        let bucket = before.strip_suffix('.');
        // `evils3` also ends in `s3`, so a dot is required.
        (before.is_empty() || bucket.is_some()).then_some(Self { bucket, region })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_s3_hosts() {
        for (host, bucket, region) in [
            ("good.s3.amazonaws.com", Some("good"), None),
            ("good.s3.us-east-1.amazonaws.com", Some("good"), Some("us-east-1")),
            ("good.s3-us-west-2.amazonaws.com", Some("good"), Some("us-west-2")),
            ("good.s3.dualstack.af-south-1.amazonaws.com", Some("good"), Some("af-south-1")),
            ("good.s3-accelerate.amazonaws.com", Some("good"), None),
            ("good.s3.cn-north-1.amazonaws.com.cn", Some("good"), Some("cn-north-1")),
            ("my.dotted.bucket.s3.amazonaws.com", Some("my.dotted.bucket"), None),
            ("my.dotted.bucket.s3.eu-west-1.amazonaws.com", Some("my.dotted.bucket"), Some("eu-west-1")),
            ("a.s3.us-east-1.s3.amazonaws.com", Some("a.s3.us-east-1"), None),
            ("s3.amazonaws.com", None, None),
            ("s3.us-east-1.amazonaws.com", None, Some("us-east-1")),
            ("s3-us-west-2.amazonaws.com", None, Some("us-west-2")),
            ("s3.dualstack.us-east-1.amazonaws.com", None, Some("us-east-1")),
            ("s3.cn-northwest-1.amazonaws.com.cn", None, Some("cn-northwest-1")),
        ] {
            let found = parse_host(host).unwrap_or_else(|| panic!("{host}"));
            let named = match &found.region {
                HostRegion::Only(region) => Some(region.as_str()),
                HostRegion::Global => None,
            };
            assert_eq!((found.bucket, named), (bucket, region), "{host}");
        }
    }

    #[test]
    fn rejects_other_hosts() {
        for host in [
            "",
            "amazonaws.com",
            ".amazonaws.com",
            "good.s3.amazonaws.com.evil.example",
            "good.s3-evil.example",
            "s3.amazonaws.com.evil.example",
            "evil.example",
            "evils3.amazonaws.com",
            "good.evils3.us-east-1.amazonaws.com",
            "good.s3.amazonaws.com.",
            "good.s3.evil.amazonaws.com",
            "good.s3.us-east-1.evil.amazonaws.com",
            "good.s3-website-us-east-1.amazonaws.com",
            "good.s3-website.us-east-1.amazonaws.com",
            "abc.execute-api.us-east-1.amazonaws.com",
            "ec2-1-2-3-4.us-west-2.compute.amazonaws.com",
            "lambda.us-east-1.amazonaws.com",
            "s3-accelerate.amazonaws.com",
            "good.s3-accelerate.us-east-1.amazonaws.com",
            "good.s3.dualstack.amazonaws.com.evil",
            "good.s3-accesspoint.us-east-1.amazonaws.com",
            "good.s3-fips.us-east-1.amazonaws.com",
            "good.s3-fips-us-gov-west-1.amazonaws.com",
            "good.s3.amazonaws.com.cn",
            "good.s3.us-east-1.amazonaws.com.cn",
            "good.s3.cn-north-1.amazonaws.com",
            "good.s3.xn--amazonaws.com",
            "good.s3.xamazonaws.com",
        ] {
            assert_eq!(parse_host(host), None, "{host}");
        }
    }

    #[test]
    fn leaves_an_empty_bucket_to_the_naming_rules() {
        assert_eq!(parse_host(".s3.amazonaws.com").unwrap().bucket, Some(""));
    }
}
