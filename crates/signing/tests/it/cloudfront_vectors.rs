//! CloudFront links against test vectors: equal bytes where the signature is deterministic.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use signing::cloudfront::{
    CustomPolicy, HashAlgorithm, KeyAlgorithm, KeyPairId, PrivateKey, PublicKey, Signer, VerifiedSignature,
    Verifier, VerifyError,
};

use crate::vectors::{CloudFrontVector, CloudFrontVectors, load_cloudfront_vectors};

impl CloudFrontVectors {
    fn rsa_key(&self) -> PrivateKey {
        let der =
            base64::engine::general_purpose::STANDARD.decode(&self.meta.rsa_private_key_pkcs1_der_base64);
        PrivateKey::from_der(&der.unwrap()).unwrap()
    }

    /// The public key that signed `vector`. RSA signatures are three times as long as ECDSA signatures.
    fn public_key(&self, vector: &CloudFrontVector) -> PublicKey {
        let is_rsa = vector.signature.len() > 200;
        PublicKey::from_pem(if is_rsa {
            &self.meta.rsa_public_key_pem
        } else {
            &self.meta.ecdsa_public_key_pem
        })
        .unwrap()
    }

    fn verifier(&self, vector: &CloudFrontVector) -> Verifier {
        Verifier::new().with_key(vector.key_pair_id(), self.public_key(vector))
    }

    /// A signer for each vector with a deterministic signature.
    fn with_signers(&self) -> impl Iterator<Item = (&CloudFrontVector, Signer)> {
        self.normative().filter(|vector| vector.deterministic).map(|vector| {
            let signer = Signer::new(vector.key_pair_id(), self.rsa_key(), vector.hash());
            (vector, signer)
        })
    }

    fn normative(&self) -> impl Iterator<Item = &CloudFrontVector> {
        self.vectors.iter().filter(|vector| vector.normative)
    }
}

impl CloudFrontVector {
    fn key_pair_id(&self) -> KeyPairId {
        self.key_pair_id.parse().unwrap()
    }

    fn hash(&self) -> HashAlgorithm {
        self.hash.parse().unwrap()
    }

    fn custom_policy(&self) -> CustomPolicy {
        let mut policy = CustomPolicy::new(&self.resource, self.expires).unwrap();
        if let Some(start) = self.date_greater_than {
            policy = policy.with_start(start);
        }
        match &self.ip_address {
            Some(range) => policy.with_ip_range(range).unwrap(),
            None => policy,
        }
    }

    /// An address that the policy allows.
    fn client_address(&self) -> Option<IpAddr> {
        self.ip_address.as_ref().map(|range| range.split('/').next().unwrap().parse().unwrap())
    }

    fn verify_with(&self, verifier: &Verifier, now: u64) -> Result<VerifiedSignature, VerifyError> {
        match (&self.signed_url, &self.cookies) {
            (Some(url), None) => verifier.verify_url(url, now, self.client_address()),
            (None, Some(cookies)) => {
                let cookies: Vec<_> =
                    cookies.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                verifier.verify_cookies(&self.url.replace('*', "x"), &cookies, now, self.client_address())
            }
            _ => panic!("{} has a URL or cookies", self.id),
        }
    }
}

#[test]
fn policies_equal_the_vectors() {
    for vector in load_cloudfront_vectors().normative() {
        assert_eq!(vector.custom_policy().to_json(), vector.policy, "{}", vector.id);
    }
}

