//! AWS's partitions: groups of regions with their own accounts, domain and bucket names.
//!
//! The table is that of `partitions.json` in AWS's SDKs. A bucket's name is unique within a partition only ("Bucket naming
//! rules"): in another one, anybody may own a bucket of the same name.

use super::names::Region;

/// A partition of AWS.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    /// The name in ARNs.
    pub(super) name: &'static str,
    /// The domain of its services.
    pub(super) domain: &'static str,
    /// How the names of its regions begin.
    region_prefixes: &'static [&'static str],
    /// Whether it has the endpoints of transfer acceleration, and one that stands for all its regions.
    pub(super) has_global_endpoints: bool,
}

/// The first one is also for regions that no entry has, as in AWS's SDKs.
static PARTITIONS: [Partition; 8] = [
    Partition {
        name: "aws",
        domain: "amazonaws.com",
        region_prefixes: &["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"],
        has_global_endpoints: true,
    },
    regional("aws-us-gov", "amazonaws.com", &["us-gov"]),
    regional("aws-cn", "amazonaws.com.cn", &["cn"]),
    regional("aws-eusc", "amazonaws.eu", &["eusc-de"]),
    regional("aws-iso", "c2s.ic.gov", &["us-iso"]),
    regional("aws-iso-b", "sc2s.sgov.gov", &["us-isob"]),
    regional("aws-iso-e", "cloud.adc-e.uk", &["eu-isoe"]),
    regional("aws-iso-f", "csp.hci.ic.gov", &["us-isof"]),
];

const fn regional(
    name: &'static str,
    domain: &'static str,
    region_prefixes: &'static [&'static str],
) -> Partition {
    Partition { name, domain, region_prefixes, has_global_endpoints: false }
}

impl Partition {
    /// The partition of a region.
    pub(super) fn of(region: &Region) -> &'static Self {
        let [aws, ..] = &PARTITIONS;
        PARTITIONS.iter().find(|partition| partition.has_region(region)).unwrap_or(aws)
    }

    /// Whether a region's name is one of this partition: `{prefix}-{word}-{number}`.
    pub(super) fn has_region(&self, region: &Region) -> bool {
        let area = region.as_str().rsplitn(3, '-').nth(2);
        area.is_some_and(|area| self.region_prefixes.contains(&area))
    }

    /// The domains of all partitions. None of them ends in a dot and another one of them.
    pub(super) fn domains() -> impl Iterator<Item = &'static str> {
        PARTITIONS.iter().map(|partition| partition.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    #[test]
    fn each_region_has_its_partition() {
        for (name, domain) in [
            ("us-east-1", "amazonaws.com"),
            ("mx-central-1", "amazonaws.com"),
            ("ap-southeast-7", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-northwest-1", "amazonaws.com.cn"),
            ("eusc-de-east-1", "amazonaws.eu"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("eu-isoe-west-1", "cloud.adc-e.uk"),
            ("us-isof-south-1", "csp.hci.ic.gov"),
            // No partition has it.
            ("nz-north-1", "amazonaws.com"),
        ] {
            assert_eq!(Partition::of(&region(name)).domain, domain, "{name}");
        }
        assert!(!std::ptr::eq(Partition::of(&region("us-east-1")), Partition::of(&region("us-gov-west-1"))));
    }

    #[test]
    fn regions_are_those_of_the_grammar() {
        let aws = Partition::of(&region("us-east-1"));
        for name in ["us-east-2", "il-central-1", "eu-south-2"] {
            assert!(aws.has_region(&region(name)), "{name}");
        }
        for name in ["us-gov-east-1", "cn-north-1", "us-iso-east-1", "xx-evil-1", "nz-north-1"] {
            assert!(!aws.has_region(&region(name)), "{name}");
        }
    }
}
