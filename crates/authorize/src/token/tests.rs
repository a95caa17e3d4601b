use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt as _;
use jsonwebtoken::{
    EncodingKey, Header,
    crypto::sign,
    encode,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use signing::cloudfront::PrivateKey;

use super::*;
use crate::keys::KeySet;

const NOW: u64 = 1_800_000_000;
const USER: &str = "61e7c1cf-a836-421b-b919-a2309402c9d6";

fn key(id: &str) -> (EncodingKey, Jwk) {
    let pem = PrivateKey::generate_rsa().unwrap().to_pkcs8_pem().unwrap();
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
    jwk.common.key_id = Some(id.to_owned());
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    (key, jwk)
}

fn keys() -> &'static [(EncodingKey, Jwk); 2] {
    static KEYS: OnceLock<[(EncodingKey, Jwk); 2]> = OnceLock::new();
    KEYS.get_or_init(|| [key("one"), key("two")])
}

/// People's tokens are signed by key `one`, API keys' by key `two`.
fn verifier() -> TokenVerifier {
    let trust = |name: &str, subject, key: &Jwk| {
        let issuer = TokenIssuer { issuer: format!("https://idp/{name}"), client_id: name.into(), subject };
        let keys = serde_json::to_vec(&JwkSet { keys: vec![key.clone()] }).unwrap();
        TrustedIssuer { issuer, keys: KeyCache::from_fixed_keys(KeySet::parse(&keys).unwrap()) }
    };
    let [one, two] = keys();
    TokenVerifier::new(vec![
        trust("people", TokenSubject::People, &one.1),
        trust("keys", TokenSubject::ApiKeys, &two.1),
    ])
}

/// Verifies with fixed keys, which needs no waiting.
fn verify(token: &str) -> Result<Identity, InvalidToken> {
    let result = verifier().verify(token, NOW).now_or_never().expect("it waited");
    result.map(|verified| verified.identity).map_err(|error| match error {
        AuthenticationError::Invalid(error) => error,
        other => panic!("{other}"),
    })
}

fn claims() -> Value {
    json!({
        "iss": "https://idp/people", "client_id": "people", "token_use": "access", "exp": NOW + 3600, "username": USER,
    })
}

fn header(kid: Option<&str>, algorithm: Algorithm) -> Header {
    Header { kid: kid.map(Into::into), ..Header::new(algorithm) }
}

fn token(claims: &Value) -> String {
    sign_token(&header(Some("one"), Algorithm::RS256), claims, &keys()[0].0)
}

fn sign_token(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    encode(header, claims, key).unwrap()
}

/// A token with this header and these claims, as text, and a good signature of key `one`.
fn sign_raw(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = sign(message.as_bytes(), &keys()[0].0, Algorithm::RS256).unwrap();
    format!("{message}.{signature}")
}

const HEADER: &str = r#"{"kid":"one","alg":"RS256"}"#;

fn api_key(username: &str) -> String {
    let mut claims = claims();
    claims["iss"] = json!("https://idp/keys");
    claims["client_id"] = json!("keys");
    claims["username"] = json!(username);
    sign_token(&header(Some("two"), Algorithm::RS256), &claims, &keys()[1].0)
}

#[test]
fn a_token_identifies_a_person_or_an_api_key() {
    assert_eq!(verify(&token(&claims())), Ok(Identity::User(Uuid::parse_str(USER).unwrap())));
    assert_eq!(verify(&sign_raw(HEADER, &claims().to_string())), verify(&token(&claims())));
    assert_eq!(verify(&api_key("3f1b")), Ok(Identity::ApiKey("3f1b".into())));
    for odd in ["", "a\0b", "a\nb", &"x".repeat(256)] {
        assert_eq!(verify(&api_key(odd)), Err(InvalidToken::Malformed), "{odd:?}");
    }
}

#[test]
fn rejects_claims_that_are_wrong_missing_or_of_another_type() {
    use InvalidToken::*;
    for (claim, value, why) in [
        ("exp", json!(NOW), Expired),
        ("exp", json!(NOW - 1), Expired),
        ("exp", json!((NOW + 3600).to_string()), Malformed),
        ("exp", json!(1.8e10), Malformed),
        ("exp", json!(-1), Malformed),
        ("exp", Value::Null, Malformed),
        ("nbf", json!(NOW + 3600), Expired),
        ("nbf", json!(u64::MAX), Expired),
        ("nbf", json!("0"), Malformed),
        ("iss", json!("https://idp/keys"), Purpose),
        ("iss", json!("https://idp/people/"), Purpose),
        ("iss", json!("HTTPS://idp/people"), Purpose),
        ("iss", json!(["https://idp/people"]), Malformed),
        ("client_id", json!("keys"), Purpose),
        ("client_id", json!(""), Purpose),
        ("token_use", json!("id"), Purpose),
        ("token_use", json!(["access"]), Malformed),
        ("username", json!("somebody"), Malformed),
        ("username", json!(7), Malformed),
    ] {
        let mut claims = claims();
        claims[claim] = value;
        assert_eq!(verify(&token(&claims)), Err(why), "{claim}: {}", claims[claim]);
    }
    for claim in ["iss", "client_id", "token_use", "exp", "username"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(verify(&token(&claims)), Err(Malformed), "{claim}");
    }
}

