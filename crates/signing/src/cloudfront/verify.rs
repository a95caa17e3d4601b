//! Verifying signed URLs and cookies, as CloudFront documents it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::encoding;
use super::key::PublicKey;
use super::parameters::{HashAlgorithm, KeyPairId, Parameter, ParameterLocation};
use super::policy::{self, CustomPolicy};

/// Verifies links against a group of trusted keys.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    keys: BTreeMap<KeyPairId, PublicKey>,
}

/// A signature that is valid now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// The id of the key that signed.
    pub key_pair_id: KeyPairId,
    /// The end of the link, in Unix seconds.
    pub expires_at: u64,
    /// The hash algorithm of the signature.
    pub hash: HashAlgorithm,
}

/// Why a signature is rejected. CloudFront answers all of these with 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no signing parameter. The caller may look for cookies next.
    #[error("the request is not signed")]
    NotSigned,
    /// A required parameter is missing.
    #[error("{0} is missing")]
    MissingParameter(&'static str),
    /// A parameter is given more than once.
    #[error("{0} is given more than once")]
    DuplicateParameter(&'static str),
    /// Both `Expires` and `Policy` are given.
    #[error("both Expires and Policy are given")]
    ExpiresAndPolicy,
    /// The value of a parameter is malformed.
    #[error("{0} is malformed")]
    MalformedParameter(&'static str),
    /// No trusted key has this id.
    #[error("the key is not trusted")]
    UnknownKey,
    /// `Hash-Algorithm` is given and is not `SHA256`.
    #[error("the hash algorithm is not SHA256")]
    UnsupportedHashAlgorithm,
    /// The signature does not match key and policy.
    #[error("the signature does not match")]
    SignatureMismatch,
    /// The policy is signed, but is not one statement with the conditions that CloudFront supports.
    #[error("the policy is not valid")]
    InvalidPolicy,
    /// The URL does not match the policy's resource.
    #[error("the URL does not match the policy's resource")]
    ResourceMismatch,
    /// The policy has not started.
    #[error("the policy has not started")]
    NotYetValid,
    /// The policy has expired.
    #[error("the policy has expired")]
    Expired,
    /// The client's address is outside the policy's IP range.
    #[error("the client is outside the policy's IP range")]
    ClientAddressMismatch,
}

impl FromIterator<(KeyPairId, PublicKey)> for Verifier {
    fn from_iter<I: IntoIterator<Item = (KeyPairId, PublicKey)>>(keys: I) -> Self {
        Self { keys: keys.into_iter().collect() }
    }
}

impl Verifier {
    /// A verifier without trusted keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same verifier, which also trusts `key` under `id`. During a rotation it trusts the old and the new key.
    #[must_use]
    pub fn with_key(mut self, id: KeyPairId, key: PublicKey) -> Self {
        self.keys.insert(id, key);
        self
    }

    /// Verifies a signed URL: absolute, as the client sent it.
    ///
    /// `now` is in Unix seconds. An unknown `client_ip` fails a policy with an IP range.
    pub fn verify_url(
        &self,
        url: &str,
        now: u64,
        client_ip: Option<IpAddr>,
    ) -> Result<VerifiedSignature, VerifyError> {
        let (resource, parameters) = split_url(url);
        self.verify_parameters(&resource, &parameters, now, client_ip)
    }

    /// Verifies a request with signed cookies, given as names and values. Other cookies are ignored.
    ///
    /// CloudFront prefers a signed URL, so call [`verify_url`](Self::verify_url) first and this function on
    /// [`VerifyError::NotSigned`]. Signing parameters in the URL are not part of the resource.
    pub fn verify_cookies(
        &self,
        url: &str,
        cookies: &[(&str, &str)],
        now: u64,
        client_ip: Option<IpAddr>,
    ) -> Result<VerifiedSignature, VerifyError> {
        let parse = |&(name, value)| Some((Parameter::from_name(name, ParameterLocation::Cookies)?, value));
        let values = cookies.iter().filter_map(parse).collect();
        let parameters = SignatureParameters { location: ParameterLocation::Cookies, values };
        self.verify_parameters(&split_url(url).0, &parameters, now, client_ip)
    }

    fn verify_parameters(
        &self,
        resource: &str,
        parameters: &SignatureParameters<'_>,
        now: u64,
        client_ip: Option<IpAddr>,
    ) -> Result<VerifiedSignature, VerifyError> {
        let unverified = UnverifiedSignature::parse(parameters)?;
        let (id, key) = self.keys.get_key_value(&unverified.key_pair_id).ok_or(VerifyError::UnknownKey)?;
        let policy_text = match &unverified.policy {
            PolicySource::Canned { expires_at } => {
                policy::canned_policy_json(resource, *expires_at).into_bytes()
            }
            PolicySource::Custom { policy } => policy.clone(),
        };
        if !key.verify(unverified.hash, &policy_text, &unverified.signature) {
            return Err(VerifyError::SignatureMismatch);
        }
        // The policy is parsed only after a trusted key's signature of it has been verified.
        let expires_at = match unverified.policy {
            PolicySource::Canned { expires_at } if now >= expires_at => return Err(VerifyError::Expired),
            PolicySource::Canned { expires_at } => expires_at,
            PolicySource::Custom { policy } => check_custom_policy(&policy, resource, now, client_ip)?,
        };
        Ok(VerifiedSignature { key_pair_id: id.clone(), expires_at, hash: unverified.hash })
    }
}

/// Checks the conditions of a custom policy. Returns its end.
fn check_custom_policy(
    policy: &[u8],
    resource: &str,
    now: u64,
    client_ip: Option<IpAddr>,
) -> Result<u64, VerifyError> {
    let policy = CustomPolicy::from_json(policy).ok_or(VerifyError::InvalidPolicy)?;
    if !policy.matches_url(resource) {
        Err(VerifyError::ResourceMismatch)
    } else if policy.has_ended(now) {
        Err(VerifyError::Expired)
    } else if !policy.has_started(now) {
        Err(VerifyError::NotYetValid)
    } else if !policy.allows_client(client_ip) {
        Err(VerifyError::ClientAddressMismatch)
    } else {
        Ok(policy.expires_at())
    }
}

/// The signing parameters of a request.
struct SignatureParameters<'a> {
    location: ParameterLocation,
    values: Vec<(Parameter, &'a str)>,
}

impl<'a> SignatureParameters<'a> {
    /// The value of `parameter`, which may be given only once.
    fn find(&self, parameter: Parameter) -> Result<Option<&'a str>, VerifyError> {
        let mut values = self.values.iter().filter(|(name, _)| *name == parameter);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(VerifyError::DuplicateParameter(parameter.name(self.location))),
            (first, None) => Ok(first.map(|&(_, value)| value)),
        }
    }

    fn require(&self, parameter: Parameter) -> Result<&'a str, VerifyError> {
        self.find(parameter)?.ok_or(VerifyError::MissingParameter(parameter.name(self.location)))
    }

    fn malformed_error(&self, parameter: Parameter) -> VerifyError {
        VerifyError::MalformedParameter(parameter.name(self.location))
    }

    fn decode(&self, parameter: Parameter, value: &str) -> Result<Vec<u8>, VerifyError> {
        encoding::decode(value).ok_or(self.malformed_error(parameter))
    }
}

