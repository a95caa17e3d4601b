//! The signer's side.

use std::fmt;

use super::encoding;
use super::key::{KeyError, PrivateKey};
use super::parameters::{Carrier, Hash, KeyPairId, Parameter};
use super::policy::{self, CustomPolicy};

/// Why a link was not signed. A signed link that CloudFront refuses helps nobody, so these are found early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignError {
    /// A URL or resource is not percent-encoded ASCII (RFC 3986), is not `http(s)://…`, or has a fragment.
    NotEncoded,
    /// The URL already has a parameter that signing adds.
    ReservedParameter,
    /// The URL ends in an empty parameter, `?` or `&`, which the CDN would not see again.
    EmptyParameter,
    /// The URL does not fit the policy's resource.
    OutsidePolicy,
    /// The address range is not IPv4 in CIDR notation.
    InvalidAddress,
    /// The cryptographic library failed.
    Failed,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEncoded => "the URL is not an absolute, percent-encoded http(s) URL without a fragment",
            Self::ReservedParameter => "the URL already has a signing parameter",
            Self::EmptyParameter => "the URL ends in an empty query parameter",
            Self::OutsidePolicy => "the URL does not fit the policy's resource",
            Self::InvalidAddress => "the address range is not IPv4 in CIDR notation",
            Self::Failed => "the cryptographic library failed",
        })
    }
}

impl std::error::Error for SignError {}

impl From<KeyError> for SignError {
    fn from(_: KeyError) -> Self {
        Self::Failed
    }
}

/// Signs links with one key.
#[derive(Debug)]
pub struct Signer {
    id: KeyPairId,
    key: PrivateKey,
    hash: Hash,
}

/// The parameters of one signature, in the order in which a link carries them.
type Parameters = Vec<(Parameter, String)>;

impl Signer {
    /// A signer whose links name `id`, which must be CloudFront's id for the public half of `key`.
    #[must_use]
    pub fn new(id: KeyPairId, key: PrivateKey, hash: Hash) -> Self {
        Self { id, key, hash }
    }

    /// The id which the links name.
    #[must_use]
    pub fn key_pair_id(&self) -> &KeyPairId {
        &self.id
    }

    /// The hash which the signatures use.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The key.
    #[must_use]
    pub fn private_key(&self) -> &PrivateKey {
        &self.key
    }

    /// A link to exactly `url`, until `expires_at` in Unix seconds.
    ///
    /// `url` must be absolute and percent-encoded as the client will send it. A star in it is just a star.
    pub fn sign_canned(&self, url: &str, expires_at: u64) -> Result<String, SignError> {
        check_signable(url)?;
        Ok(with_query(url, &to_query(&self.canned(url, expires_at)?)))
    }

    /// A link to `url` under `policy`, whose resource it must fit.
    pub fn sign_custom(&self, url: &str, policy: &CustomPolicy) -> Result<String, SignError> {
        check_signable(url)?;
        if !policy.covers(url) {
            return Err(SignError::OutsidePolicy);
        }
        Ok(with_query(url, &self.custom_query(policy)?))
    }

    /// The query of a custom policy alone, to be appended to any URL that fits the policy's resource:
    /// `Policy=…&Signature=…&Key-Pair-Id=…` and the hash. Viewers copy it from a base URL to every chunk.
    pub fn custom_query(&self, policy: &CustomPolicy) -> Result<String, SignError> {
        Ok(to_query(&self.custom(policy)?))
    }

    /// Names and values of the cookies that open exactly `url`, until `expires_at` in Unix seconds.
    pub fn canned_cookies(
        &self,
        url: &str,
        expires_at: u64,
    ) -> Result<Vec<(&'static str, String)>, SignError> {
        check_signable(url)?;
        Ok(to_cookies(self.canned(url, expires_at)?))
    }

    /// Names and values of the cookies that open everything that fits `policy`'s resource.
    ///
    /// Domain, path, `Secure` and `HttpOnly` are for the caller to set, as narrow as the policy.
    pub fn custom_cookies(&self, policy: &CustomPolicy) -> Result<Vec<(&'static str, String)>, SignError> {
        Ok(to_cookies(self.custom(policy)?))
    }

