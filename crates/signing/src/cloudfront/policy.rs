//! Policies: the line of JSON that a signature covers byte for byte.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use super::sign::SignError;
use super::wildcard;

/// The JSON of a canned policy, which the CDN rebuilds from the URL ("Create a policy statement for a signed URL that
/// uses a canned policy"). It has no spaces, because the signature covers exactly these bytes.
pub(super) fn canned_policy_json(resource: &str, expires_at: u64) -> String {
    policy_json(resource, expires_at, None, None)
}

/// A policy that is sent with its link or in a cookie. It allows every URL that matches its resource.
///
/// Times are in Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomPolicy {
    resource: String,
    expires_at: u64,
    starts_at: Option<u64>,
    ip_range: Option<Ipv4Range>,
}

impl CustomPolicy {
    /// A policy for `resource` that ends at `expires_at`.
    ///
    /// In the resource `*` matches zero or more characters, and `?` exactly one. **End a prefix with a slash**:
    /// `…/P45*` also matches `…/P456/secret`, `…/P45/*` does not.
    ///
    /// The resource must be printable ASCII without spaces, because CloudFront compares it with an encoded URL.
    pub fn new(resource: impl Into<String>, expires_at: u64) -> Result<Self, SignError> {
        let resource = resource.into();
        if resource.is_empty() || !resource.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SignError::InvalidUrl);
        }
        Ok(Self { resource, expires_at, starts_at: None, ip_range: None })
    }

    /// The same policy, valid only after `time`.
    #[must_use]
    pub fn with_start(self, time: u64) -> Self {
        Self { starts_at: Some(time), ..self }
    }

    /// The same policy, for clients in an IPv4 range such as `192.0.2.0/24`. A single address means `/32`.
    pub fn with_ip_range(self, range: &str) -> Result<Self, SignError> {
        let ip_range = Ipv4Range::parse(range).ok_or(SignError::InvalidIpRange)?;
        Ok(Self { ip_range: Some(ip_range), ..self })
    }

    /// The pattern that a URL must match.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The end, in Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// Whether `url`, without signing parameters, matches the resource.
    #[must_use]
    pub fn matches_url(&self, url: &str) -> bool {
        wildcard::matches_pattern(&self.resource, url)
    }

    /// The line of JSON that is signed.
    #[must_use]
    pub fn to_json(&self) -> String {
        policy_json(&self.resource, self.expires_at, self.ip_range, self.starts_at)
    }

    /// Whether `now` is at or after the end.
    pub(super) fn has_ended(&self, now: u64) -> bool {
        now >= self.expires_at
    }

    /// Whether `now` is after the start. `DateGreaterThan` excludes the start itself.
    pub(super) fn has_started(&self, now: u64) -> bool {
        self.starts_at.is_none_or(|start| now > start)
    }

    /// Whether a client with this address is allowed. An unknown address is in no range.
    pub(super) fn allows_client(&self, address: Option<IpAddr>) -> bool {
        let Some(range) = self.ip_range else { return true };
        // A dual-stack socket reports IPv4 clients as `::ffff:a.b.c.d`.
        matches!(address.map(|ip| ip.to_canonical()), Some(IpAddr::V4(ip)) if range.contains(ip))
    }

    /// Parses the policy of a request. It must be the one statement that CloudFront documents. An unknown member is
    /// rejected, because it could be a condition.
    pub(super) fn from_json(text: &[u8]) -> Option<Self> {
        let PolicyDocument { statement: [statement] } = serde_json::from_slice(text).ok()?;
        let condition = statement.condition;
        let mut policy = Self::new(statement.resource, condition.end.time).ok()?;
        policy.starts_at = condition.start.map(|start| start.time);
        match condition.ip_address {
            Some(address) => policy.with_ip_range(&address.range).ok(),
            None => Some(policy),
        }
    }
}

