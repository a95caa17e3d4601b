//! The credential of an `Authorization` header.

use std::{borrow::Cow, fmt};

/// The longest `Authorization` header that is parsed. A token of Cognito has about a thousand bytes.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The longest name of a service, and the longest id of a run.
const MAX_PART_BYTES: usize = 128;

/// What a caller sent to prove who they are. It is a secret: `Debug` shows only its kind.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A token of one of the platform's user pools: `Bearer {token}`.
    Bearer(String),
    /// The credential of a service's run: `Callback {service}:{run}:{token}` (contract §1.7).
    Callback(CallbackCredential),
}

/// The credential of a run of another service, which acts for a person.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackCredential {
    /// The service, as in `workflow-service`.
    pub service: String,
    /// The run's id.
    pub run: String,
    /// The run's token.
    pub token: String,
}

impl Credential {
    /// Parses the value of an `Authorization` header: a scheme in any case, one blank, the rest without blanks (RFC 9110,
    /// section 11.4; RFC 6750, section 2.1). `None` for anything else.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, value) = header.split_once(' ')?;
        let is_visible = value.bytes().all(|byte| byte.is_ascii_graphic());
        if header.len() > MAX_HEADER_BYTES || value.is_empty() || !is_visible {
            return None;
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            Some(Self::Bearer(value.to_owned()))
        } else if scheme.eq_ignore_ascii_case("callback") {
            CallbackCredential::parse(value).map(Self::Callback)
        } else {
            None
        }
    }

    /// What it is, for the audit log. A callback names its service and run.
    #[must_use]
    pub fn describe(&self) -> Cow<'static, str> {
        match self {
            Self::Bearer(_) => "token".into(),
            Self::Callback(callback) => format!("callback {} {}", callback.service, callback.run).into(),
        }
    }
}

impl CallbackCredential {
    /// Splits at the first two colons. No part is empty.
    fn parse(value: &str) -> Option<Self> {
        let mut parts = value.splitn(3, ':').filter(|part| !part.is_empty()).map(str::to_owned);
        let parsed = Self { service: parts.next()?, run: parts.next()?, token: parts.next()? };
        let is_short = |part: &str| part.len() <= MAX_PART_BYTES;
        (is_short(&parsed.service) && is_short(&parsed.run)).then_some(parsed)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(..)",
            Self::Callback(_) => "Callback(..)",
        })
    }
}

impl fmt::Debug for CallbackCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackCredential").field("service", &self.service).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(token: &str) -> Credential {
        Credential::Bearer(token.to_owned())
    }

    #[test]
    fn a_bearer_token_has_no_blanks() {
        assert_eq!(Credential::parse("Bearer abc.def.ghi"), Some(bearer("abc.def.ghi")));
        assert_eq!(Credential::parse("bearer abc"), Some(bearer("abc")));
        for other in ["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "abc", "Bearerabc", "Bearer  a"] {
            assert_eq!(Credential::parse(other), None, "{other:?}");
        }
        assert_eq!(Credential::parse(&format!("Bearer {}", "a".repeat(MAX_HEADER_BYTES))), None);
    }

    #[test]
    fn a_callback_has_three_parts() {
        let parse = |header| match Credential::parse(header)? {
            Credential::Callback(CallbackCredential { service, run, token }) => Some((service, run, token)),
            Credential::Bearer(_) => None,
        };
        let parts = |service: &str, run: &str, token: &str| Some((service.into(), run.into(), token.into()));
        assert_eq!(parse("Callback workflow-service:1-2:abc"), parts("workflow-service", "1-2", "abc"));
        assert_eq!(parse("callback s:r:t:u"), parts("s", "r", "t:u"));
        for other in ["Callback s:r", "Callback s:r:", "Callback :r:t", "Callback s::t", "Callback s:r:t u"] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn no_secret_is_printed() {
        for header in ["Bearer SECRET", "Callback s:SECRET:SECRET"] {
            assert!(!format!("{:?}", Credential::parse(header)).contains("SECRET"));
        }
    }
}
