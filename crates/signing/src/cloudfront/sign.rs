//! Signing URLs and cookies.

use super::encoding;
use super::key::{KeyError, PrivateKey};
use super::parameters::{HashAlgorithm, KeyPairId, Parameter, ParameterLocation};
use super::policy::{self, CustomPolicy};

/// Why a link was not signed. These are links that CloudFront would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The URL or resource is not percent-encoded ASCII (RFC 3986), is not `http(s)://…`, or has a fragment.
    #[error("the URL is not an absolute, percent-encoded http(s) URL without a fragment")]
    InvalidUrl,
    /// The URL already has a signing parameter.
    #[error("the URL already has a signing parameter")]
    ReservedParameter,
    /// The URL ends in `?` or `&`. The CDN drops such an empty parameter, so the signature would not match.
    #[error("the URL ends in an empty query parameter")]
    EmptyParameter,
    /// The URL does not match the policy's resource.
    #[error("the URL does not match the policy's resource")]
    UrlOutsidePolicy,
    /// The IP range is not IPv4 in CIDR notation.
    #[error("the IP range is not IPv4 in CIDR notation")]
    InvalidIpRange,
    /// The key could not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Signs URLs and cookies with one key.
#[derive(Debug)]
pub struct Signer {
    id: KeyPairId,
    key: PrivateKey,
    hash: HashAlgorithm,
}

/// A signed policy: one signature, to be written as a query or as cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPolicy {
    /// In the order that AWS's tools write.
    parameters: Vec<(Parameter, String)>,
}

impl SignedPolicy {
    /// The query: `Policy=…&Signature=…&Key-Pair-Id=…`, with `Expires` in place of `Policy` if the policy is canned, and
    /// `Hash-Algorithm` if needed. No value needs percent-encoding: they hold digits, letters and CloudFront's base64.
    #[must_use]
    pub fn to_query(&self) -> String {
        let mut query = String::with_capacity(1024);
        for (parameter, value) in &self.parameters {
            let separator = if query.is_empty() { "" } else { "&" };
            query.extend([separator, parameter.name(ParameterLocation::Query), "=", value]);
        }
        query
    }

    /// Names and values of cookies. The caller sets domain, path, `Secure` and `HttpOnly`, as narrow as the policy. No
    /// value needs quotes.
    #[must_use]
    pub fn to_cookies(&self) -> Vec<(&'static str, String)> {
        let cookie = |(parameter, value): &(Parameter, String)| {
            (parameter.name(ParameterLocation::Cookies), value.clone())
        };
        self.parameters.iter().map(cookie).collect()
    }

    /// `url` with the query appended.
    #[must_use]
    pub fn append_to(&self, url: &str) -> String {
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}{}", self.to_query())
    }
}

impl Signer {
    /// A signer whose links have the key pair id `id`: CloudFront's id of the public key of `key`.
    #[must_use]
    pub fn new(id: KeyPairId, key: PrivateKey, hash: HashAlgorithm) -> Self {
        Self { id, key, hash }
    }

    /// The key pair id in the links.
    #[must_use]
    pub fn key_pair_id(&self) -> &KeyPairId {
        &self.id
    }

    /// The hash algorithm of the signatures.
    #[must_use]
    pub fn hash(&self) -> HashAlgorithm {
        self.hash
    }

    /// The private key.
    #[must_use]
    pub fn private_key(&self) -> &PrivateKey {
        &self.key
    }

    /// Signs a canned policy: exactly `url`, until `expires_at` in Unix seconds.
    ///
    /// `url` must be absolute and percent-encoded as the client sends it. A star in it matches only a star.
    pub fn sign_canned_policy(&self, url: &str, expires_at: u64) -> Result<SignedPolicy, SignError> {
        check_url(url)?;
        let condition = (Parameter::Expires, expires_at.to_string());
        self.sign_policy(condition, &policy::canned_policy_json(url, expires_at))
    }

    /// Signs a custom policy. The result is valid for every URL that matches the policy's resource: viewers copy the query
    /// from a base URL to every chunk.
    pub fn sign_custom_policy(&self, policy: &CustomPolicy) -> Result<SignedPolicy, SignError> {
        let json = policy.to_json();
        self.sign_policy((Parameter::Policy, encoding::encode(json.as_bytes())), &json)
    }

    /// Signs `url` with a [canned policy](Self::sign_canned_policy) and returns the signed URL.
    pub fn sign_canned_url(&self, url: &str, expires_at: u64) -> Result<String, SignError> {
        Ok(self.sign_canned_policy(url, expires_at)?.append_to(url))
    }

