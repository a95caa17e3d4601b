//! Parsing host names of S3 at AWS ("Virtual hosting of general purpose buckets", "Amazon S3 endpoints and quotas").
//!
//! A host is parsed from its right end, which must be a domain of AWS. A name that merely contains an S3 host is
//! therefore rejected. What is left of the endpoint is the whole bucket name, dots included.

use super::names::Region;
use super::partition::Partition;

/// The domain of the endpoints whose names have no dot between service and region.
const LEGACY_DOMAIN: &str = "amazonaws.com";

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
    /// Any region of the partition with global endpoints: `s3.amazonaws.com` and transfer acceleration.
    Global,
}

impl HostRegion {
    pub(super) fn accepts(&self, region: &Region) -> bool {
        match self {
            Self::Only(only) => only == region,
            Self::Global => Partition::of(region).has_global_endpoints,
        }
    }
}

/// Parses a lower-case host name. `None` if it is not an S3 host.
pub(super) fn parse_host(host: &str) -> Option<S3Host<'_>> {
    let in_domain = |domain| Some((domain, host.strip_suffix(domain)?.strip_suffix('.')?));
    let (domain, rest) = Partition::domains().find_map(in_domain)?;
    if let Some(found) = parse_regional(rest, domain) {
        return Some(found);
    }
    if domain == LEGACY_DOMAIN { parse_legacy(rest).or_else(|| parse_global(rest)) } else { None }
}

/// Parses `[{bucket}.]s3.{region}`, with `s3-fips` in place of `s3`, and with `dualstack` before the region.
fn parse_regional<'a>(rest: &'a str, domain: &str) -> Option<S3Host<'a>> {
    let (service, name) = rest.rsplit_once('.')?;
    let region = Region::new(name).ok().filter(|region| Partition::of(region).domain == domain)?;
    let service = service.strip_suffix(".dualstack").unwrap_or(service);
    S3Host::from_service_label(service, "s3", HostRegion::Only(region.clone()))
        .or_else(|| S3Host::from_service_label(service, "s3-fips", HostRegion::Only(region)))
}

/// Parses `[{bucket}.]s3-{region}`, and `[{bucket}.]s3-external-1` in us-east-1.
fn parse_legacy(rest: &str) -> Option<S3Host<'_>> {
    let last = rest.rsplit('.').next()?;
    let name = match last.strip_prefix("s3-")? {
        "external-1" => "us-east-1",
        // `s3-website-us-east-1` and `s3-fips-us-gov-west-1` are other services. A region of this form begins with two
        // letters.
        name if name.find('-') == Some(2) => name,
        _ => return None,
    };
    let region = Region::new(name).ok().filter(|region| Partition::of(region).domain == LEGACY_DOMAIN)?;
    S3Host::from_service_label(rest, last, HostRegion::Only(region))
}

/// Parses `[{bucket}.]s3`, `{bucket}.s3-accelerate` and `{bucket}.s3-accelerate.dualstack`.
fn parse_global(rest: &str) -> Option<S3Host<'_>> {
    // Transfer acceleration needs the bucket in the host name.
    let accelerated = ["s3-accelerate", "s3-accelerate.dualstack"]
        .iter()
        .find_map(|service| S3Host::from_service_label(rest, service, HostRegion::Global));
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
            ("good.s3-accelerate.dualstack.amazonaws.com", Some("good"), None),
            ("good.s3-fips.us-east-2.amazonaws.com", Some("good"), Some("us-east-2")),
            ("good.s3-fips.dualstack.ca-central-1.amazonaws.com", Some("good"), Some("ca-central-1")),
            ("s3-fips.us-gov-west-1.amazonaws.com", None, Some("us-gov-west-1")),
            ("good.s3-external-1.amazonaws.com", Some("good"), Some("us-east-1")),
            ("s3-external-1.amazonaws.com", None, Some("us-east-1")),
            ("s3-us-gov-west-1.amazonaws.com", None, Some("us-gov-west-1")),
            ("good.s3.dualstack.cn-north-1.amazonaws.com.cn", Some("good"), Some("cn-north-1")),
            ("good.s3.eusc-de-east-1.amazonaws.eu", Some("good"), Some("eusc-de-east-1")),
            ("good.s3.us-iso-east-1.c2s.ic.gov", Some("good"), Some("us-iso-east-1")),
            ("good.s3.us-isob-east-1.sc2s.sgov.gov", Some("good"), Some("us-isob-east-1")),
            ("s3.eu-isoe-west-1.cloud.adc-e.uk", None, Some("eu-isoe-west-1")),
            ("good.s3.us-isof-south-1.csp.hci.ic.gov", Some("good"), Some("us-isof-south-1")),
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
            "good.s3-fips.amazonaws.com",
            "evils3-fips.us-east-1.amazonaws.com",
            "s3-accelerate.dualstack.amazonaws.com",
            "good.s3-accelerate.dualstack.us-east-1.amazonaws.com",
            "good.s3-accelerate.amazonaws.com.cn",
            "good.s3-external-2.amazonaws.com",
            "good.s3-external-1.amazonaws.eu",
            "good.s3-eusc-de-east-1.amazonaws.eu",
            "good.s3.amazonaws.eu",
            "good.s3.eu-central-1.amazonaws.eu",
            "good.s3.eusc-de-east-1.amazonaws.com",
            "good.s3.us-east-1.c2s.ic.gov",
            "good.s3.us-iso-east-1.sc2s.sgov.gov",
            "good.s3.us-iso-east-1.ic.gov",
            "good.s3express-use1-az4.us-east-1.amazonaws.com",
            "good.s3-object-lambda.us-east-1.amazonaws.com",
            "good.s3-outposts.us-east-1.amazonaws.com",
            "good.vpce-1a2b-3c4d.s3.us-east-1.vpce.amazonaws.com",
            "good.s3.evil-amazonaws.eu",
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
