//! The parameters that carry a signature, in a query and in cookies, and the small types they hold.

use std::fmt;
use std::str::FromStr;

/// Where a request carries its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Query,
    Cookies,
}

/// The parameters of a signature. A link has `Expires` or `Policy`, and `Hash-Algorithm` only for SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Expires,
    Policy,
    Signature,
    KeyPairId,
    HashAlgorithm,
}

impl Parameter {
    const ALL: [Self; 5] =
        [Self::Expires, Self::Policy, Self::Signature, Self::KeyPairId, Self::HashAlgorithm];

    pub(super) fn name(self, carrier: Carrier) -> &'static str {
        match (self, carrier) {
            (Self::Expires, Carrier::Query) => "Expires",
            (Self::Policy, Carrier::Query) => "Policy",
            (Self::Signature, Carrier::Query) => "Signature",
            (Self::KeyPairId, Carrier::Query) => "Key-Pair-Id",
            (Self::HashAlgorithm, Carrier::Query) => "Hash-Algorithm",
            (Self::Expires, Carrier::Cookies) => "CloudFront-Expires",
            (Self::Policy, Carrier::Cookies) => "CloudFront-Policy",
            (Self::Signature, Carrier::Cookies) => "CloudFront-Signature",
            (Self::KeyPairId, Carrier::Cookies) => "CloudFront-Key-Pair-Id",
            (Self::HashAlgorithm, Carrier::Cookies) => "CloudFront-Hash-Algorithm",
        }
    }

    pub(super) fn of_name(name: &str, carrier: Carrier) -> Option<Self> {
        Self::ALL.into_iter().find(|parameter| parameter.name(carrier) == name)
    }

    /// The parameter which one `name=value` piece of a query sets, if it is one of ours.
    pub(super) fn of_piece(piece: &str) -> Option<(Self, &str)> {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        Some((Self::of_name(name, Carrier::Query)?, value))
    }
}

/// The id which CloudFront gave to a public key, such as `K2JCJMDEHXQW5F`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPairId(String);

impl KeyPairId {
    /// Accepts 1 to 64 ASCII letters and digits.
    pub fn new(id: impl Into<String>) -> Result<Self, InvalidKeyPairId> {
        let id = id.into();
        let valid = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if valid { Ok(Self(id)) } else { Err(InvalidKeyPairId) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyPairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyPairId {
    type Err = InvalidKeyPairId;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        Self::new(id)
    }
}

/// The text is not a CloudFront key pair id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKeyPairId;

impl fmt::Display for InvalidKeyPairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key pair id is 1 to 64 ASCII letters and digits")
    }
}

impl std::error::Error for InvalidKeyPairId {}

/// The hash that goes into the signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256, announced in the link by `Hash-Algorithm=SHA256`.
    #[default]
    Sha256,
    /// SHA-1, which CloudFront assumes where a link announces nothing. For verifiers that know no better.
    Sha1,
}

impl Hash {
    /// How a link announces the hash: the value of `Hash-Algorithm`, or nothing at all.
    pub(super) fn announcement(self) -> Option<&'static str> {
        match self {
            Self::Sha256 => Some("SHA256"),
            Self::Sha1 => None,
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "SHA256",
            Self::Sha1 => "SHA1",
        })
    }
}

impl FromStr for Hash {
    type Err = InvalidHash;

    /// Accepts `SHA256` and `SHA1` in any case, with or without a hyphen.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.to_ascii_uppercase().replace('-', "").as_str() {
            "SHA256" => Ok(Self::Sha256),
            "SHA1" => Ok(Self::Sha1),
            _ => Err(InvalidHash),
        }
    }
}

/// The text names no hash that CloudFront takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHash;

impl fmt::Display for InvalidHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the hash is SHA256 or SHA1")
    }
}

impl std::error::Error for InvalidHash {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_pair_ids() {
        let longest = "K".repeat(64);
        for id in ["K2JCJMDEHXQW5F", "APKA", "k", &longest] {
            assert_eq!(id.parse::<KeyPairId>().unwrap().as_str(), id);
        }
        let too_long = "K".repeat(65);
        for id in ["", "K 2", "K&Policy", "K-1", "Ключ", &too_long] {
            assert_eq!(KeyPairId::new(id), Err(InvalidKeyPairId), "{id}");
        }
    }

    #[test]
    fn hashes_have_two_names() {
        for name in ["SHA256", "sha-256", "Sha256"] {
            assert_eq!(name.parse(), Ok(Hash::Sha256));
        }
        assert_eq!("sha1".parse(), Ok(Hash::Sha1));
        assert_eq!("md5".parse::<Hash>(), Err(InvalidHash));
        assert_eq!(Hash::default(), Hash::Sha256);
    }
}
