//! Whether a private key belongs to the key id that links name. CloudFront answers links with a wrong id with 403, and the
//! service does not notice, because signing calls no server.

use signing::cloudfront::{KeyPairId, PublicKey};

use crate::{SigningKey, SigningKeyError};

/// Fingerprints of the private keys that are published with the source code: Terraform's first key, which CloudFront does
/// not trust, and the one of former versions.
const PUBLISHED_KEYS: [&str; 2] = [
    "7f586b13dedeb00eb9a7f56667f9c943de31180a728526c5640111aefeaebf93",
    "e084dc186bd11196e64d5886f78e2c2ff5e2cea9ebe6965cd195455711bcb046",
];

/// Whether the private half of this key is published with the source code.
#[must_use]
pub fn is_published(key: &PublicKey) -> bool {
    PUBLISHED_KEYS.contains(&key.fingerprint().as_str())
}

/// The key that CloudFront trusts, according to the environment.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// The public key's id.
    pub id: KeyPairId,
    /// The public key itself, if it is configured.
    pub public_key: Option<PublicKey>,
}

/// How far it is known that a private key belongs to its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMatch {
    /// The key's file or parameter names the id.
    Named,
    /// Its public half equals the public key of the environment's id.
    Verified,
    /// It is in its first version, which was created together with the environment's id.
    Assumed,
    /// It was replaced later, without an id: the environment's id may be the former key's.
    Unverified,
    /// Its public half differs from the public key of this id.
    Mismatched,
}

impl KeyMatch {
    /// A warning for the operator, with what to do.
    #[must_use]
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Named | Self::Verified | Self::Assumed => None,
            Self::Unverified => Some(
                "the signing key was replaced and names no key id: if CLOUDFRONT_KEY_ID is not its id, CloudFront \
                 answers links with 403. Put a line Key-Pair-Id: before the key, or run \
                 terraform/replace-cloudfront-keys.sh",
            ),
            Self::Mismatched => Some(
                "the signing key does not belong to the public key of its id: CloudFront answers links with 403. Run \
                 terraform/replace-cloudfront-keys.sh, or put the private key of that public key in its place",
            ),
        }
    }
}

impl SigningKey {
    /// The id to sign with, and how far it is known to be right. The key's own id takes precedence over the environment's,
    /// which may be a former key's.
    pub fn resolve_id(&self, trusted: Option<&TrustedKey>) -> Result<(KeyPairId, KeyMatch), SigningKeyError> {
        let public = self.key.public_key()?;
        let is_other = |trusted: &TrustedKey| trusted.public_key.as_ref().is_some_and(|key| *key != public);
        match (&self.id, trusted) {
            (Some(id), Some(trusted)) if *id == trusted.id && is_other(trusted) => {
                Ok((id.clone(), KeyMatch::Mismatched))
            }
            (Some(id), _) => Ok((id.clone(), KeyMatch::Named)),
            (None, None) => Err(SigningKeyError::MissingKeyId),
            (None, Some(trusted)) => {
                let key_match = match &trusted.public_key {
                    Some(_) if is_other(trusted) => KeyMatch::Mismatched,
                    Some(_) => KeyMatch::Verified,
                    None if self.version.is_some_and(|version| version > 1) => KeyMatch::Unverified,
                    None => KeyMatch::Assumed,
                };
                Ok((trusted.id.clone(), key_match))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use signing::cloudfront::PrivateKey;

    use super::*;

    fn signing_key(id: Option<&str>, version: Option<u64>) -> SigningKey {
        let key = PrivateKey::generate_p256().unwrap();
        SigningKey { id: id.map(|id| KeyPairId::new(id).unwrap()), key, changed_at: None, version }
    }

    fn trusted(public_key: Option<PublicKey>) -> TrustedKey {
        TrustedKey { id: KeyPairId::new("KENV").unwrap(), public_key }
    }

    fn resolve(key: &SigningKey, trusted: &TrustedKey) -> (String, KeyMatch) {
        let (id, key_match) = key.resolve_id(Some(trusted)).unwrap();
        (id.to_string(), key_match)
    }

    #[test]
    fn an_id_beside_the_key_takes_precedence() {
        let key = signing_key(Some("KNEW"), Some(7));
        assert_eq!(resolve(&key, &trusted(None)), ("KNEW".to_owned(), KeyMatch::Named));
        assert_eq!(key.resolve_id(None).unwrap().1, KeyMatch::Named);
        // The environment has another key with another id: it says nothing about this one.
        let other = signing_key(None, None).key.public_key().unwrap();
        assert_eq!(resolve(&key, &trusted(Some(other.clone()))).1, KeyMatch::Named);
        let same_id = signing_key(Some("KENV"), None);
        assert_eq!(resolve(&same_id, &trusted(Some(other))).1, KeyMatch::Mismatched);
    }

    #[test]
    fn a_key_without_an_id_is_compared_with_the_public_key() {
        for version in [None, Some(1), Some(2)] {
            let key = signing_key(None, version);
            let own = key.key.public_key().unwrap();
            assert_eq!(resolve(&key, &trusted(Some(own))), ("KENV".to_owned(), KeyMatch::Verified));
            let other = signing_key(None, None).key.public_key().unwrap();
            assert_eq!(resolve(&key, &trusted(Some(other))).1, KeyMatch::Mismatched);
        }
    }

    #[test]
    fn a_replaced_key_without_an_id_is_unverified() {
        for (version, expected) in
            [(None, KeyMatch::Assumed), (Some(1), KeyMatch::Assumed), (Some(2), KeyMatch::Unverified)]
        {
            let (_, key_match) = resolve(&signing_key(None, version), &trusted(None));
            assert_eq!(key_match, expected);
            assert_eq!(key_match.warning().is_some(), version == Some(2));
        }
        assert!(matches!(signing_key(None, None).resolve_id(None), Err(SigningKeyError::MissingKeyId)));
    }

    /// If this fails, Terraform's first key has changed: add its fingerprint to the list, and keep the former one.
    #[test]
    fn the_default_of_terraform_is_known_to_be_published() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../terraform/ssm.tf");
        let variables = std::fs::read_to_string(path).unwrap();
        // Base64 of `-----BEGIN`.
        let defaults: Vec<&str> =
            variables.split('"').filter(|text| text.starts_with("LS0tLS1CRUdJTi")).collect();
        assert!(!defaults.is_empty());
        for default in defaults {
            let key = PrivateKey::from_parameter(default).unwrap().public_key().unwrap();
            assert!(is_published(&key), "{}", key.fingerprint());
        }
        assert!(!is_published(&signing_key(None, None).key.public_key().unwrap()));
    }
}
