//! Keys that CloudFront accepts: RSA with 2,048 bits and ECDSA on P-256 ("Create key pairs for your signers").

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicEncryptingKey};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::parameters::HashAlgorithm;
use super::{legacy_sha1, pem};

/// The length of the modulus of an RSA key with 2,048 bits.
const RSA_2048_MODULUS_BYTES: usize = 256;

const PRIVATE_KEY_LABELS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
const PUBLIC_KEY_LABEL: &str = "PUBLIC KEY";

/// The algorithm of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// RSA with 2,048 bits. PKCS#1 v1.5 signatures of 256 bytes.
    Rsa2048,
    /// ECDSA on P-256. DER signatures of at most 72 bytes, so links are shorter, and signing is about 30 times faster.
    EcdsaP256,
}

/// Why a key was rejected. No variant and no text holds any part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no complete PEM block with a key.
    #[error("no complete PEM block with a key was found")]
    InvalidPem,
    /// The key is encrypted with a passphrase.
    #[error("the key is encrypted; store it without a passphrase")]
    Encrypted,
    /// The key is neither RSA with 2,048 bits nor ECDSA on P-256, or it is damaged.
    #[error("the key is neither RSA with 2048 bits nor ECDSA P-256, or it is damaged")]
    Unsupported,
    /// The cryptographic library failed, for example because it is out of memory.
    #[error("the cryptographic library failed")]
    CryptoFailure,
}

/// A signer's private key. It cannot be printed.
pub struct PrivateKey {
    pair: KeyPair,
    sha1: legacy_sha1::Sha1Key,
}

enum KeyPair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

/// Decodes the value of a secret parameter to the text of a PEM file. The value is PEM, or a PEM file in base64. Text
/// before and after the key is kept.
pub fn decode_pem_parameter(value: &str) -> Result<Zeroizing<String>, KeyError> {
    if value.contains("-----BEGIN ") {
        return Ok(Zeroizing::new(value.to_owned()));
    }
    let decoded = pem::decode_base64(value).ok_or(KeyError::InvalidPem)?;
    let text = str::from_utf8(&decoded).map_err(|_| KeyError::InvalidPem)?;
    Ok(Zeroizing::new(text.to_owned()))
}

impl PrivateKey {
    /// Parses PEM with a PKCS#8, PKCS#1 (`RSA PRIVATE KEY`) or SEC1 (`EC PRIVATE KEY`) block.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        // Matches PKCS#8's label `ENCRYPTED PRIVATE KEY` and PKCS#1's header `Proc-Type: 4,ENCRYPTED`.
        if text.contains("ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        let (_, der) = pem::find_block(text, &PRIVATE_KEY_LABELS).ok_or(KeyError::InvalidPem)?;
        Self::from_der(&der)
    }

    /// Parses the value of a secret parameter: PEM, or a PEM file in base64. Surrounding white space is ignored.
    pub fn from_parameter(value: &str) -> Result<Self, KeyError> {
        Self::from_pem(&decode_pem_parameter(value)?)
    }

