//! Keys, and tokens signed with them.

use std::sync::OnceLock;

use authorize::{TokenIssuer, TokenSubject, TokenVerifier, TrustedIssuer, UserPool, keys::KeyCache};
use aws::HttpClient;
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use serde_json::json;
use signing::cloudfront::PrivateKey;
use signing::s3::Region;

use crate::key_server::{KeyServer, ServerReply};

pub(crate) const NOW: u64 = 1_800_000_000;
const USER: &str = "61e7c1cf-a836-421b-b919-a2309402c9d6";

/// One of three key pairs, each generated once.
fn key_pair(number: usize) -> &'static EncodingKey {
    static PAIRS: [OnceLock<EncodingKey>; 3] = [const { OnceLock::new() }; 3];
    PAIRS[number].get_or_init(|| {
        let pem = PrivateKey::generate_rsa().unwrap().to_pkcs8_pem().unwrap();
        EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
    })
}

/// A JWK set with these keys, each with the id `key-{number}`.
pub(crate) fn key_set_json(numbers: &[usize]) -> String {
    let key = |number: &usize| {
        let mut jwk = Jwk::from_encoding_key(key_pair(*number), Algorithm::RS256).unwrap();
        jwk.common.key_id = Some(format!("key-{number}"));
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk
    };
    serde_json::to_string(&JwkSet { keys: numbers.iter().map(key).collect() }).unwrap()
}

pub(crate) fn key_set_reply(numbers: &[usize]) -> ServerReply {
    ServerReply::Status(200, key_set_json(numbers))
}

/// The issuer of a pool, whose client has the pool's name.
pub(crate) fn issuer(name: &str, subject: TokenSubject) -> TokenIssuer {
    let pool = UserPool::new(&format!("us-east-1_{name}"), name).unwrap();
    TokenIssuer::from_user_pool(&Region::new("us-east-1").unwrap(), &pool, subject)
}

/// An issuer with the keys that a server publishes.
pub(crate) fn trusted_issuer(name: &str, subject: TokenSubject, url: &str) -> TrustedIssuer {
    let issuer = issuer(name, subject);
    let keys = KeyCache::from_issuer(&issuer, Some(url), HttpClient::new().unwrap());
    TrustedIssuer { issuer, keys }
}

/// Trusts the pool `people` by the keys that a server publishes.
pub(crate) fn verifier(server: &KeyServer) -> TokenVerifier {
    TokenVerifier::new(vec![trusted_issuer("people", TokenSubject::People, &server.url())])
}

/// A token of a pool, signed by a key and with its id. It is valid for a day.
pub(crate) fn pool_token(pool: &str, number: usize) -> String {
    token_with_key_id(pool, number, &format!("key-{number}"))
}

/// A token of the pool `people`.
pub(crate) fn token(number: usize) -> String {
    pool_token("people", number)
}

/// A token with the id of another key than the one that signs it.
pub(crate) fn token_with_key_id(pool: &str, number: usize, key_id: &str) -> String {
    let claims = json!({
        "iss": format!("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_{pool}"), "client_id": pool,
        "token_use": "access", "exp": NOW + 86_400, "username": USER,
    });
    let header = Header { kid: Some(key_id.to_owned()), ..Header::new(Algorithm::RS256) };
    encode(&header, &claims, key_pair(number)).unwrap()
}
