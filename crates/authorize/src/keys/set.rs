//! Parsing a JWK set (RFC 7517). Only keys that can verify RS256 are used.

use std::{collections::HashMap, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

/// The most keys in a set. Cognito publishes two.
const MAX_KEYS: usize = 16;

/// The allowed length of a modulus. RFC 7518, section 3.3, requires 2048 bits or more; a longer one only costs time.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Public keys by their ids.
#[derive(Clone)]
pub struct KeySet(HashMap<String, DecodingKey>);

/// Why a document is not a usable key set. It repeats nothing of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeySet {
    /// It is not a JWK set.
    #[error("the document is not a JWK set")]
    Malformed,
    /// It has more keys than any pool has.
    #[error("the JWK set has more than {MAX_KEYS} keys")]
    TooMany,
    /// It has no key for RS256.
    #[error("the JWK set has no RSA key of 2048 bits or more for RS256 signatures")]
    Empty,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct RsaKey {
    kty: String,
    #[serde(rename = "use")]
    purpose: String,
    alg: Option<String>,
    kid: String,
    n: String,
    e: String,
}

impl KeySet {
    /// Parses a set as `/.well-known/jwks.json` has it. Other kinds of keys are ignored (RFC 7517, section 5); a set without
    /// a usable key is an error.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidKeySet> {
        let document: Document = serde_json::from_slice(json).map_err(|_| InvalidKeySet::Malformed)?;
        if document.keys.len() > MAX_KEYS {
            return Err(InvalidKeySet::TooMany);
        }
        let keys: HashMap<_, _> = document.keys.into_iter().filter_map(parse_key).collect();
        if keys.is_empty() { Err(InvalidKeySet::Empty) } else { Ok(Self(keys)) }
    }

    /// The number of keys, at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&DecodingKey> {
        self.0.get(id)
    }
}

fn parse_key(key: Value) -> Option<(String, DecodingKey)> {
    let key: RsaKey = serde_json::from_value(key).ok()?;
    if key.kty != "RSA" || key.purpose != "sig" || key.alg.is_some_and(|alg| alg != "RS256") {
        return None;
    }
    let (modulus, exponent) = (URL_SAFE_NO_PAD.decode(&key.n).ok()?, URL_SAFE_NO_PAD.decode(&key.e).ok()?);
    let is_usable = MODULUS_BITS.contains(&bit_length(&modulus)) && bit_length(&exponent) > 1;
    is_usable.then(|| (key.kid, DecodingKey::from_rsa_raw_components(&modulus, &exponent)))
}

/// The length of a big-endian number, without leading zeros.
fn bit_length(number: &[u8]) -> usize {
    let mut significant = number.iter().skip_while(|byte| **byte == 0);
    let Some(first) = significant.next() else { return 0 };
    (8 - first.leading_zeros() as usize) + 8 * significant.count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn modulus(bits: usize) -> String {
        let mut bytes = vec![0xab; bits / 8];
        bytes[0] = 0x80;
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn key(id: &str) -> Value {
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": modulus(2048), "e": "AQAB"})
    }

    fn parse(document: &Value) -> Result<KeySet, InvalidKeySet> {
        KeySet::parse(document.to_string().as_bytes())
    }

    #[test]
    fn ignores_keys_that_cannot_verify_rs256() {
        let with = |member: &str, value: Value| {
            let mut key = key("odd");
            key[member] = value;
            key
        };
        for odd in [
            with("kty", json!("EC")),
            with("kty", json!("oct")),
            with("use", json!("enc")),
            with("use", Value::Null),
            with("alg", json!("RS512")),
            with("alg", json!("HS256")),
            with("kid", Value::Null),
            with("n", json!(modulus(1024))),
            with("n", json!(modulus(2040))),
            with("n", json!(modulus(16_384))),
            with("n", json!("not base64!")),
            with("n", json!(format!("AAAA{}", modulus(2040)))),
            with("e", json!("")),
            with("e", json!("AQ")),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "use": "sig", "kid": "odd"}),
            json!("a key"),
            json!(null),
        ] {
            assert_eq!(parse(&json!({"keys": [odd]})).unwrap_err(), InvalidKeySet::Empty, "{odd}");
            let set = parse(&json!({"keys": [odd, key("good")]})).unwrap();
            assert!(set.get("good").is_some() && set.get("odd").is_none(), "{odd}");
        }
        let mut unnamed = key("any");
        unnamed.as_object_mut().unwrap().remove("alg");
        assert!(parse(&json!({"keys": [unnamed], "more": 1})).unwrap().get("any").is_some());
    }

    #[test]
    fn rejects_documents_that_are_not_key_sets() {
        for text in ["", "{", "[]", "null", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
            assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), InvalidKeySet::Malformed, "{text}");
        }
        let many: Vec<Value> = (0..=MAX_KEYS).map(|n| key(&n.to_string())).collect();
        assert!(parse(&json!({"keys": many[1..]})).is_ok());
        assert_eq!(parse(&json!({ "keys": many })).unwrap_err(), InvalidKeySet::TooMany);
        assert_eq!(parse(&json!({"keys": []})).unwrap_err(), InvalidKeySet::Empty);
    }

    proptest::proptest! {
        #[test]
        fn no_document_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), n in ".{0,20}") {
            assert!(KeySet::parse(&bytes).is_err());
            let key = json!({"kty": "RSA", "use": "sig", "kid": n, "n": n, "e": n});
            assert!(parse(&json!({"keys": [key]})).is_err());
        }
    }
}
