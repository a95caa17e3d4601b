//! CloudFront links, byte for byte where the signature allows it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use signing::cloudfront::{
    CustomPolicy, Hash, KeyAlgorithm, KeyPairId, PrivateKey, PublicKey, Refused, Signer, Verified, Verifier,
};

use crate::vectors::{CloudFront, CloudFrontVector, cloudfront};

impl CloudFront {
    fn rsa_key(&self) -> PrivateKey {
        let der =
            base64::engine::general_purpose::STANDARD.decode(&self.meta.rsa_private_key_pkcs1_der_base64);
        PrivateKey::from_der(&der.unwrap()).unwrap()
    }

    /// The public key that signed `vector`: ECDSA signatures are a third as long.
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

    /// A signer for each vector that a signer can repeat.
    fn signed(&self) -> impl Iterator<Item = (&CloudFrontVector, Signer)> {
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

    fn hash(&self) -> Hash {
        self.hash.parse().unwrap()
    }

    fn custom_policy(&self) -> CustomPolicy {
        let mut policy = CustomPolicy::new(&self.resource, self.expires).unwrap();
        if let Some(start) = self.date_greater_than {
            policy = policy.starts_at(start);
        }
        match &self.ip_address {
            Some(range) => policy.ip_address(range).unwrap(),
            None => policy,
        }
    }

    /// An address which the policy admits.
    fn client(&self) -> Option<IpAddr> {
        self.ip_address.as_ref().map(|range| range.split('/').next().unwrap().parse().unwrap())
    }

    fn verify_with(&self, verifier: &Verifier, now: u64) -> Result<Verified, Refused> {
        match (&self.signed_url, &self.cookies) {
            (Some(url), None) => verifier.verify(url, now, self.client()),
            (None, Some(cookies)) => {
                let cookies: Vec<_> =
                    cookies.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                verifier.verify_cookies(&self.url.replace('*', "x"), &cookies, now, self.client())
            }
            _ => panic!("{} has a URL or cookies", self.id),
        }
    }
}

#[test]
fn policies_are_the_same_bytes() {
    for vector in cloudfront().normative() {
        assert_eq!(vector.custom_policy().to_json(), vector.policy, "{}", vector.id);
    }
}

#[test]
fn links_and_cookies_are_the_same_bytes() {
    let vectors = cloudfront();
    let mut compared = 0;
    for (vector, signer) in vectors.signed() {
        let id = &vector.id;
        let url = match vector.kind.as_str() {
            "canned" => signer.sign_canned(&vector.url, vector.expires).ok(),
            "custom" => signer.sign_custom(&vector.url, &vector.custom_policy()).ok(),
            _ => None,
        };
        let cookies = match vector.kind.as_str() {
            "cookie-canned" => signer.canned_cookies(&vector.url, vector.expires).ok(),
            "cookie-custom" => signer.custom_cookies(&vector.custom_policy()).ok(),
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
fn every_signature_verifies_until_it_ends() {
    let vectors = cloudfront();
    for vector in vectors.normative() {
        let verifier = vectors.verifier(vector);
        let verified = vector.verify_with(&verifier, vector.expires - 1);
        let expected =
            Verified { key_pair_id: vector.key_pair_id(), expires_at: vector.expires, hash: vector.hash() };
        assert_eq!(verified, Ok(expected), "{}", vector.id);
        assert_eq!(vector.verify_with(&verifier, vector.expires), Err(Refused::Expired), "{}", vector.id);
    }
}

#[test]
fn conditions_of_signed_policies_are_kept() {
    let vectors = cloudfront();
    for vector in vectors.normative().filter(|vector| vector.signed_url.is_some()) {
        let verifier = vectors.verifier(vector);
        let url = vector.signed_url.as_deref().unwrap();
        if let Some(start) = vector.date_greater_than {
            assert_eq!(vector.verify_with(&verifier, start), Err(Refused::NotYetValid), "{}", vector.id);
        }
        if vector.ip_address.is_some() {
            let elsewhere = verifier.verify(url, vector.expires - 1, Some("2001:db8::1".parse().unwrap()));
            assert_eq!(elsewhere, Err(Refused::OtherAddress), "{}", vector.id);
        }
        if vector.kind == "custom" && vector.resource != "*" {
            let elsewhere = url.replacen("://", "://evil.", 1).replacen(".net", ".org", 1);
            let refused = verifier.verify(&elsewhere, vector.expires - 1, vector.client());
            let star_host = vector.resource.contains("*.example.com");
            assert_eq!(refused.is_err(), !star_host, "{}", vector.id);
        }
    }
}

#[test]
fn another_key_or_another_hash_does_not_verify() {
    let vectors = cloudfront();
    for vector in vectors.normative() {
        let now = vector.expires - 1;
        let stranger = PrivateKey::generate_p256().unwrap().public_key().unwrap();
        let impostor = Verifier::new().with_key(vector.key_pair_id(), stranger);
        assert_eq!(vector.verify_with(&impostor, now), Err(Refused::BadSignature), "{}", vector.id);
        let other_id = Verifier::new().with_key("K0".parse().unwrap(), vectors.public_key(vector));
        assert_eq!(vector.verify_with(&other_id, now), Err(Refused::UnknownKey), "{}", vector.id);

        let Some(url) = &vector.signed_url else { continue };
        let announced = match vector.hash() {
            Hash::Sha256 => url.replace("&Hash-Algorithm=SHA256", ""),
            Hash::Sha1 => format!("{url}&Hash-Algorithm=SHA256"),
        };
        let refused = vectors.verifier(vector).verify(&announced, now, vector.client());
        assert_eq!(refused, Err(Refused::BadSignature), "{}", vector.id);
    }
}

#[test]
fn the_keys_of_the_vectors_belong_together() {
    let vectors = cloudfront();
    let key = vectors.rsa_key();
    assert_eq!(key.algorithm(), KeyAlgorithm::Rsa2048);
    assert_eq!(key.public_key_pem().unwrap(), vectors.meta.rsa_public_key_pem);
}