    fn canned(&self, url: &str, expires_at: u64) -> Result<Parameters, SignError> {
        let condition = (Parameter::Expires, expires_at.to_string());
        self.parameters(condition, &policy::canned(url, expires_at))
    }

    fn custom(&self, policy: &CustomPolicy) -> Result<Parameters, SignError> {
        let json = policy.to_json();
        self.parameters((Parameter::Policy, encoding::encode(json.as_bytes())), &json)
    }

    fn parameters(&self, condition: (Parameter, String), policy: &str) -> Result<Parameters, SignError> {
        let signature = self.key.sign(self.hash, policy.as_bytes())?;
        let mut parameters = vec![
            condition,
            (Parameter::Signature, encoding::encode(&signature)),
            (Parameter::KeyPairId, self.id.to_string()),
        ];
        if let Some(name) = self.hash.announcement() {
            parameters.push((Parameter::HashAlgorithm, name.to_owned()));
        }
        Ok(parameters)
    }
}

/// Every value is made of characters that a query may hold.
fn to_query(parameters: &Parameters) -> String {
    let mut query = String::with_capacity(1024);
    for (parameter, value) in parameters {
        let separator = if query.is_empty() { "" } else { "&" };
        query.extend([separator, parameter.name(Carrier::Query), "=", value]);
    }
    query
}

fn to_cookies(parameters: Parameters) -> Vec<(&'static str, String)> {
    parameters.into_iter().map(|(parameter, value)| (parameter.name(Carrier::Cookies), value)).collect()
}

fn with_query(url: &str, query: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{query}")
}

/// Refuses what would not reach the CDN as it was signed, or would be ambiguous there.
fn check_signable(url: &str) -> Result<(), SignError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest.is_none_or(str::is_empty) || !is_encoded(url) {
        return Err(SignError::NotEncoded);
    }
    if url.ends_with(['?', '&']) {
        return Err(SignError::EmptyParameter);
    }
    let query = url.split_once('?').map_or("", |(_, query)| query);
    if query.split('&').any(|piece| Parameter::of_piece(piece).is_some()) {
        return Err(SignError::ReservedParameter);
    }
    Ok(())
}

/// Whether `url` has only RFC 3986's characters, complete escapes, and no fragment, which no client sends.
fn is_encoded(url: &str) -> bool {
    const RESERVED: &[u8] = b":/?[]@!$&'()*+,;=-._~%";
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || RESERVED.contains(&byte);
    let complete = |escape: &str| matches!(escape.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    url.bytes().all(allowed) && url.split('%').skip(1).all(complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_would_not_arrive_as_signed_are_refused() {
        for (url, error) in [
            ("", SignError::NotEncoded),
            ("https://", SignError::NotEncoded),
            ("ftp://h/a", SignError::NotEncoded),
            ("//h/a", SignError::NotEncoded),
            ("https://h/café", SignError::NotEncoded),
            ("https://h/a b", SignError::NotEncoded),
            ("https://h/a\"b", SignError::NotEncoded),
            ("https://h/a\\b", SignError::NotEncoded),
            ("https://h/a#b", SignError::NotEncoded),
            ("https://h/a%", SignError::NotEncoded),
            ("https://h/a%2", SignError::NotEncoded),
            ("https://h/a%2g", SignError::NotEncoded),
            ("https://h/a\r\nb", SignError::NotEncoded),
            ("https://h/a?", SignError::EmptyParameter),
            ("https://h/a?b=1&", SignError::EmptyParameter),
            ("https://h/a?Expires=1", SignError::ReservedParameter),
            ("https://h/a?b=1&Policy", SignError::ReservedParameter),
            ("https://h/a?Signature=&b", SignError::ReservedParameter),
            ("https://h/a?Key-Pair-Id=K", SignError::ReservedParameter),
            ("https://h/a?Hash-Algorithm=SHA256", SignError::ReservedParameter),
        ] {
            assert_eq!(check_signable(url), Err(error), "{url}");
        }
        for url in ["https://h", "http://h:80/", "https://h/a+b(c)!*'?x=[1]&expires=2&t=1&t=1"] {
            assert_eq!(check_signable(url), Ok(()), "{url}");
        }
    }
}