    /// Parses DER: PKCS#8, PKCS#1 or SEC1.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        // DER does not say which format it is, so each is tried.
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
            return Self::new(KeyPair::Rsa(pair));
        }
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der);
        Self::new(KeyPair::Ecdsa(pair.map_err(|_| KeyError::Unsupported)?))
    }

    /// Generates an ECDSA P-256 key.
    pub fn generate_p256() -> Result<Self, KeyError> {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| KeyError::CryptoFailure)?;
        Self::new(KeyPair::Ecdsa(pair))
    }

    /// Generates an RSA key with 2,048 bits. This takes some tenths of a second.
    pub fn generate_rsa() -> Result<Self, KeyError> {
        Self::new(KeyPair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::CryptoFailure)?))
    }

    fn new(pair: KeyPair) -> Result<Self, KeyError> {
        if matches!(&pair, KeyPair::Rsa(rsa) if rsa.public_modulus_len() != RSA_2048_MODULUS_BYTES) {
            return Err(KeyError::Unsupported);
        }
        // Parsed once, because every SHA-1 signature needs it.
        let sha1 = legacy_sha1::Sha1Key::from_pkcs8(&pair.to_pkcs8()?).ok_or(KeyError::CryptoFailure)?;
        Ok(Self { pair, sha1 })
    }

    /// The algorithm of the key.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self.pair {
            KeyPair::Rsa(_) => KeyAlgorithm::Rsa2048,
            KeyPair::Ecdsa(_) => KeyAlgorithm::EcdsaP256,
        }
    }

    /// The public key.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        let spki: PublicKeyX509Der<'_> = match &self.pair {
            KeyPair::Rsa(pair) => pair.public_key().as_der(),
            KeyPair::Ecdsa(pair) => pair.public_key().as_der(),
        }
        .map_err(|_| KeyError::CryptoFailure)?;
        PublicKey::from_der(spki.as_ref())
    }

    /// The public key as PEM, in the form that CloudFront's console and API accept.
    pub fn public_key_pem(&self) -> Result<String, KeyError> {
        Ok(self.public_key()?.to_pem())
    }

    /// The private key as PKCS#8 in PEM.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(pem::write_block("PRIVATE KEY", &self.pair.to_pkcs8()?))
    }

    /// Signs `message`: PKCS#1 v1.5 for RSA, DER for ECDSA.
    pub(super) fn sign(&self, hash: HashAlgorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match hash {
            HashAlgorithm::Sha1 => self.sha1.sign(message).ok_or(KeyError::CryptoFailure),
            HashAlgorithm::Sha256 => self.pair.sign_sha256(message),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

impl KeyPair {
    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self {
            Self::Rsa(pair) => pair.as_der().map(|der: Pkcs8V1Der<'_>| Zeroizing::new(der.as_ref().to_vec())),
            Self::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| Zeroizing::new(der.as_ref().to_vec())),
        }
        .map_err(|_| KeyError::CryptoFailure)
    }

    fn sign_sha256(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
            Self::Ecdsa(pair) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
        }
        .map_err(|_| KeyError::CryptoFailure)
    }
}

/// A signer's public key, for a [`Verifier`](super::Verifier).
#[derive(Clone)]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    spki: Vec<u8>,
    sha256: ParsedPublicKey,
}

impl PublicKey {
    /// Parses PEM with a `PUBLIC KEY` block (`SubjectPublicKeyInfo`).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (_, der) = pem::find_block(text, &[PUBLIC_KEY_LABEL]).ok_or(KeyError::InvalidPem)?;
        Self::from_der(&der)
    }

    /// Parses a `SubjectPublicKeyInfo` in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let (algorithm, parsed) = match ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der) {
            Ok(parsed) => (KeyAlgorithm::Rsa2048, Ok(parsed)),
            Err(_) => (KeyAlgorithm::EcdsaP256, ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der)),
        };
        let sha256 = parsed.map_err(|_| KeyError::Unsupported)?;
        let spki = sha256.as_der().map_err(|_| KeyError::CryptoFailure)?.as_ref().to_vec();
        // The verification algorithm accepts up to 8,192 bits, CloudFront only 2,048.
        if algorithm == KeyAlgorithm::Rsa2048 && rsa_key_bits(&spki) != Some(2048) {
            return Err(KeyError::Unsupported);
        }
        Ok(Self { algorithm, spki, sha256 })
    }

    /// The key as PEM, in the form that CloudFront's console and API accept.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write_block(PUBLIC_KEY_LABEL, &self.spki).to_string()
    }

    /// The algorithm of the key.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// SHA-256 of the key's `SubjectPublicKeyInfo` in DER, as hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(digest(&SHA256, &self.spki))
    }

    /// Whether `signature` is a signature of `message` by this key.
    pub(super) fn verify(&self, hash: HashAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        match hash {
            HashAlgorithm::Sha256 => self.sha256.verify_sig(message, signature).is_ok(),
            HashAlgorithm::Sha1 => {
                legacy_sha1::Sha1Key::from_spki(&self.spki).is_some_and(|key| key.verify(message, signature))
            }
        }
    }
}

fn rsa_key_bits(spki: &[u8]) -> Option<usize> {
    Some(PublicEncryptingKey::from_der(spki).ok()?.key_size_bits())
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
