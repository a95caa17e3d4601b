//! The name of one request, which the client, the log and our callers share.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header it travels in, both ways.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over.
const MAX: usize = 128;

/// A request's id: the one that it came with if that can be logged as it is, else a new one.
pub(crate) struct RequestId(String);

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).and_then(|id| id.to_str().ok()).filter(|id| is_well_formed(id));
        Self(given.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// For the answer. An id that was taken over came in a header, so it can leave in one.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Letters, digits and what gateways and tracers put between them (`JKJaXmPLvHcESHA=`, `Root=1-67-ab`).
fn is_well_formed(id: &str) -> bool {
    (1..=MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str) -> String {
        RequestId::of(&HeaderMap::from_iter([(HEADER, HeaderValue::from_str(id).unwrap())])).to_string()
    }

    #[test]
    fn a_well_formed_id_is_taken_over() {
        for id in [
            "JKJaXmPLvHcESHA=",
            "6f0f9b7e-0d0c-4a5c-9b42-0f5f0c0f7d11",
            "Root=1-67891233-abcdef",
            &"x".repeat(MAX),
        ] {
            assert_eq!(of(id), id);
        }
    }

    #[test]
    fn anything_else_gets_a_new_one() {
        for id in ["", " ", "a b", "a\tb", "{\"x\":1}", &"x".repeat(MAX + 1)] {
            assert!(Uuid::parse_str(&of(id)).is_ok(), "{id:?}");
        }
        assert!(Uuid::parse_str(RequestId::of(&HeaderMap::new()).as_str()).is_ok());
    }
}
