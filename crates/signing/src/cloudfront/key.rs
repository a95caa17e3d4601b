//! Keys that CloudFront takes: RSA with 2,048 bits and ECDSA on P-256 ("Create key pairs for your signers").

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

use super::parameters::Hash;
use super::{legacy_sha1, pem};

/// The modulus of an RSA key with 2,048 bits.
const RSA_2048_BYTES: usize = 256;

const PRIVATE_LABELS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
const PUBLIC_LABEL: &str = "PUBLIC KEY";

/// The two kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// RSA with 2,048 bits, PKCS#1 v1.5 signatures of 256 bytes.
    Rsa2048,
    /// ECDSA on P-256, DER signatures of up to 72 bytes: shorter links, and many times faster to make.
    EcdsaP256,
}

/// Why a key was refused. No variant and no text holds any part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// There is no complete PEM block with a key in it.
    NotPem,
    /// The key is protected by a passphrase.
    Encrypted,
    /// The key is damaged, or neither RSA with 2,048 bits nor ECDSA on P-256.
    Unsupported,
    /// The cryptographic library failed, as it may when memory is short.
    Failed,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPem => "no complete PEM block with a key was found",
            Self::Encrypted => "the key is encrypted; store it without a passphrase",
            Self::Unsupported => "the key is neither RSA with 2048 bits nor ECDSA P-256, or it is damaged",
            Self::Failed => "the cryptographic library failed",
        })
    }
}

impl std::error::Error for KeyError {}

/// A signer's private key. It cannot be printed.
pub struct PrivateKey {
    pair: Pair,
    sha1: legacy_sha1::Key,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

/// The PEM file that a parameter holds, as it is or in base64, with what stands around the key in it.
pub fn parameter_text(value: &str) -> Result<Zeroizing<String>, KeyError> {
    if value.contains("-----BEGIN ") {
        return Ok(Zeroizing::new(value.to_owned()));
    }
    let decoded = pem::decode(value).ok_or(KeyError::NotPem)?;
    let text = str::from_utf8(&decoded).map_err(|_| KeyError::NotPem)?;
    Ok(Zeroizing::new(text.to_owned()))
}

impl PrivateKey {
    /// Reads PEM with a PKCS#8, PKCS#1 (`RSA PRIVATE KEY`) or SEC1 (`EC PRIVATE KEY`) block.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        // Covers both spellings: PKCS#8's own label and PKCS#1's `Proc-Type: 4,ENCRYPTED` header.
        if text.contains("ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        let (_, der) = pem::find(text, &PRIVATE_LABELS).ok_or(KeyError::NotPem)?;
        Self::from_der(&der)
    }

    /// Reads what a parameter store holds: PEM, or a PEM file in base64. White space around it is ignored.
    pub fn from_parameter(value: &str) -> Result<Self, KeyError> {
        Self::from_pem(&parameter_text(value)?)
    }

    /// Reads DER: PKCS#8, PKCS#1 or SEC1.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
            return Self::new(Pair::Rsa(pair));
        }
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der);
        Self::new(Pair::Ecdsa(pair.map_err(|_| KeyError::Unsupported)?))
    }

    /// Makes a new ECDSA P-256 key.
    pub fn generate_p256() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| KeyError::Failed)?;
        Self::new(Pair::Ecdsa(pair))
    }

    /// Makes a new RSA key with 2,048 bits. This takes tenths of a second.
    pub fn generate_rsa() -> Result<Self, KeyError> {
        Self::new(Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Failed)?))
    }

    fn new(pair: Pair) -> Result<Self, KeyError> {
        if matches!(&pair, Pair::Rsa(rsa) if rsa.public_modulus_len() != RSA_2048_BYTES) {
            return Err(KeyError::Unsupported);
        }
        let sha1 = legacy_sha1::Key::from_pkcs8(&pair.pkcs8()?).ok_or(KeyError::Failed)?;
        Ok(Self { pair, sha1 })
    }

    /// The kind of key.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self.pair {
            Pair::Rsa(_) => KeyAlgorithm::Rsa2048,
            Pair::Ecdsa(_) => KeyAlgorithm::EcdsaP256,
        }
    }

    /// The public half.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        let spki: PublicKeyX509Der<'_> = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
        }
        .map_err(|_| KeyError::Failed)?;
        PublicKey::from_der(spki.as_ref())
    }

    /// The public half as PEM, in the form which CloudFront's console and API take.
    pub fn public_key_pem(&self) -> Result<String, KeyError> {
        Ok(self.public_key()?.to_pem())
    }

    /// The key as PKCS#8 in PEM, for writing it to a file of its own.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(pem::write("PRIVATE KEY", &self.pair.pkcs8()?))
    }

    /// Signs `message`: PKCS#1 v1.5 for RSA, DER for ECDSA.
    pub(super) fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match hash {
            Hash::Sha1 => self.sha1.sign(message).ok_or(KeyError::Failed),
            Hash::Sha256 => self.pair.sign_sha256(message),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

impl Pair {
    fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self {
            Self::Rsa(pair) => pair.as_der().map(|der: Pkcs8V1Der<'_>| Zeroizing::new(der.as_ref().to_vec())),
            Self::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| Zeroizing::new(der.as_ref().to_vec())),
        }
        .map_err(|_| KeyError::Failed)
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
        .map_err(|_| KeyError::Failed)
    }
}

/// A signer's public key, which a [`Verifier`](super::Verifier) holds.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    spki: Vec<u8>,
    sha256: ParsedPublicKey,
}

impl PublicKey {
    /// Reads PEM with a `PUBLIC KEY` block (`SubjectPublicKeyInfo`).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (_, der) = pem::find(text, &[PUBLIC_LABEL]).ok_or(KeyError::NotPem)?;
        Self::from_der(&der)
    }

    /// Reads a `SubjectPublicKeyInfo` in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let (algorithm, parsed) = match ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der) {
            Ok(parsed) => (KeyAlgorithm::Rsa2048, Ok(parsed)),
            Err(_) => (KeyAlgorithm::EcdsaP256, ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der)),
        };
        let sha256 = parsed.map_err(|_| KeyError::Unsupported)?;
        let spki = sha256.as_der().map_err(|_| KeyError::Failed)?.as_ref().to_vec();
        if algorithm == KeyAlgorithm::Rsa2048 && rsa_bits(&spki) != Some(2048) {
            return Err(KeyError::Unsupported);
        }
        Ok(Self { algorithm, spki, sha256 })
    }

    /// The key as PEM, in the form which CloudFront's console and API take.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write(PUBLIC_LABEL, &self.spki).to_string()
    }

    /// The kind of key.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// What tells this key from others: SHA-256 of its `SubjectPublicKeyInfo` in DER, in hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(digest(&SHA256, &self.spki))
    }

    /// Whether `signature` is this key's over `message`.
    pub(super) fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        match hash {
            Hash::Sha256 => self.sha256.verify_sig(message, signature).is_ok(),
            Hash::Sha1 => {
                legacy_sha1::Key::from_spki(&self.spki).is_some_and(|key| key.verify(message, signature))
            }
        }
    }
}

fn rsa_bits(spki: &[u8]) -> Option<usize> {
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