#[test]
fn rejects_duplicate_claims() {
    let claims = claims().to_string();
    for twice in
        [r#""exp":9999999999"#, r#""iss":"https://idp/people""#, r#""username":"x""#, r#""nbf":0,"nbf":0"#]
    {
        let claims = format!("{},{twice}}}", claims.trim_end_matches('}'));
        assert_eq!(verify(&sign_raw(HEADER, &claims)), Err(InvalidToken::Malformed), "{twice}");
    }
    let twice = r#"{"kid":"two","kid":"one","alg":"RS256"}"#;
    assert_eq!(verify(&sign_raw(twice, &claims)), Err(InvalidToken::Malformed));
}

#[test]
fn rejects_headers_with_extensions() {
    let claims = claims().to_string();
    for more in [
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""crit":"b64""#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""crit":["b64"],"b64":false"#,
    ] {
        let header = format!("{},{more}}}", HEADER.trim_end_matches('}'));
        assert_eq!(verify(&sign_raw(&header, &claims)), Err(InvalidToken::Malformed), "{more}");
    }
    // Keys in the token, or at a URL in it, are ignored.
    let own = serde_json::to_string(&keys()[1].1).unwrap();
    let header = format!(r#"{{"kid":"two","alg":"RS256","jwk":{own},"jku":"https://evil.example/keys"}}"#);
    assert_eq!(verify(&sign_raw(&header, &claims)), Err(InvalidToken::Signature));
}

#[test]
fn accepts_only_known_keys_with_rs256() {
    let (known, other) = (&keys()[0].0, &keys()[1].0);
    let public = serde_json::to_string(&keys()[0].1).unwrap();
    for (header, key) in [
        (header(Some("one"), Algorithm::RS256), other),
        (header(Some("two"), Algorithm::RS256), other),
        (header(Some("three"), Algorithm::RS256), known),
        (header(None, Algorithm::RS256), known),
        (header(Some("one"), Algorithm::RS512), known),
        (header(Some("one"), Algorithm::PS256), known),
        (header(Some("one"), Algorithm::HS256), &EncodingKey::from_secret(public.as_bytes())),
    ] {
        assert_eq!(verify(&sign_token(&header, &claims(), key)), Err(InvalidToken::Signature), "{header:?}");
    }
}

#[test]
fn rejects_keys_of_another_pool() {
    let people_by_api_keys = sign_token(&header(Some("two"), Algorithm::RS256), &claims(), &keys()[1].0);
    assert_eq!(verify(&people_by_api_keys), Err(InvalidToken::Signature));
    let mut claims = claims();
    claims["iss"] = json!("https://idp/keys");
    claims["client_id"] = json!("keys");
    assert_eq!(verify(&token(&claims)), Err(InvalidToken::Signature));
}

#[test]
fn rejects_unsigned_and_altered_tokens() {
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
        format!("{}.{}.{}=", parts[0], parts[1], parts[2]),
        "x".repeat(MAX_TOKEN_BYTES + 1),
        format!("{good}.{good}"),
        format!("{good} "),
    ] {
        assert!(verify(&bad).is_err(), "{bad}");
    }
}

#[test]
fn rejects_tokens_longer_than_a_header_field() {
    let mut claims = claims();
    claims["more"] = json!("x".repeat(5000));
    assert!(verify(&token(&claims)).is_ok());
    claims["more"] = json!("x".repeat(6500));
    assert_eq!(verify(&token(&claims)), Err(InvalidToken::Malformed));
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}", header in ".{0,80}", claims in ".{0,80}") {
        prop_assert!(verify(&text).is_err());
        let encoded = [header, claims, text].map(|part| URL_SAFE_NO_PAD.encode(part));
        prop_assert!(verify(&encoded.join(".")).is_err());
    }

    #[test]
    fn no_claims_panic(claim in "iss|client_id|token_use|exp|nbf|username", value in "[-0-9.eE\\[\\]{}\",:a-z]{0,12}") {
        let claims = format!("{{\"{claim}\":{value},{}", claims().to_string().trim_start_matches('{'));
        let _ = verify(&sign_raw(HEADER, &claims));
    }

    #[test]
    fn rejects_tokens_with_a_changed_character(at in 0_usize..1000, other in "[A-Za-z0-9._=-]") {
        static GOOD: OnceLock<String> = OnceLock::new();
        let good = GOOD.get_or_init(|| token(&claims()));
        let at = at % good.len();
        let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
        prop_assert!(changed == *good || verify(&changed).is_err(), "{changed}");
    }
}
