//! The CDN that serves the viewer assets, and the key that signs its links.

mod signature_cache;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use http::Uri;
use signing::cloudfront::{CustomPolicy, KeyPairId, SignError, SignedPolicy, Signer};
use signing::percent::encode_path;
use signing_keys::KeyRotation;

use signature_cache::SignatureCache;

/// The CDN that serves the viewer assets, and the key that signs its links.
#[derive(Clone)]
pub struct Cdn {
    origin: Arc<str>,
    // The inner `Arc` is cloned out, so the lock is never held while signing.
    signer: Arc<RwLock<Arc<LinkSigner>>>,
}

impl Cdn {
    /// `origin` is a scheme and a host, for example `https://d111111abcdef8.cloudfront.net`.
    #[must_use]
    pub fn new(origin: &str, signer: Signer) -> Self {
        let signer = Arc::new(LinkSigner::new(signer));
        Self { origin: origin.trim_end_matches('/').into(), signer: Arc::new(RwLock::new(signer)) }
    }

    /// The URL of an object, percent-encoded.
    pub(crate) fn url(&self, key: &str) -> String {
        format!("{}/{}", self.origin, encode_path(key))
    }

    /// The host without scheme and port. `None` if the origin is not a URL.
    pub(crate) fn host(&self) -> Option<String> {
        self.origin.parse::<Uri>().ok()?.host().map(str::to_ascii_lowercase)
    }

    /// The current signer. A caller that keeps it over a replacement still signs with the old key.
    #[must_use]
    pub(crate) fn signer(&self) -> Arc<LinkSigner> {
        // A poisoned lock is safe to use: the only write is one assignment.
        Arc::clone(&self.signer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reloads the key if the check is due at `now` (seconds since the Unix epoch), and signs with it from then on.
    pub async fn reload_signer(&self, rotation: &KeyRotation, now: u64) {
        if rotation.should_reload(now)
            && let Some(signer) = rotation.reload().await
        {
            self.replace_signer(signer);
        }
    }

    /// Replaces the signer in all clones, so that a key rotation needs no restart. The signatures of the old one go with
    /// it.
    pub fn replace_signer(&self, signer: Signer) {
        let signer = Arc::new(LinkSigner::new(signer));
        *self.signer.write().unwrap_or_else(PoisonError::into_inner) = signer;
    }
}

impl fmt::Debug for Cdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the signer, which holds the private key.
        f.debug_struct("Cdn").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// One key, and the signatures that it gave lately. A link that is signed twice for the same end is the same text, so that
/// caches of clients hit.
pub(crate) struct LinkSigner {
    signer: Signer,
    signatures: SignatureCache,
}

impl LinkSigner {
    fn new(signer: Signer) -> Self {
        Self { signer, signatures: SignatureCache::default() }
    }

    /// The key pair id in the links.
    pub(crate) fn key_pair_id(&self) -> &KeyPairId {
        self.signer.key_pair_id()
    }

    /// Signs exactly `url`, until `expires_at` in seconds since the Unix epoch.
    pub(crate) fn sign_url(&self, url: &str, expires_at: u64) -> Result<String, SignError> {
        let sign = || self.signer.sign_canned_policy(url, expires_at);
        Ok(self.signatures.find_or_sign(url, expires_at, sign)?.append_to(url))
    }

    /// Signs every URL beneath a directory. `resource` is the directory's URL, percent-encoded, with `/*` at its end.
    pub(crate) fn sign_directory(
        &self,
        resource: &str,
        expires_at: u64,
    ) -> Result<Arc<SignedPolicy>, SignError> {
        // Without the slash, the star would match siblings: `P45*` also matches `P456/secret`.
        if !resource.ends_with("/*") {
            return Err(SignError::InvalidUrl);
        }
        let sign = || self.signer.sign_custom_policy(&CustomPolicy::new(resource, expires_at)?);
        self.signatures.find_or_sign(resource, expires_at, sign)
    }
}

#[cfg(test)]
mod tests {
    use signing::cloudfront::{HashAlgorithm, PrivateKey};

    use super::*;

    const URL: &str = "https://d111111abcdef8.cloudfront.net/O1/D2/P4/a.bin";
    const RESOURCE: &str = "https://d111111abcdef8.cloudfront.net/O1/D2/P4/*";

    fn new_signer() -> Signer {
        // ECDSA, whose signatures are random.
        let key = PrivateKey::generate_p256().unwrap();
        Signer::new(KeyPairId::new("K2JCJMDEHXQW5F").unwrap(), key, HashAlgorithm::Sha256)
    }

    #[test]
    fn the_same_link_is_the_same_text() {
        let cdn = Cdn::new("https://d111111abcdef8.cloudfront.net/", new_signer());
        let signer = cdn.signer();
        let sign = |end| (signer.sign_url(URL, end).unwrap(), signer.sign_directory(RESOURCE, end).unwrap());
        assert_eq!(sign(100), sign(100));
        assert_ne!(sign(100).0, sign(101).0);
        assert_ne!(sign(100).1, sign(101).1);
        assert_eq!(cdn.clone().signer().sign_url(URL, 100).unwrap(), sign(100).0);
    }

    #[test]
    fn a_replaced_signer_gives_no_old_signatures() {
        let cdn = Cdn::new("https://d111111abcdef8.cloudfront.net/", new_signer());
        let old = cdn.signer();
        let before = old.sign_directory(RESOURCE, 100).unwrap();
        // The id is the same, the key is not.
        cdn.replace_signer(new_signer());
        let after = cdn.signer().sign_directory(RESOURCE, 100).unwrap();
        assert_ne!(before, after);
        // A request that began before the replacement does not bring an old signature back.
        assert_eq!(old.sign_directory(RESOURCE, 100).unwrap(), before);
        assert_eq!(cdn.signer().sign_directory(RESOURCE, 100).unwrap(), after);
    }

    #[test]
    fn a_directory_ends_in_a_slash_and_a_star() {
        let signer = LinkSigner::new(new_signer());
        for resource in ["https://h/P4*", "https://h/P4/", "*", ""] {
            assert_eq!(signer.sign_directory(resource, 100), Err(SignError::InvalidUrl), "{resource}");
        }
    }

    #[test]
    fn the_host_is_without_scheme_and_port() {
        for (origin, host) in [
            ("https://D111.cloudfront.net/", Some("d111.cloudfront.net")),
            ("http://127.0.0.1:4567", Some("127.0.0.1")),
            ("", None),
        ] {
            assert_eq!(Cdn::new(origin, new_signer()).host().as_deref(), host);
        }
    }
}
