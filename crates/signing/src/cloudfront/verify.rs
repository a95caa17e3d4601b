//! The CDN's side: decides about a link or a request with cookies as CloudFront documents it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::encoding;
use super::key::PublicKey;
use super::parameters::{Carrier, Hash, KeyPairId, Parameter};
use super::policy::{self, CustomPolicy};

/// Checks links against a group of trusted keys.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    keys: BTreeMap<KeyPairId, PublicKey>,
}

/// A link that is good now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose signature it is.
    pub key_pair_id: KeyPairId,
    /// When the link ends, in Unix seconds.
    pub expires_at: u64,
    /// The hash that was used.
    pub hash: Hash,
}

/// Why a link is refused. CloudFront answers all of these with 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no signing parameter at all: a caller may look for cookies next.
    NotSigned,
    /// This parameter is missing.
    Missing(&'static str),
    /// This parameter appears twice.
    Duplicate(&'static str),
    /// Both `Expires` and `Policy` are given.
    BothPolicies,
    /// This parameter's value cannot be read.
    Malformed(&'static str),
    /// No key has this id.
    UnknownKey,
    /// `Hash-Algorithm` is given and not `SHA256`.
    UnknownHash,
    /// The signature is not this key's over this policy.
    BadSignature,
    /// The policy is signed, but is not one statement with the conditions that CloudFront knows.
    InvalidPolicy,
    /// The URL does not fit the policy's resource.
    OtherResource,
    /// The policy has not begun.
    NotYetValid,
    /// The policy has ended.
    Expired,
    /// The client's address is outside the policy's range.
    OtherAddress,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSigned => f.write_str("there is no signature"),
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Duplicate(name) => write!(f, "{name} is given twice"),
            Self::BothPolicies => f.write_str("there is both an expiry and a policy"),
            Self::Malformed(name) => write!(f, "{name} cannot be read"),
            Self::UnknownKey => f.write_str("the key is not trusted"),
            Self::UnknownHash => f.write_str("the hash algorithm is not SHA256"),
            Self::BadSignature => f.write_str("the signature does not match"),
            Self::InvalidPolicy => f.write_str("the policy cannot be read"),
            Self::OtherResource => f.write_str("the policy is for another resource"),
            Self::NotYetValid => f.write_str("the policy has not begun"),
            Self::Expired => f.write_str("the policy has ended"),
            Self::OtherAddress => f.write_str("the policy is for other addresses"),
        }
    }
}

impl std::error::Error for Refused {}

impl FromIterator<(KeyPairId, PublicKey)> for Verifier {
    fn from_iter<I: IntoIterator<Item = (KeyPairId, PublicKey)>>(keys: I) -> Self {
        Self { keys: keys.into_iter().collect() }
    }
}

impl Verifier {
    /// A verifier that trusts nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, also trusting `key` under `id`. During a rotation both the old and the new key are trusted.
    #[must_use]
    pub fn with_key(mut self, id: KeyPairId, key: PublicKey) -> Self {
        self.keys.insert(id, key);
        self
    }

    /// Decides about a signed URL: absolute, as the client sent it.
    ///
    /// `now` is in Unix seconds. An unknown `client_ip` fits no policy that names an address range.
    pub fn verify(&self, url: &str, now: u64, client_ip: Option<IpAddr>) -> Result<Verified, Refused> {
        let (resource, presented) = split(url);
        self.decide(&resource, &presented, now, client_ip)
    }

    /// Decides about a request with signed cookies, given as names and values; other cookies are ignored.
    ///
    /// CloudFront prefers a signed URL, so ask [`verify`](Self::verify) first and come here on
    /// [`Refused::NotSigned`]. Here too, signing parameters are not part of the resource.
    pub fn verify_cookies(
        &self,
        url: &str,
        cookies: &[(&str, &str)],
        now: u64,
        client_ip: Option<IpAddr>,
    ) -> Result<Verified, Refused> {
        let known = |&(name, value)| Some((Parameter::of_name(name, Carrier::Cookies)?, value));
        let values = cookies.iter().filter_map(known).collect();
        let presented = Presented { carrier: Carrier::Cookies, values };
        self.decide(&split(url).0, &presented, now, client_ip)
    }

    fn decide(
        &self,
        resource: &str,
        presented: &Presented<'_>,
        now: u64,
        client_ip: Option<IpAddr>,
    ) -> Result<Verified, Refused> {
        let claim = Claim::read(presented)?;
        let (id, key) = self.keys.get_key_value(&claim.key_pair_id).ok_or(Refused::UnknownKey)?;
        let policy_text = match &claim.terms {
            Terms::Canned { expires_at } => policy::canned(resource, *expires_at).into_bytes(),
            Terms::Custom { policy } => policy.clone(),
        };
        if !key.verify(claim.hash, &policy_text, &claim.signature) {
            return Err(Refused::BadSignature);
        }
        // Only now is the policy worth reading: it is what a trusted key signed.
        let expires_at = match claim.terms {
            Terms::Canned { expires_at } if now >= expires_at => return Err(Refused::Expired),
            Terms::Canned { expires_at } => expires_at,
            Terms::Custom { policy } => check_custom(&policy, resource, now, client_ip)?,
        };
        Ok(Verified { key_pair_id: id.clone(), expires_at, hash: claim.hash })
    }
}

