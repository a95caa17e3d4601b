//! The host names of S3 at AWS, exactly ("Virtual hosting of general purpose buckets", "Amazon S3 endpoints").
//!
//! A host is read from its right end, where the domain is AWS's, so no name that merely contains an S3 host fits:
//! what is left in front of the endpoint is the whole bucket, dots included.

use super::names::Region;

/// What an S3 host name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct S3Host<'a> {
    /// The bucket; without one it is in the path.
    pub(super) bucket: Option<&'a str>,
    pub(super) region: HostRegion,
}

/// Which regions a host serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostRegion {
    /// This one.
    Only(Region),
    /// Any outside China: the global and the accelerated endpoint.
    Global,
}

impl HostRegion {
    pub(super) fn serves(&self, region: &Region) -> bool {
        match self {
            Self::Only(only) => only == region,
            Self::Global => !region.is_in_china(),
        }
    }
}

/// Reads a host name in lower case. `None` if it is not S3's.
pub(super) fn parse(host: &str) -> Option<S3Host<'_>> {
    if let Some(rest) = host.strip_suffix(".amazonaws.com.cn") {
        return regional(rest)
            .filter(|found| matches!(&found.region, HostRegion::Only(r) if r.is_in_china()));
    }
    let rest = host.strip_suffix(".amazonaws.com")?;
    let found = regional(rest).or_else(|| global(rest))?;
    let elsewhere = matches!(&found.region, HostRegion::Only(region) if region.is_in_china());
    (!elsewhere).then_some(found)
}

/// `[{bucket}.]s3.{region}`, `[{bucket}.]s3.dualstack.{region}` and the old `[{bucket}.]s3-{region}`.
fn regional(rest: &str) -> Option<S3Host<'_>> {
    let last = rest.rsplit('.').next()?;
    if let Some(name) = last.strip_prefix("s3-") {
        // `s3-website-us-east-1`, `s3-fips-us-gov-west-1` and their kind are other services: a region in this old
        // form begins with two letters.
        let region = Region::new(name).ok().filter(|_| name.find('-') == Some(2))?;
        return S3Host::at(rest, last, HostRegion::Only(region));
    }
    let region = Region::new(last).ok()?;
    let service = rest.strip_suffix(last)?.strip_suffix('.')?;
    let service = service.strip_suffix(".dualstack").unwrap_or(service);
    S3Host::at(service, "s3", HostRegion::Only(region))
}

/// `[{bucket}.]s3` and `{bucket}.s3-accelerate`.
fn global(rest: &str) -> Option<S3Host<'_>> {
    let accelerated = S3Host::at(rest, "s3-accelerate", HostRegion::Global);
    accelerated.filter(|host| host.bucket.is_some()).or_else(|| S3Host::at(rest, "s3", HostRegion::Global))
}

impl<'a> S3Host<'a> {
    /// A host whose `name` is the label of a service, alone or after a bucket and a dot.
    fn at(name: &'a str, service: &str, region: HostRegion) -> Option<Self> {
        let before = name.strip_suffix(service)?;
        let bucket = before.strip_suffix('.');
        (before.is_empty() || bucket.is_some()).then_some(Self { bucket, region })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_s3() {
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
            let found = parse(host).unwrap_or_else(|| panic!("{host}"));
            let named = match &found.region {
                HostRegion::Only(region) => Some(region.as_str()),
                HostRegion::Global => None,
            };
            assert_eq!((found.bucket, named), (bucket, region), "{host}");
        }
    }

    #[test]
    fn hosts_of_others() {
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
            assert_eq!(parse(host), None, "{host}");
        }
    }

    #[test]
    fn an_empty_bucket_is_left_to_the_rules_for_names() {
        assert_eq!(parse(".s3.amazonaws.com").unwrap().bucket, Some(""));
    }
}