/// A signature that was parsed, but not verified.
struct UnverifiedSignature {
    policy: PolicySource,
    signature: Vec<u8>,
    key_pair_id: KeyPairId,
    hash: HashAlgorithm,
}

/// The policy that the signature covers.
enum PolicySource {
    /// Rebuilt from the URL and `Expires`.
    Canned { expires_at: u64 },
    /// Sent with the request.
    Custom { policy: Vec<u8> },
}

impl UnverifiedSignature {
    fn parse(parameters: &SignatureParameters<'_>) -> Result<Self, VerifyError> {
        if parameters.values.is_empty() {
            return Err(VerifyError::NotSigned);
        }
        let policy = PolicySource::parse(parameters)?;
        let signature = parameters.require(Parameter::Signature)?;
        let key_pair_id = KeyPairId::new(parameters.require(Parameter::KeyPairId)?);
        Ok(Self {
            policy,
            signature: parameters.decode(Parameter::Signature, signature)?,
            key_pair_id: key_pair_id.map_err(|_| parameters.malformed_error(Parameter::KeyPairId))?,
            hash: parse_hash_algorithm(parameters)?,
        })
    }
}

impl PolicySource {
    fn parse(parameters: &SignatureParameters<'_>) -> Result<Self, VerifyError> {
        match (parameters.find(Parameter::Expires)?, parameters.find(Parameter::Policy)?) {
            (Some(_), Some(_)) => Err(VerifyError::ExpiresAndPolicy),
            (None, None) => Err(VerifyError::MissingParameter(Parameter::Expires.name(parameters.location))),
            (Some(expires), None) => {
                let expires_at =
                    parse_epoch(expires).ok_or(parameters.malformed_error(Parameter::Expires))?;
                Ok(Self::Canned { expires_at })
            }
            (None, Some(policy)) => {
                Ok(Self::Custom { policy: parameters.decode(Parameter::Policy, policy)? })
            }
        }
    }
}