/// Writes a policy with its members in the order of AWS's tools, so that signatures can be compared with theirs.
fn policy_json(
    resource: &str,
    expires_at: u64,
    ip_range: Option<Ipv4Range>,
    starts_at: Option<u64>,
) -> String {
    let mut out = String::with_capacity(resource.len() + 192);
    out.push_str(r#"{"Statement":[{"Resource":""#);
    escape_json_into(&mut out, resource);
    // Writing to a `String` cannot fail.
    let _ = write!(out, r#"","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires_at}}}"#);
    if let Some(Ipv4Range { address, bits }) = ip_range {
        let _ = write!(out, r#","IpAddress":{{"AWS:SourceIp":"{address}/{bits}"}}"#);
    }
    if let Some(time) = starts_at {
        let _ = write!(out, r#","DateGreaterThan":{{"AWS:EpochTime":{time}}}"#);
    }
    out.push_str("}}]}");
    out
}

/// Appends `text` with JSON's mandatory escapes only (RFC 8259, section 7): `&`, `<` and `>` stay literal.
fn escape_json_into(out: &mut String, text: &str) {
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
        // `parse` alone would accept `+8` and `008`.
        let is_plain = matches!(bits.len(), 1..=2) && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = bits.parse().ok().filter(|&bits: &u32| is_plain && bits <= 32)?;
        Some(Self { address: address.parse().ok()?, bits })
    }

    fn contains(self, address: Ipv4Addr) -> bool {
        // A shift by 32 overflows: `/0` has no mask.
        let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
        u32::from(self.address) & mask == u32::from(address) & mask
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyDocument {
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
    end: EpochTime,
    #[serde(rename = "DateGreaterThan")]
    start: Option<EpochTime>,
    #[serde(rename = "IpAddress")]
    ip_address: Option<IpAddress>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochTime {
    #[serde(rename = "AWS:EpochTime")]
    time: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IpAddress {
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
    fn escapes_only_what_json_requires() {
        assert_eq!(
            canned_policy_json("https://h/\"\\\n&<>", 5),
            r#"{"Statement":[{"Resource":"https://h/\"\\\u000a&<>","Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}"#
        );
    }

    #[test]
    fn json_round_trips() {
        let full = policy().with_start(7).with_ip_range("10.0.0.0/8").unwrap();
        assert_eq!((full.resource(), full.expires_at()), ("https://h/P45/*", 100));
        for policy in [policy(), full] {
            assert_eq!(CustomPolicy::from_json(policy.to_json().as_bytes()), Some(policy));
        }
    }

    #[test]
    fn rejects_anything_but_one_statement() {
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
    fn excludes_start_and_end() {
        let policy = policy().with_start(50);
        assert!(!policy.has_ended(99) && policy.has_ended(100));
        assert!(!policy.has_started(50) && policy.has_started(51));
    }

    #[test]
    fn checks_client_addresses() {
        let allows = |range: &str, ip: &str| {
            policy().with_ip_range(range).unwrap().allows_client(Some(ip.parse().unwrap()))
        };
        assert!(allows("192.0.2.10", "192.0.2.10") && !allows("192.0.2.10", "192.0.2.11"));
        assert!(allows("192.0.2.0/24", "192.0.2.255") && !allows("192.0.2.0/24", "192.0.3.0"));
        assert!(allows("0.0.0.0/0", "203.0.113.9") && allows("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!allows("0.0.0.0/0", "2001:db8::1"));
        assert!(
            policy().allows_client(None) && !policy().with_ip_range("0.0.0.0/0").unwrap().allows_client(None)
        );
        for range in ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "::/0", "a", "1.2.3.4/8/8"] {
            assert_eq!(policy().with_ip_range(range), Err(SignError::InvalidIpRange), "{range}");
        }
    }

    #[test]
    fn rejects_resources_that_are_not_encoded() {
        for resource in ["", "https://h/a b", "https://h/é", "https://h/\n"] {
            assert_eq!(CustomPolicy::new(resource, 1), Err(SignError::InvalidUrl), "{resource}");
        }
    }
}
