//! The request id, which the client, the gateway and the log share.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header of requests and responses.
pub(crate) const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is accepted from a request.
const MAX_ID_BYTES: usize = 128;

/// A request's id: the one in its header if it is well formed, else a new one. It is kept as a header's value, which is
/// cloned without copying.
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let id = headers.get(REQUEST_ID_HEADER).filter(|id| id.to_str().is_ok_and(is_well_formed));
        // Anything else is replaced, so that a client cannot forge lines or fields of the log.
        Self(id.cloned().unwrap_or_else(generate_id))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The value of the response's header.
    pub(crate) fn to_header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

fn generate_id() -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let id = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
    // Hexadecimal digits and hyphens are always valid.
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("none"))
}

/// Letters, digits and the punctuation in ids of gateways and tracers (`JKJaXmPLvHcESHA=`, `Root=1-67-ab`).
fn is_well_formed(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_from_header(id: &str) -> String {
        RequestId::from_headers(&HeaderMap::from_iter([(
            REQUEST_ID_HEADER,
            HeaderValue::from_str(id).unwrap(),
        )]))
        .as_str()
        .to_owned()
    }

    #[test]
    fn keeps_a_well_formed_id() {
        for id in [
            "JKJaXmPLvHcESHA=",
            "6f0f9b7e-0d0c-4a5c-9b42-0f5f0c0f7d11",
            "Root=1-67891233-abcdef",
            &"x".repeat(MAX_ID_BYTES),
        ] {
            assert_eq!(id_from_header(id), id);
        }
    }

    #[test]
    fn replaces_a_malformed_or_missing_id() {
        for id in ["", " ", "a b", "a\tb", "{\"x\":1}", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert!(Uuid::parse_str(&id_from_header(id)).is_ok(), "{id:?}");
        }
        assert!(Uuid::parse_str(RequestId::from_headers(&HeaderMap::new()).as_str()).is_ok());
    }
}