/// Without the parameter, CloudFront assumes SHA-1.
fn parse_hash_algorithm(parameters: &SignatureParameters<'_>) -> Result<HashAlgorithm, VerifyError> {
    match parameters.find(Parameter::HashAlgorithm)? {
        None => Ok(HashAlgorithm::Sha1),
        value if value == HashAlgorithm::Sha256.parameter_value() => Ok(HashAlgorithm::Sha256),
        Some(_) => Err(VerifyError::UnsupportedHashAlgorithm),
    }
}

/// Parses decimal digits without a sign or leading zeros. The policy is rebuilt from the number, so any other spelling
/// would verify under a text that was not signed.
fn parse_epoch(text: &str) -> Option<u64> {
    text.parse().ok().filter(|time: &u64| time.to_string() == text)
}

/// Removes the signing parameters from a URL. Returns the resource and the removed parameters.
fn split_url(url: &str) -> (String, SignatureParameters<'_>) {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let mut values = Vec::new();
    let mut resource = base.to_owned();
    let mut separator = '?';
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        if let Some(value) = Parameter::from_query_pair(pair) {
            values.push(value);
        } else {
            // The question mark is kept only before another parameter: otherwise the signer added it.
            resource.push(separator);
            resource.push_str(pair);
            separator = '&';
        }
    }
    (resource, SignatureParameters { location: ParameterLocation::Query, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restores_the_resource_that_was_signed() {
        for (url, resource) in [
            ("https://h/a", "https://h/a"),
            ("https://h/a?Expires=1&Signature=s&Key-Pair-Id=K", "https://h/a"),
            ("https://h/a?b=1&Expires=1&c&Hash-Algorithm=SHA256", "https://h/a?b=1&c"),
            ("https://h/a?b=1&&Expires=1", "https://h/a?b=1&"),
            ("https://h/a?expires=1&XExpires=2", "https://h/a?expires=1&XExpires=2"),
            ("https://h/a?b=?&Policy=x", "https://h/a?b=?"),
        ] {
            assert_eq!(split_url(url).0, resource);
        }
    }

    #[test]
    fn parses_one_spelling_of_an_expiry() {
        assert_eq!(parse_epoch("1767290400"), Some(1_767_290_400));
        for text in ["", "+1", "01", "-1", "1 ", "1.0", "0x1", "18446744073709551616"] {
            assert_eq!(parse_epoch(text), None, "{text}");
        }
    }
}
