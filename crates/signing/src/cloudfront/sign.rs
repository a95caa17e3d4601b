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

/// The parameters of one signature, in the order that AWS's tools write.
type SignedParameters = Vec<(Parameter, String)>;

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

    /// Signs `url` with a canned policy: exactly this URL, until `expires_at` in Unix seconds.
    ///
    /// `url` must be absolute and percent-encoded as the client sends it. A star in it matches only a star.
    pub fn sign_canned_url(&self, url: &str, expires_at: u64) -> Result<String, SignError> {
        check_url(url)?;
        Ok(append_query(url, &format_query(&self.canned_parameters(url, expires_at)?)))
    }

    /// Signs `url` with a custom policy. The URL must match the policy's resource.
    pub fn sign_custom_url(&self, url: &str, policy: &CustomPolicy) -> Result<String, SignError> {
        check_url(url)?;
        if !policy.matches_url(url) {
            return Err(SignError::UrlOutsidePolicy);
        }
        Ok(append_query(url, &self.sign_custom_query(policy)?))
    }

    /// Signs a custom policy and returns the query alone: `Policy=…&Signature=…&Key-Pair-Id=…`, and `Hash-Algorithm` if
    /// needed. It can be appended to any URL that matches the policy's resource. Viewers copy it from a base URL to
    /// every chunk.
    pub fn sign_custom_query(&self, policy: &CustomPolicy) -> Result<String, SignError> {
        Ok(format_query(&self.custom_parameters(policy)?))
    }

    /// Signs `url` with a canned policy and returns names and values of cookies. They are valid for exactly this URL,
    /// until `expires_at` in Unix seconds.
    pub fn sign_canned_cookies(
        &self,
        url: &str,
        expires_at: u64,
    ) -> Result<Vec<(&'static str, String)>, SignError> {
        check_url(url)?;
        Ok(format_cookies(self.canned_parameters(url, expires_at)?))
    }

    /// Signs a custom policy and returns names and values of cookies. They are valid for every URL that matches the
    /// policy's resource.
    ///
    /// The caller sets domain, path, `Secure` and `HttpOnly`, as narrow as the policy.
    pub fn sign_custom_cookies(
        &self,
        policy: &CustomPolicy,
    ) -> Result<Vec<(&'static str, String)>, SignError> {
        Ok(format_cookies(self.custom_parameters(policy)?))
    }

    fn canned_parameters(&self, url: &str, expires_at: u64) -> Result<SignedParameters, SignError> {
        let condition = (Parameter::Expires, expires_at.to_string());
        self.build_parameters(condition, &policy::canned_policy_json(url, expires_at))
    }

    fn custom_parameters(&self, policy: &CustomPolicy) -> Result<SignedParameters, SignError> {
        let json = policy.to_json();
        self.build_parameters((Parameter::Policy, encoding::encode(json.as_bytes())), &json)
    }

    fn build_parameters(
        &self,
        condition: (Parameter, String),
        policy: &str,
    ) -> Result<SignedParameters, SignError> {
        let signature = self.key.sign(self.hash, policy.as_bytes())?;
        let mut parameters = vec![
            condition,
            (Parameter::Signature, encoding::encode(&signature)),
            (Parameter::KeyPairId, self.id.to_string()),
        ];
        if let Some(name) = self.hash.parameter_value() {
            parameters.push((Parameter::HashAlgorithm, name.to_owned()));
        }
        Ok(parameters)
    }
}

// No value needs percent-encoding: they hold digits, letters and CloudFront's base64.
fn format_query(parameters: &SignedParameters) -> String {
    let mut query = String::with_capacity(1024);
    for (parameter, value) in parameters {
        let separator = if query.is_empty() { "" } else { "&" };
        query.extend([separator, parameter.name(ParameterLocation::Query), "=", value]);
    }
    query
}

fn format_cookies(parameters: SignedParameters) -> Vec<(&'static str, String)> {
    parameters
        .into_iter()
        .map(|(parameter, value)| (parameter.name(ParameterLocation::Cookies), value))
        .collect()
}

fn append_query(url: &str, query: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{query}")
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
