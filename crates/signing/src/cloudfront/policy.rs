//! Policies: the line of JSON that a signature covers, byte for byte.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use super::sign::SignError;
use super::wildcard;

/// The policy of a canned link, which the CDN rebuilds from the URL ("Create a policy statement for a signed URL
/// that uses a canned policy"). No spaces: the signature covers these very bytes.
pub(super) fn canned(resource: &str, expires_at: u64) -> String {
    json(resource, expires_at, None, None)
}

/// A policy that travels with its link or in a cookie and opens every URL that fits its resource.
///
/// Times are in Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomPolicy {
    resource: String,
    expires_at: u64,
    starts_at: Option<u64>,
    sources: Option<Ipv4Range>,
}

impl CustomPolicy {
    /// A policy for `resource`, which ends at `expires_at`.
    ///
    /// In the resource `*` stands for any characters, also none, and `?` for exactly one. **End a prefix with a
    /// slash**: `…/P45*` opens `…/P456/secret` too, `…/P45/*` does not.
    ///
    /// The resource must be printable ASCII without spaces, since CloudFront compares it with an encoded URL.
    pub fn new(resource: impl Into<String>, expires_at: u64) -> Result<Self, SignError> {
        let resource = resource.into();
        if resource.is_empty() || !resource.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SignError::NotEncoded);
        }
        Ok(Self { resource, expires_at, starts_at: None, sources: None })
    }

    /// The same, refused before `time`.
    #[must_use]
    pub fn starts_at(self, time: u64) -> Self {
        Self { starts_at: Some(time), ..self }
    }

    /// The same, for clients from an IPv4 range only, such as `192.0.2.0/24`; an address alone means `/32`.
    pub fn ip_address(self, range: &str) -> Result<Self, SignError> {
        let sources = Ipv4Range::parse(range).ok_or(SignError::InvalidAddress)?;
        Ok(Self { sources: Some(sources), ..self })
    }

    /// The pattern that a URL must fit.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The end, in Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// Whether `url`, without any signing parameter, fits the resource.
    #[must_use]
    pub fn covers(&self, url: &str) -> bool {
        wildcard::matches(&self.resource, url)
    }

    /// The line of JSON that is signed.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(&self.resource, self.expires_at, self.sources, self.starts_at)
    }

    /// Whether `now` is at or after the end.
    pub(super) fn has_ended(&self, now: u64) -> bool {
        now >= self.expires_at
    }

    /// Whether the policy has begun: `DateGreaterThan` means later than, not at.
    pub(super) fn has_begun(&self, now: u64) -> bool {
        self.starts_at.is_none_or(|start| now > start)
    }

    /// Whether a client may come from `address`. An unknown address fits no range.
    pub(super) fn admits(&self, address: Option<IpAddr>) -> bool {
        let Some(range) = self.sources else { return true };
        matches!(address.map(|ip| ip.to_canonical()), Some(IpAddr::V4(ip)) if range.contains(ip))
    }

    /// Reads a policy that somebody presents. Anything but the one statement that CloudFront describes is
    /// refused: a member we do not understand might be a condition.
    pub(super) fn from_json(text: &[u8]) -> Option<Self> {
        let Document { statement: [statement] } = serde_json::from_slice(text).ok()?;
        let condition = statement.condition;
        let mut policy = Self::new(statement.resource, condition.ends.time).ok()?;
        policy.starts_at = condition.starts.map(|starts| starts.time);
        match condition.sources {
            Some(sources) => policy.ip_address(&sources.range).ok(),
            None => Some(policy),
        }
    }
}

