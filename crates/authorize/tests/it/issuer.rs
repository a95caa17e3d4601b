//! Keys, and tokens signed with them.

use std::sync::OnceLock;

use authorize::UserPool;
use authorize::{TokenIssuer, TokenSubject, Verifier, keys::KeyCache};
use aws::HttpClient;
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use serde_json::json;
use signing::cloudfront::PrivateKey;
use signing::s3::Region;

use crate::server::{Reply, Server};

pub(crate) const NOW: u64 = 1_800_000_000;
const USER: &str = "61e7c1cf-a836-421b-b919-a2309402c9d6";

/// One of three key pairs, which are made once.
fn pair(number: usize) -> &'static EncodingKey {
    static PAIRS: [OnceLock<EncodingKey>; 3] = [const { OnceLock::new() }; 3];
    PAIRS[number].get_or_init(|| {
        let pem = PrivateKey::generate_rsa().unwrap().to_pkcs8_pem().unwrap();
        EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
    })
}

/// A document with these keys, each under the name `key-{number}`.
pub(crate) fn document(numbers: &[usize]) -> String {
    let key = |number: &usize| {
        let mut jwk = Jwk::from_encoding_key(pair(*number), Algorithm::RS256).unwrap();
        jwk.common.key_id = Some(format!("key-{number}"));
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk
    };
    serde_json::to_string(&JwkSet { keys: numbers.iter().map(key).collect() }).unwrap()
}

pub(crate) fn published(numbers: &[usize]) -> Reply {
    Reply::With(200, document(numbers))
}

/// A pool whose client has the pool's name.
pub(crate) fn pool(name: &str, bearers: TokenSubject) -> TokenIssuer {
    let ids = UserPool::new(&format!("us-east-1_{name}"), name).unwrap();
    TokenIssuer::cognito(&Region::new("us-east-1").unwrap(), &ids, bearers)
}

/// Believes the pool `people` by the keys that a server publishes.
pub(crate) fn verifier(server: &Server) -> Verifier {
    let pool = pool("people", TokenSubject::People);
    let keys = KeyCache::fetched(&pool, Some(&server.url()), HttpClient::new().unwrap());
    Verifier::new(vec![(pool, keys)])
}

/// A token of a pool, signed by a key and naming it; good for a day.
pub(crate) fn token_of(pool: &str, number: usize) -> String {
    token_naming(pool, number, &format!("key-{number}"))
}

/// A token of the pool `people`.
pub(crate) fn token(number: usize) -> String {
    token_of("people", number)
}

/// A token that names another key than the one that signs it.
pub(crate) fn token_naming(pool: &str, number: usize, key_id: &str) -> String {
    let claims = json!({
        "iss": format!("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_{pool}"), "client_id": pool,
        "token_use": "access", "exp": NOW + 86_400, "username": USER,
    });
    let header = Header { kid: Some(key_id.to_owned()), ..Header::new(Algorithm::RS256) };
    encode(&header, &claims, pair(number)).unwrap()
}