#[test]
fn links_and_cookies_equal_the_vectors() {
    let vectors = load_cloudfront_vectors();
    let mut compared = 0;
    for (vector, signer) in vectors.with_signers() {
        let id = &vector.id;
        let url = match vector.kind.as_str() {
            "canned" => signer.sign_canned_url(&vector.url, vector.expires).ok(),
            "custom" => signer.sign_custom_url(&vector.url, &vector.custom_policy()).ok(),
            _ => None,
        };
        let cookies = match vector.kind.as_str() {
            "cookie-canned" => signer.sign_canned_cookies(&vector.url, vector.expires).ok(),
            "cookie-custom" => signer.sign_custom_cookies(&vector.custom_policy()).ok(),
            _ => None,
        };
        let cookies: Option<BTreeMap<_, _>> =
            cookies.map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        assert_eq!(url, vector.signed_url, "{id}");
        assert_eq!(cookies, vector.cookies, "{id}");
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn every_signature_verifies_until_it_expires() {
    let vectors = load_cloudfront_vectors();
    for vector in vectors.normative() {
        let verifier = vectors.verifier(vector);
        let verified = vector.verify_with(&verifier, vector.expires - 1);
        let expected = VerifiedSignature {
            key_pair_id: vector.key_pair_id(),
            expires_at: vector.expires,
            hash: vector.hash(),
        };
        assert_eq!(verified, Ok(expected), "{}", vector.id);
        assert_eq!(vector.verify_with(&verifier, vector.expires), Err(VerifyError::Expired), "{}", vector.id);
    }
}

#[test]
fn checks_the_conditions_of_signed_policies() {
    let vectors = load_cloudfront_vectors();
    for vector in vectors.normative().filter(|vector| vector.signed_url.is_some()) {
        let verifier = vectors.verifier(vector);
        let url = vector.signed_url.as_deref().unwrap();
        if let Some(start) = vector.date_greater_than {
            assert_eq!(vector.verify_with(&verifier, start), Err(VerifyError::NotYetValid), "{}", vector.id);
        }
        if vector.ip_address.is_some() {
            let elsewhere =
                verifier.verify_url(url, vector.expires - 1, Some("2001:db8::1".parse().unwrap()));
            assert_eq!(elsewhere, Err(VerifyError::ClientAddressMismatch), "{}", vector.id);
        }
        if vector.kind == "custom" && vector.resource != "*" {
            let elsewhere = url.replacen("://", "://evil.", 1).replacen(".net", ".org", 1);
            let refused = verifier.verify_url(&elsewhere, vector.expires - 1, vector.client_address());
            let star_host = vector.resource.contains("*.example.com");
            assert_eq!(refused.is_err(), !star_host, "{}", vector.id);
        }
    }
}

#[test]
fn rejects_another_key_or_hash_algorithm() {
    let vectors = load_cloudfront_vectors();
    for vector in vectors.normative() {
        let now = vector.expires - 1;
        let other_key = PrivateKey::generate_p256().unwrap().public_key().unwrap();
        let other_verifier = Verifier::new().with_key(vector.key_pair_id(), other_key);
        assert_eq!(
            vector.verify_with(&other_verifier, now),
            Err(VerifyError::SignatureMismatch),
            "{}",
            vector.id
        );
        let other_id = Verifier::new().with_key("K0".parse().unwrap(), vectors.public_key(vector));
        assert_eq!(vector.verify_with(&other_id, now), Err(VerifyError::UnknownKey), "{}", vector.id);

        let Some(url) = &vector.signed_url else { continue };
        let announced = match vector.hash() {
            HashAlgorithm::Sha256 => url.replace("&Hash-Algorithm=SHA256", ""),
            HashAlgorithm::Sha1 => format!("{url}&Hash-Algorithm=SHA256"),
        };
        let refused = vectors.verifier(vector).verify_url(&announced, now, vector.client_address());
        assert_eq!(refused, Err(VerifyError::SignatureMismatch), "{}", vector.id);
    }
}

#[test]
fn the_keys_of_the_vectors_are_a_pair() {
    let vectors = load_cloudfront_vectors();
    let key = vectors.rsa_key();
    assert_eq!(key.algorithm(), KeyAlgorithm::Rsa2048);
    assert_eq!(key.public_key_pem().unwrap(), vectors.meta.rsa_public_key_pem);
}