/// Writes a policy in the order in which AWS's own tools write it.
fn json(resource: &str, expires_at: u64, sources: Option<Ipv4Range>, starts_at: Option<u64>) -> String {
    let mut out = String::with_capacity(resource.len() + 192);
    out.push_str(r#"{"Statement":[{"Resource":""#);
    escape_into(&mut out, resource);
    // Writing to a `String` cannot fail.
    let _ = write!(out, r#"","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires_at}}}"#);
    if let Some(Ipv4Range { address, bits }) = sources {
        let _ = write!(out, r#","IpAddress":{{"AWS:SourceIp":"{address}/{bits}"}}"#);
    }
    if let Some(time) = starts_at {
        let _ = write!(out, r#","DateGreaterThan":{{"AWS:EpochTime":{time}}}"#);
    }
    out.push_str("}}]}");
    out
}

/// JSON's mandatory escapes and no others (RFC 8259, section 7): `&`, `<` and `>` stay as they are.
fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
}

/// An IPv4 network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ipv4Range {
    address: Ipv4Addr,
    bits: u32,
}

impl Ipv4Range {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let plain = matches!(bits.len(), 1..=2) && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = bits.parse().ok().filter(|&bits: &u32| plain && bits <= 32)?;
        Some(Self { address: address.parse().ok()?, bits })
    }

    fn contains(self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
        u32::from(self.address) & mask == u32::from(address) & mask
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "Statement")]
    statement: [Statement; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Resource")]
    resource: String,
    #[serde(rename = "Condition")]
    condition: Condition,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    #[serde(rename = "DateLessThan")]
    ends: Epoch,
    #[serde(rename = "DateGreaterThan")]
    starts: Option<Epoch>,
    #[serde(rename = "IpAddress")]
    sources: Option<Sources>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Epoch {
    #[serde(rename = "AWS:EpochTime")]
    time: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sources {
    #[serde(rename = "AWS:SourceIp")]
    range: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> CustomPolicy {
        CustomPolicy::new("https://h/P45/*", 100).unwrap()
    }

    #[test]
    fn a_canned_policy_escapes_what_json_must() {
        assert_eq!(
            canned("https://h/\"\\\n&<>", 5),
            r#"{"Statement":[{"Resource":"https://h/\"\\\u000a&<>","Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}"#
        );
    }

    #[test]
    fn a_policy_survives_json() {
        let full = policy().starts_at(7).ip_address("10.0.0.0/8").unwrap();
        for policy in [policy(), full] {
            assert_eq!(CustomPolicy::from_json(policy.to_json().as_bytes()), Some(policy));
        }
    }

    #[test]
    fn anything_but_the_one_statement_is_refused() {
        let good = policy().to_json();
        for (from, to) in [
            ("}}]}", "}}],\"Version\":1}"),
            ("}}]}", "}},{}]}"),
            ("}}}]}", "},\"Extra\":{\"AWS:EpochTime\":1}}}]}"),
            ("\"Resource\"", "\"NotResource\""),
            ("DateLessThan", "DateGreaterThan"),
            (":100", ":\"100\""),
            (":100", ":-1"),
            (":100", ":1e2"),
            ("\"Resource\":", "\"Resource\":\"*\",\"Resource\":"),
            ("https", " https"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert_eq!(CustomPolicy::from_json(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(CustomPolicy::from_json(b"{\"Statement\":[]}"), None);
        assert_eq!(CustomPolicy::from_json(b"{\"Statement\":[1,2]}"), None);
    }

    #[test]
    fn the_end_is_excluded_and_so_is_the_start() {
        let policy = policy().starts_at(50);
        assert!(!policy.has_ended(99) && policy.has_ended(100));
        assert!(!policy.has_begun(50) && policy.has_begun(51));
    }

    #[test]
    fn addresses() {
        let admits =
            |range: &str, ip: &str| policy().ip_address(range).unwrap().admits(Some(ip.parse().unwrap()));
        assert!(admits("192.0.2.10", "192.0.2.10") && !admits("192.0.2.10", "192.0.2.11"));
        assert!(admits("192.0.2.0/24", "192.0.2.255") && !admits("192.0.2.0/24", "192.0.3.0"));
        assert!(admits("0.0.0.0/0", "203.0.113.9") && admits("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!admits("0.0.0.0/0", "2001:db8::1"));
        assert!(policy().admits(None) && !policy().ip_address("0.0.0.0/0").unwrap().admits(None));
        for range in ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "::/0", "a", "1.2.3.4/8/8"] {
            assert_eq!(policy().ip_address(range), Err(SignError::InvalidAddress), "{range}");
        }
    }

    #[test]
    fn resources_must_be_encoded() {
        for resource in ["", "https://h/a b", "https://h/é", "https://h/\n"] {
            assert_eq!(CustomPolicy::new(resource, 1), Err(SignError::NotEncoded), "{resource}");
        }
    }
}
