//! AWS's partitions. A bucket's name is unique in one of them, and credentials work in one of them.

use signing::s3::Region;

/// The partitions and how the names of their regions begin (`partitions.json` of AWS's SDKs). All others are in `aws`.
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

/// The partition of a region, as ARNs name it.
pub(crate) fn partition(region: &Region) -> &'static str {
    let found = PARTITIONS.iter().find(|(start, _)| region.as_str().starts_with(start));
    found.map_or("aws", |(_, partition)| partition)
}
