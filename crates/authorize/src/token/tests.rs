use std::sync::OnceLock;

use jsonwebtoken::{EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};
use signing::cloudfront::PrivateKey;

use super::*;

const NOW: u64 = 1_800_000_000;
const USER: &str = "61e7c1cf-a836-421b-b919-a2309402c9d6";

fn key(id: &str) -> (EncodingKey, Jwk) {
    let pem = PrivateKey::generate_rsa().unwrap().to_pkcs8_pem().unwrap();
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
    jwk.common.key_id = Some(id.to_owned());
    (key, jwk)
}

fn keys() -> &'static [(EncodingKey, Jwk); 2] {
    static KEYS: OnceLock<[(EncodingKey, Jwk); 2]> = OnceLock::new();
    KEYS.get_or_init(|| [key("one"), key("two")])
}

fn verifier() -> Verifier {
    let pool = |name: &str, is_api_keys| Pool {
        issuer: format!("https://idp/{name}"),
        client_id: name.into(),
        is_api_keys,
    };
    let keys = JwkSet { keys: vec![keys()[0].1.clone()] };
    Verifier::new(vec![pool("people", false), pool("keys", true)], &keys)
}

fn claims() -> Value {
    json!({
        "iss": "https://idp/people", "client_id": "people", "token_use": "access", "exp": NOW + 3600, "username": USER,
    })
}

fn token(claims: &Value) -> String {
    signed(&Header { kid: Some("one".into()), ..Header::new(Algorithm::RS256) }, claims, &keys()[0].0)
}

fn signed(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    encode(header, claims, key).unwrap()
}

#[test]
fn a_token_names_a_person_or_an_api_key() {
    let person = verifier().verify(&token(&claims()), NOW);
    assert_eq!(person, Ok(Identity::User(Uuid::parse_str(USER).unwrap())));

    let mut of_key = claims();
    of_key["iss"] = json!("https://idp/keys");
    of_key["client_id"] = json!("keys");
    of_key["username"] = json!("3f1b");
    assert_eq!(verifier().verify(&token(&of_key), NOW), Ok(Identity::ApiKey("3f1b".into())));
}

#[test]
fn a_claim_that_is_wrong_missing_or_of_another_type_is_refused() {
    use InvalidToken::*;
    for (claim, value, why) in [
        ("exp", json!(NOW), Expired),
        ("exp", json!(NOW - 1), Expired),
        ("exp", json!((NOW + 3600).to_string()), Malformed),
        ("exp", Value::Null, Malformed),
        ("nbf", json!(NOW + 3600), Expired),
        ("iss", json!("https://idp/keys"), Purpose),
        ("iss", json!("https://idp/people/"), Purpose),
        ("client_id", json!("keys"), Purpose),
        ("token_use", json!("id"), Purpose),
        ("token_use", json!(["access"]), Malformed),
        ("username", json!("somebody"), Malformed),
        ("username", json!(7), Malformed),
    ] {
        let mut claims = claims();
        claims[claim] = value;
        assert_eq!(verifier().verify(&token(&claims), NOW), Err(why), "{claim}: {}", claims[claim]);
    }
    for claim in ["iss", "client_id", "token_use", "exp", "username"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(verifier().verify(&token(&claims), NOW), Err(Malformed), "{claim}");
    }
}

#[test]
fn only_a_known_key_by_rs256_signs() {
    use InvalidToken::Signature;
    let header = |kid: Option<&str>, algorithm| Header { kid: kid.map(Into::into), ..Header::new(algorithm) };
    let (known, other) = (&keys()[0].0, &keys()[1].0);
    for (header, key) in [
        (header(Some("one"), Algorithm::RS256), other),
        (header(Some("two"), Algorithm::RS256), other),
        (header(None, Algorithm::RS256), known),
        (header(Some("one"), Algorithm::RS512), known),
        (header(Some("one"), Algorithm::PS256), known),
        (header(Some("one"), Algorithm::HS256), &EncodingKey::from_secret(b"public key as a secret")),
    ] {
        let token = signed(&header, &claims(), key);
        assert_eq!(verifier().verify(&token, NOW), Err(Signature));
    }
}

#[test]
fn an_unsigned_or_altered_token_is_refused() {
    let good = token(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let none = "eyJhbGciOiJub25lIiwia2lkIjoib25lIn0"; // {"alg":"none","kid":"one"}
    for bad in [
        String::new(),
        "a.b.c".to_owned(),
        format!("{none}.{}.", parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1].replacen('a', "b", 1), parts[2]),
        "x".repeat(MAX_TOKEN + 1),
        format!("{good}.{good}"),
    ] {
        assert!(verifier().verify(&bad, NOW).is_err());
    }
}
