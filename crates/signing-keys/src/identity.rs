//! Which public key at CloudFront a private key belongs to. CloudFront answers links with the wrong id with 403, and the
//! service, which signs without asking it, would not notice.

use signing::cloudfront::{KeyPairId, PublicKey};

use crate::{SigningKey, SigningKeyError};

/// Fingerprints of the private keys that are published with the source code: Terraform's first key, which opens nothing, and
/// the one that versions before had in its place.
const PUBLISHED: [&str; 2] = [
    "7f586b13dedeb00eb9a7f56667f9c943de31180a728526c5640111aefeaebf93",
    "e084dc186bd11196e64d5886f78e2c2ff5e2cea9ebe6965cd195455711bcb046",
];

/// Whether everybody has the private half of this key.
#[must_use]
pub fn is_published(key: &PublicKey) -> bool {
    PUBLISHED.contains(&key.fingerprint().as_str())
}

/// What the environment says that CloudFront trusts.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// The public key's id.
    pub id: KeyPairId,
    /// The public key itself, where that is known.
    pub public_key: Option<PublicKey>,
}

/// How it is known that a private key belongs to an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMatch {
    /// The key brings its id.
    Named,
    /// Its public half is the one that CloudFront has under the environment's id.
    Proven,
    /// It is as it was made, together with the environment's id.
    Assumed,
    /// It was written again later, without an id: the environment's may be the former key's.
    Unproven,
    /// Its public half is not the one that CloudFront has under this id.
    Mismatched,
}

impl KeyMatch {
    /// What an operator should know and do; `None` if all is well.
    #[must_use]
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Named | Self::Proven | Self::Assumed => None,
            Self::Unproven => Some(
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
    /// The id to sign with, and how far it is known to be right. An id that the key brings counts before the environment's,
    /// which may be left from the key before.
    pub fn identify(&self, trusted: Option<&TrustedKey>) -> Result<(KeyPairId, KeyMatch), SigningKeyError> {
        let public = self.key.public_key()?;
        let is_other = |trusted: &TrustedKey| trusted.public_key.as_ref().is_some_and(|key| *key != public);
        match (&self.id, trusted) {
            (Some(id), Some(trusted)) if *id == trusted.id && is_other(trusted) => {
                Ok((id.clone(), KeyMatch::Mismatched))
            }
            (Some(id), _) => Ok((id.clone(), KeyMatch::Named)),
            (None, None) => Err(SigningKeyError::NoId),
            (None, Some(trusted)) => {
                let found = match &trusted.public_key {
                    Some(_) if is_other(trusted) => KeyMatch::Mismatched,
                    Some(_) => KeyMatch::Proven,
                    None if self.version.is_some_and(|version| version > 1) => KeyMatch::Unproven,
                    None => KeyMatch::Assumed,
                };
                Ok((trusted.id.clone(), found))
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

    fn identified(key: &SigningKey, trusted: &TrustedKey) -> (String, KeyMatch) {
        let (id, found) = key.identify(Some(trusted)).unwrap();
        (id.to_string(), found)
    }

    #[test]
    fn an_id_beside_the_key_counts_before_the_environments() {
        let key = signing_key(Some("KNEW"), Some(7));
        assert_eq!(identified(&key, &trusted(None)), ("KNEW".to_owned(), KeyMatch::Named));
        assert_eq!(key.identify(None).unwrap().1, KeyMatch::Named);
        // The environment knows another key, under another id: it says nothing of this one.
        let other = signing_key(None, None).key.public_key().unwrap();
        assert_eq!(identified(&key, &trusted(Some(other.clone()))).1, KeyMatch::Named);
        let same_id = signing_key(Some("KENV"), None);
        assert_eq!(identified(&same_id, &trusted(Some(other))).1, KeyMatch::Mismatched);
    }

    #[test]
    fn a_key_without_an_id_is_held_against_the_public_key() {
        for version in [None, Some(1), Some(2)] {
            let key = signing_key(None, version);
            let own = key.key.public_key().unwrap();
            assert_eq!(identified(&key, &trusted(Some(own))), ("KENV".to_owned(), KeyMatch::Proven));
            let other = signing_key(None, None).key.public_key().unwrap();
            assert_eq!(identified(&key, &trusted(Some(other))).1, KeyMatch::Mismatched);
        }
    }

    #[test]
    fn a_key_that_was_written_again_without_an_id_is_doubted() {
        for (version, expected) in
            [(None, KeyMatch::Assumed), (Some(1), KeyMatch::Assumed), (Some(2), KeyMatch::Unproven)]
        {
            let (_, found) = identified(&signing_key(None, version), &trusted(None));
            assert_eq!(found, expected);
            assert_eq!(found.warning().is_some(), version == Some(2));
        }
        assert!(matches!(signing_key(None, None).identify(None), Err(SigningKeyError::NoId)));
    }

    /// If this fails, the default was changed: its fingerprint belongs into the list, and the former one stays there.
    #[test]
    fn the_default_of_terraform_is_known_to_be_published() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../terraform/ssm.tf");
        let variables = std::fs::read_to_string(path).unwrap();
        // Base64 of what every PEM begins with.
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
