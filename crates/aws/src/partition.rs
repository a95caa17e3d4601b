//! AWS's partitions, each with a DNS suffix of its own.

use signing::s3::Region;

/// The DNS suffix of the host names of services in a region: `sqs.{region}.{suffix}` (AWS General Reference, "AWS
/// service endpoints"; for China "Endpoints and ARNs for Amazon Web Services in China").
///
/// The partitions `aws` and `aws-us-gov` share one suffix. Isolated partitions are not known here: set
/// `AWS_ENDPOINT_URL` for them.
#[must_use]
pub fn dns_suffix(region: &Region) -> &'static str {
    if region.as_str().starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn china_has_a_suffix_of_its_own() {
        for (region, suffix) in [
            ("us-east-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("ca-central-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("cn-northwest-1", "amazonaws.com.cn"),
        ] {
            assert_eq!(dns_suffix(&Region::new(region).unwrap()), suffix, "{region}");
        }
    }
}
