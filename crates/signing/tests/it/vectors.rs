//! Test vectors made by botocore and confirmed with the AWS CLI and OpenSSL. See `meta.readme` in each file.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct CloudFrontVectors {
    pub(crate) meta: CloudFrontMeta,
    pub(crate) vectors: Vec<CloudFrontVector>,
}

#[derive(Deserialize)]
pub(crate) struct CloudFrontMeta {
    pub(crate) rsa_private_key_pkcs1_der_base64: String,
    pub(crate) rsa_public_key_pem: String,
    pub(crate) ecdsa_public_key_pem: String,
}

#[derive(Deserialize)]
pub(crate) struct CloudFrontVector {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) hash: String,
    pub(crate) key_pair_id: String,
    pub(crate) url: String,
    pub(crate) resource: String,
    pub(crate) expires: u64,
    pub(crate) date_greater_than: Option<u64>,
    pub(crate) ip_address: Option<String>,
    pub(crate) policy: String,
    pub(crate) signature: String,
    pub(crate) signed_url: Option<String>,
    pub(crate) cookies: Option<BTreeMap<String, String>>,
    pub(crate) deterministic: bool,
    pub(crate) normative: bool,
}

#[derive(Deserialize)]
pub(crate) struct S3Vectors {
    pub(crate) vectors: Vec<S3Vector>,
}

#[derive(Deserialize)]
pub(crate) struct S3Vector {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) expires_in: u32,
    pub(crate) amz_date: String,
    pub(crate) params: BTreeMap<String, serde_json::Value>,
    pub(crate) canonical_request: String,
    pub(crate) signature: String,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) url: String,
}

pub(crate) fn load_cloudfront_vectors() -> CloudFrontVectors {
    serde_json::from_str(include_str!("../vectors/cloudfront.json")).unwrap()
}

/// One vector per region and form of bucket name, in the partitions aws, aws-us-gov and aws-cn.
pub(crate) fn load_s3_partition_vectors() -> S3Vectors {
    serde_json::from_str(include_str!("../vectors/s3-partitions.json")).unwrap()
}

pub(crate) fn load_s3_vectors() -> S3Vectors {
    serde_json::from_str(include_str!("../vectors/s3-presign.json")).unwrap()
}
