//! The parameters of a signature, in a query or in cookies, and the types of their values.

use std::fmt;
use std::str::FromStr;

/// Where a request holds its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParameterLocation {
    Query,
    Cookies,
}

/// A parameter of a signature. A link has either `Expires` or `Policy`, and `Hash-Algorithm` only for SHA-256.
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

    pub(super) fn name(self, location: ParameterLocation) -> &'static str {
        match (self, location) {
            (Self::Expires, ParameterLocation::Query) => "Expires",
            (Self::Policy, ParameterLocation::Query) => "Policy",
            (Self::Signature, ParameterLocation::Query) => "Signature",
            (Self::KeyPairId, ParameterLocation::Query) => "Key-Pair-Id",
            (Self::HashAlgorithm, ParameterLocation::Query) => "Hash-Algorithm",
            (Self::Expires, ParameterLocation::Cookies) => "CloudFront-Expires",
            (Self::Policy, ParameterLocation::Cookies) => "CloudFront-Policy",
            (Self::Signature, ParameterLocation::Cookies) => "CloudFront-Signature",
            (Self::KeyPairId, ParameterLocation::Cookies) => "CloudFront-Key-Pair-Id",
            (Self::HashAlgorithm, ParameterLocation::Cookies) => "CloudFront-Hash-Algorithm",
        }
    }

    pub(super) fn from_name(name: &str, location: ParameterLocation) -> Option<Self> {
        Self::ALL.into_iter().find(|parameter| parameter.name(location) == name)
    }

    /// Parses one `name=value` pair of a query. `None` if it is not a signing parameter.
    pub(super) fn from_query_pair(pair: &str) -> Option<(Self, &str)> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((Self::from_name(name, ParameterLocation::Query)?, value))
    }
}

/// CloudFront's id of a public key, such as `K2JCJMDEHXQW5F`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPairId(String);

impl KeyPairId {
    /// Accepts 1 to 64 ASCII letters and digits.
    pub fn new(id: impl Into<String>) -> Result<Self, ParseKeyPairIdError> {
        let id = id.into();
        let valid = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if valid { Ok(Self(id)) } else { Err(ParseKeyPairIdError) }
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
    type Err = ParseKeyPairIdError;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        Self::new(id)
    }
}

/// The text is not a valid key pair id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid key pair id: expected 1 to 64 ASCII letters and digits")]
pub struct ParseKeyPairIdError;

/// The hash algorithm of a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// SHA-256. The link has the parameter `Hash-Algorithm=SHA256`.
    #[default]
    Sha256,
    /// SHA-1, which CloudFront assumes without `Hash-Algorithm`. For verifiers that do not support SHA-256.
    Sha1,
}

impl HashAlgorithm {
    /// The value of `Hash-Algorithm`. `None` if the parameter is left out.
    pub(super) fn parameter_value(self) -> Option<&'static str> {
        match self {
            Self::Sha256 => Some("SHA256"),
            Self::Sha1 => None,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "SHA256",
            Self::Sha1 => "SHA1",
        })
    }
}

impl FromStr for HashAlgorithm {
    type Err = ParseHashAlgorithmError;

    /// Accepts `SHA256` and `SHA1` in any case, with or without a hyphen.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.to_ascii_uppercase().replace('-', "").as_str() {
            "SHA256" => Ok(Self::Sha256),
            "SHA1" => Ok(Self::Sha1),
            _ => Err(ParseHashAlgorithmError),
        }
    }
}

/// The text is not the name of a hash algorithm that CloudFront supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid hash algorithm: expected SHA256 or SHA1")]
pub struct ParseHashAlgorithmError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_key_pair_ids() {
        let longest = "K".repeat(64);
        for id in ["K2JCJMDEHXQW5F", "APKA", "k", &longest] {
            assert_eq!(id.parse::<KeyPairId>().unwrap().as_str(), id);
        }
        let too_long = "K".repeat(65);
        for id in ["", "K 2", "K&Policy", "K-1", "Ключ", &too_long] {
            assert_eq!(KeyPairId::new(id), Err(ParseKeyPairIdError), "{id}");
        }
    }

    #[test]
    fn parses_hash_algorithms() {
        for name in ["SHA256", "sha-256", "Sha256"] {
            assert_eq!(name.parse(), Ok(HashAlgorithm::Sha256));
        }
        assert_eq!("sha1".parse(), Ok(HashAlgorithm::Sha1));
        assert_eq!("md5".parse::<HashAlgorithm>(), Err(ParseHashAlgorithmError));
        assert_eq!(HashAlgorithm::default(), HashAlgorithm::Sha256);
        for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha1] {
            assert_eq!(hash.to_string().parse(), Ok(hash));
        }
    }
}
