//! Parsing and writing keys.

use base64::Engine as _;
use signing::cloudfront::{KeyAlgorithm, KeyError, PrivateKey, PublicKey};

macro_rules! key {
    ($name:literal) => {
        include_str!(concat!("../keys/", $name, ".pem"))
    };
}

const P256: [&str; 2] = [key!("p256-sec1-with-parameters"), key!("p256-pkcs8")];
const RSA: [&str; 2] = [key!("rsa2048-pkcs1"), key!("rsa2048-pkcs8")];

#[test]
fn parses_every_key_format() {
    for (forms, public, algorithm) in [
        (P256, key!("p256-public"), KeyAlgorithm::EcdsaP256),
        (RSA, key!("rsa2048-public"), KeyAlgorithm::Rsa2048),
    ] {
        for pem in forms {
            let parameter = base64::engine::general_purpose::STANDARD.encode(pem);
            let wrapped = format!("  {}\n{}\r\n", &parameter[..60], &parameter[60..]);
            for key in [
                PrivateKey::from_pem(pem),
                PrivateKey::from_parameter(pem),
                PrivateKey::from_parameter(&format!("\n {}  ", pem.trim())),
                PrivateKey::from_parameter(&parameter),
                PrivateKey::from_parameter(&wrapped),
            ] {
                let key = key.unwrap();
                assert_eq!(key.algorithm(), algorithm);
                assert_eq!(key.public_key_pem().unwrap(), public);
            }
        }
        let public = PublicKey::from_pem(public).unwrap();
        assert_eq!(public.algorithm(), algorithm);
        assert_eq!(PublicKey::from_pem(&public.to_pem()), Ok(public));
    }
}

/// `openssl pkey -pubin -outform DER | sha256sum`.
#[test]
fn fingerprints_are_those_of_openssl() {
    for (pem, fingerprint) in [
        (key!("p256-public"), "7029ea9608c852a9171d9a6de32af6563fec48eb8682257dbd3d02ef75e109b9"),
        (key!("rsa2048-public"), "3677991de6427603c1509c6d1769720345c7f5b96090544089f95cda5277a70b"),
    ] {
        assert_eq!(PublicKey::from_pem(pem).unwrap().fingerprint(), fingerprint);
    }
}

#[test]
fn different_public_keys_are_not_equal() {
    let [p256, rsa] =
        [key!("p256-public"), key!("rsa2048-public")].map(|pem| PublicKey::from_pem(pem).unwrap());
    assert_ne!(p256, rsa);
    assert_ne!(p256, PrivateKey::generate_p256().unwrap().public_key().unwrap());
    assert_eq!(p256, p256.clone());
}

#[test]
fn writes_keys_like_openssl() {
    for (forms, pkcs8) in [(P256, key!("p256-pkcs8")), (RSA, key!("rsa2048-pkcs8"))] {
        for pem in forms {
            assert_eq!(*PrivateKey::from_pem(pem).unwrap().to_pkcs8_pem().unwrap(), pkcs8);
        }
    }
}

#[test]
fn generated_keys_round_trip() {
    for key in [PrivateKey::generate_p256().unwrap(), PrivateKey::generate_rsa().unwrap()] {
        let again = PrivateKey::from_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
        assert_eq!(again.public_key().unwrap(), key.public_key().unwrap());
    }
}

#[test]
fn rejects_unsupported_keys() {
    for (pem, error) in [
        (key!("rsa1024-pkcs1"), KeyError::Unsupported),
        (key!("rsa3072-pkcs8"), KeyError::Unsupported),
        (key!("p384-sec1"), KeyError::Unsupported),
        (key!("ed25519-pkcs8"), KeyError::Unsupported),
        (key!("p256-encrypted"), KeyError::Encrypted),
        (key!("rsa2048-pkcs1-encrypted"), KeyError::Encrypted),
        (key!("p256-public"), KeyError::InvalidPem),
        ("", KeyError::InvalidPem),
        ("bm90IGEga2V5", KeyError::InvalidPem),
        ("not base64!", KeyError::InvalidPem),
        ("/////w==", KeyError::InvalidPem),
    ] {
        assert_eq!(PrivateKey::from_parameter(pem).err(), Some(error), "{pem}");
    }
    for (pem, error) in [
        (key!("rsa3072-public"), KeyError::Unsupported),
        (key!("p384-public"), KeyError::Unsupported),
        (key!("ed25519-public"), KeyError::Unsupported),
        (key!("p256-pkcs8"), KeyError::InvalidPem),
    ] {
        assert_eq!(PublicKey::from_pem(pem).err(), Some(error), "{pem}");
    }
}

#[test]
fn errors_do_not_contain_the_key() {
    for pem in P256.into_iter().chain(RSA) {
        let secret_line = pem.lines().rev().nth(2).unwrap();
        let reversed: String = secret_line.chars().rev().collect();
        for damaged in [
            pem.replacen(secret_line, "", 1),
            pem.replacen(secret_line, &reversed, 1),
            pem.replacen("-----END", "-----EMD", 2),
        ] {
            let error = PrivateKey::from_pem(&damaged).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(secret_line));
        }
    }
}

#[test]
fn debug_output_has_no_keys() {
    for pem in [P256[1], RSA[1]] {
        let text = format!("{:?}", PrivateKey::from_pem(pem).unwrap());
        assert!(text.starts_with("PrivateKey { algorithm: ") && text.len() < 60, "{text}");
        let text = format!("{:?}", PrivateKey::from_pem(pem).unwrap().public_key().unwrap());
        assert!(text.starts_with("PublicKey { algorithm: ") && text.len() < 60, "{text}");
    }
}