/// Checks the conditions of a custom policy and returns its end.
fn check_custom(policy: &[u8], resource: &str, now: u64, client_ip: Option<IpAddr>) -> Result<u64, Refused> {
    let policy = CustomPolicy::from_json(policy).ok_or(Refused::InvalidPolicy)?;
    if !policy.covers(resource) {
        Err(Refused::OtherResource)
    } else if policy.has_ended(now) {
        Err(Refused::Expired)
    } else if !policy.has_begun(now) {
        Err(Refused::NotYetValid)
    } else if !policy.admits(client_ip) {
        Err(Refused::OtherAddress)
    } else {
        Ok(policy.expires_at())
    }
}

/// The signing parameters that came with a request.
struct Presented<'a> {
    carrier: Carrier,
    values: Vec<(Parameter, &'a str)>,
}

impl<'a> Presented<'a> {
    /// The one value of `wanted`.
    fn find(&self, wanted: Parameter) -> Result<Option<&'a str>, Refused> {
        let mut values = self.values.iter().filter(|(parameter, _)| *parameter == wanted);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Refused::Duplicate(wanted.name(self.carrier))),
            (first, None) => Ok(first.map(|&(_, value)| value)),
        }
    }

    fn require(&self, wanted: Parameter) -> Result<&'a str, Refused> {
        self.find(wanted)?.ok_or(Refused::Missing(wanted.name(self.carrier)))
    }

    fn malformed(&self, parameter: Parameter) -> Refused {
        Refused::Malformed(parameter.name(self.carrier))
    }

    fn decode(&self, parameter: Parameter, value: &str) -> Result<Vec<u8>, Refused> {
        encoding::decode(value).ok_or(self.malformed(parameter))
    }
}

/// What a request claims, not yet believed.
struct Claim {
    terms: Terms,
    signature: Vec<u8>,
    key_pair_id: KeyPairId,
    hash: Hash,
}

enum Terms {
    Canned { expires_at: u64 },
    Custom { policy: Vec<u8> },
}

impl Claim {
    fn read(presented: &Presented<'_>) -> Result<Self, Refused> {
        if presented.values.is_empty() {
            return Err(Refused::NotSigned);
        }
        let terms = Terms::read(presented)?;
        let signature = presented.require(Parameter::Signature)?;
        let key_pair_id = KeyPairId::new(presented.require(Parameter::KeyPairId)?);
        Ok(Self {
            terms,
            signature: presented.decode(Parameter::Signature, signature)?,
            key_pair_id: key_pair_id.map_err(|_| presented.malformed(Parameter::KeyPairId))?,
            hash: read_hash(presented)?,
        })
    }
}

impl Terms {
    fn read(presented: &Presented<'_>) -> Result<Self, Refused> {
        match (presented.find(Parameter::Expires)?, presented.find(Parameter::Policy)?) {
            (Some(_), Some(_)) => Err(Refused::BothPolicies),
            (None, None) => Err(Refused::Missing(Parameter::Expires.name(presented.carrier))),
            (Some(expires), None) => {
                let expires_at = read_epoch(expires).ok_or(presented.malformed(Parameter::Expires))?;
                Ok(Self::Canned { expires_at })
            }
            (None, Some(policy)) => Ok(Self::Custom { policy: presented.decode(Parameter::Policy, policy)? }),
        }
    }
}

/// Nothing announced means SHA-1.
fn read_hash(presented: &Presented<'_>) -> Result<Hash, Refused> {
    match presented.find(Parameter::HashAlgorithm)? {
        None => Ok(Hash::Sha1),
        announced if announced == Hash::Sha256.announcement() => Ok(Hash::Sha256),
        Some(_) => Err(Refused::UnknownHash),
    }
}

/// Decimal digits as a signer writes them: the policy is rebuilt from the number, so it has one spelling.
fn read_epoch(text: &str) -> Option<u64> {
    text.parse().ok().filter(|time: &u64| time.to_string() == text)
}

/// Takes the signing parameters out of a URL: the resource that is left, and what was taken.
fn split(url: &str) -> (String, Presented<'_>) {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let mut values = Vec::new();
    let mut resource = base.to_owned();
    let mut separator = '?';
    for piece in query.into_iter().flat_map(|query| query.split('&')) {
        if let Some(value) = Parameter::of_piece(piece) {
            values.push(value);
        } else {
            // A question mark remains only before a parameter that remains: the signer had added it.
            resource.push(separator);
            resource.push_str(piece);
            separator = '&';
        }
    }
    (resource, Presented { carrier: Carrier::Query, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_what_the_signer_had() {
        for (url, resource) in [
            ("https://h/a", "https://h/a"),
            ("https://h/a?Expires=1&Signature=s&Key-Pair-Id=K", "https://h/a"),
            ("https://h/a?b=1&Expires=1&c&Hash-Algorithm=SHA256", "https://h/a?b=1&c"),
            ("https://h/a?b=1&&Expires=1", "https://h/a?b=1&"),
            ("https://h/a?expires=1&XExpires=2", "https://h/a?expires=1&XExpires=2"),
            ("https://h/a?b=?&Policy=x", "https://h/a?b=?"),
        ] {
            assert_eq!(split(url).0, resource);
        }
    }

    #[test]
    fn an_expiry_has_one_spelling() {
        assert_eq!(read_epoch("1767290400"), Some(1_767_290_400));
        for text in ["", "+1", "01", "-1", "1 ", "1.0", "0x1", "18446744073709551616"] {
            assert_eq!(read_epoch(text), None, "{text}");
        }
    }
}