    /// Signs `url` with a custom policy. The URL must match the policy's resource.
    pub fn sign_custom_url(&self, url: &str, policy: &CustomPolicy) -> Result<String, SignError> {
        check_url(url)?;
        if !policy.matches_url(url) {
            return Err(SignError::UrlOutsidePolicy);
        }
        Ok(self.sign_custom_policy(policy)?.append_to(url))
    }

    /// Signs a custom policy and returns the query alone.
    pub fn sign_custom_query(&self, policy: &CustomPolicy) -> Result<String, SignError> {
        Ok(self.sign_custom_policy(policy)?.to_query())
    }

    /// Signs `url` with a canned policy and returns names and values of cookies.
    pub fn sign_canned_cookies(
        &self,
        url: &str,
        expires_at: u64,
    ) -> Result<Vec<(&'static str, String)>, SignError> {
        Ok(self.sign_canned_policy(url, expires_at)?.to_cookies())
    }

    /// Signs a custom policy and returns names and values of cookies.
    pub fn sign_custom_cookies(
        &self,
        policy: &CustomPolicy,
    ) -> Result<Vec<(&'static str, String)>, SignError> {
        Ok(self.sign_custom_policy(policy)?.to_cookies())
    }

    fn sign_policy(&self, condition: (Parameter, String), policy: &str) -> Result<SignedPolicy, SignError> {
        let signature = self.key.sign(self.hash, policy.as_bytes())?;
        let mut parameters = vec![
            condition,
            (Parameter::Signature, encoding::encode(&signature)),
            (Parameter::KeyPairId, self.id.to_string()),
        ];
        if let Some(name) = self.hash.parameter_value() {
            parameters.push((Parameter::HashAlgorithm, name.to_owned()));
        }
        Ok(SignedPolicy { parameters })
    }
}

/// Rejects a URL that would not reach the CDN as it was signed, or that the CDN could read in two ways.
fn check_url(url: &str) -> Result<(), SignError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest.is_none_or(str::is_empty) || !is_percent_encoded(url) {
        return Err(SignError::InvalidUrl);
    }
    if url.ends_with(['?', '&']) {
        return Err(SignError::EmptyParameter);
    }
    // The CDN takes its parameters out of the query, also those that the application meant for itself.
    let query = url.split_once('?').map_or("", |(_, query)| query);
    if query.split('&').any(|pair| Parameter::from_query_pair(pair).is_some()) {
        return Err(SignError::ReservedParameter);
    }
    Ok(())
}

/// Whether `url` has only RFC 3986's characters and complete escapes. A fragment is rejected: no client sends it.
fn is_percent_encoded(url: &str) -> bool {
    const RESERVED: &[u8] = b":/?[]@!$&'()*+,;=-._~%";
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || RESERVED.contains(&byte);
    let is_complete = |escape: &str| matches!(escape.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    url.bytes().all(allowed) && url.split('%').skip(1).all(is_complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_urls_that_change_before_the_cdn_sees_them() {
        for (url, error) in [
            ("", SignError::InvalidUrl),
            ("https://", SignError::InvalidUrl),
            ("ftp://h/a", SignError::InvalidUrl),
            ("//h/a", SignError::InvalidUrl),
            ("https://h/café", SignError::InvalidUrl),
            ("https://h/a b", SignError::InvalidUrl),
            ("https://h/a\"b", SignError::InvalidUrl),
            ("https://h/a\\b", SignError::InvalidUrl),
            ("https://h/a#b", SignError::InvalidUrl),
            ("https://h/a%", SignError::InvalidUrl),
            ("https://h/a%2", SignError::InvalidUrl),
            ("https://h/a%2g", SignError::InvalidUrl),
            ("https://h/a\r\nb", SignError::InvalidUrl),
            ("https://h/a?", SignError::EmptyParameter),
            ("https://h/a?b=1&", SignError::EmptyParameter),
            ("https://h/a?Expires=1", SignError::ReservedParameter),
            ("https://h/a?b=1&Policy", SignError::ReservedParameter),
            ("https://h/a?Signature=&b", SignError::ReservedParameter),
            ("https://h/a?Key-Pair-Id=K", SignError::ReservedParameter),
            ("https://h/a?Hash-Algorithm=SHA256", SignError::ReservedParameter),
        ] {
            assert_eq!(check_url(url), Err(error), "{url}");
        }
        for url in ["https://h", "http://h:80/", "https://h/a+b(c)!*'?x=[1]&expires=2&t=1&t=1"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
    }
}
