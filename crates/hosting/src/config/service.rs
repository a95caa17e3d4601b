//! What the API needs.

use std::path::PathBuf;

use packages::link_period::LinkWindow;
use signing::{
    cloudfront::{HashAlgorithm, KeyPairId, PublicKey},
    s3::Bucket,
};
use signing_keys::TrustedKey;

use crate::config::{
    ConfigError, Host, PlatformConfig, VariableLookup,
    reader::Reader,
    variables::{
        CLOUDFRONT_DISTRIBUTION_DOMAIN, CLOUDFRONT_HASH_ALGORITHM, CLOUDFRONT_KEY_ID,
        CLOUDFRONT_PRIVATE_KEY_FILE, CLOUDFRONT_PRIVATE_KEY_SSM_PARAM, CLOUDFRONT_PUBLIC_KEY,
        LINK_WINDOW_SECONDS, PENNSIEVE_DOMAIN, PROXY_ALLOWED_BUCKETS, RESTORE_PACKAGE_QUEUE_URL,
        STORAGE_BUCKETS, VIEWER_ASSETS_BUCKET,
    },
};

/// What the API needs.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// What all hosts need.
    pub platform: PlatformConfig,
    /// The platform's domain, which is the realm in a 401 response.
    pub domain: String,
    /// The bucket of viewer assets.
    pub viewer_assets: Bucket,
    /// The buckets of source files, as far as they are configured.
    pub source_buckets: Vec<Bucket>,
    /// Buckets that the proxy serves.
    pub proxy_buckets: Vec<Bucket>,
    /// How long presigned links of one file stay the same.
    pub link_window: LinkWindow,
    /// The CDN.
    pub cdn: CdnConfig,
    /// The URL of the queue of restore messages. Without one, the host's own process runs restores.
    pub restore_queue_url: Option<String>,
}

/// The CDN in front of the viewer assets.
#[derive(Debug, Clone)]
pub struct CdnConfig {
    /// Scheme and host.
    pub origin: String,
    /// The id of the public key at CloudFront.
    pub key_id: KeyPairId,
    /// The public key that has this id at CloudFront.
    pub public_key: Option<PublicKey>,
    /// Where the private key is.
    pub key: KeyLocation,
    /// The hash of signatures.
    pub hash: HashAlgorithm,
}

/// Where the private key is.
#[derive(Debug, Clone)]
pub enum KeyLocation {
    /// In the SSM parameter of this name.
    Parameter(String),
    /// In a file.
    File(PathBuf),
}

impl ServiceConfig {
    /// Reads what the API needs.
    pub fn read(host: Host, lookup: VariableLookup<'_>) -> Result<Self, ConfigError> {
        Reader::read_all(host, lookup, |env| {
            let platform = PlatformConfig::read(env);
            Self::read_part(env, platform)
        })
    }

    pub(super) fn read_part(env: &mut Reader<'_>, platform: Option<PlatformConfig>) -> Option<Self> {
        let domain = env.read(&PENNSIEVE_DOMAIN);
        let viewer_assets = env.read(&VIEWER_ASSETS_BUCKET);
        let source_buckets = env.read(&STORAGE_BUCKETS).unwrap_or_default();
        let own_buckets = viewer_assets.iter().chain(&source_buckets).cloned().collect();
        let proxy_buckets = env.read(&PROXY_ALLOWED_BUCKETS).unwrap_or(own_buckets);
        let link_window = env.read(&LINK_WINDOW_SECONDS);
        let cdn = CdnConfig::read(env);
        let restore_queue_url = env.read(&RESTORE_PACKAGE_QUEUE_URL);
        Some(Self {
            platform: platform?,
            domain: domain?,
            viewer_assets: viewer_assets?,
            source_buckets,
            proxy_buckets,
            link_window: link_window?,
            cdn: cdn?,
            restore_queue_url,
        })
    }
}

impl CdnConfig {
    fn read(env: &mut Reader<'_>) -> Option<Self> {
        let origin = env.read(&CLOUDFRONT_DISTRIBUTION_DOMAIN);
        let key_id = env.read(&CLOUDFRONT_KEY_ID);
        let public_key = env.read(&CLOUDFRONT_PUBLIC_KEY);
        let hash = env.read(&CLOUDFRONT_HASH_ALGORITHM);
        let key = match env.read(&CLOUDFRONT_PRIVATE_KEY_FILE) {
            Some(path) => Some(KeyLocation::File(path)),
            None => env.read(&CLOUDFRONT_PRIVATE_KEY_SSM_PARAM).map(KeyLocation::Parameter),
        };
        Some(Self { origin: origin?, key_id: key_id?, public_key, key: key?, hash: hash? })
    }

    /// The key that CloudFront trusts, as far as the configuration says.
    #[must_use]
    pub fn trusted_key(&self) -> TrustedKey {
        TrustedKey { id: self.key_id.clone(), public_key: self.public_key.clone() }
    }
}
