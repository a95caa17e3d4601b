//! The local identity provider: its key pair, its one pool of people, and tokens as Cognito would make them.

use authorize::{Pool, Verifier};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet},
};
use serde_json::json;
use signing::cloudfront::PrivateKey;
use uuid::Uuid;

const ISSUER: &str = "https://cognito-idp.local/people";
const CLIENT: &str = "packages-service-local";

/// Issues access tokens.
pub struct Issuer {
    key: EncodingKey,
    keys: JwkSet,
}

/// A key that cannot sign tokens.
#[derive(Debug)]
pub struct UnusableKey(String);

impl std::fmt::Display for UnusableKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the key of the local identity provider cannot be used: {}", self.0)
    }
}

impl std::error::Error for UnusableKey {}

impl Issuer {
    /// Makes a new key, as PEM: RSA, since Cognito's tokens are signed with RS256.
    pub fn generate_key() -> Result<String, UnusableKey> {
        let pem = PrivateKey::generate_rsa().and_then(|key| key.to_pkcs8_pem());
        pem.map(|pem| pem.to_string()).map_err(|error| UnusableKey(error.to_string()))
    }

    /// An issuer with a key that [`Issuer::generate_key`] made.
    pub fn new(pem: &str) -> Result<Self, UnusableKey> {
        let unusable = |error: jsonwebtoken::errors::Error| UnusableKey(error.to_string());
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(unusable)?;
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(unusable)?;
        jwk.common.key_id = Some("local".to_owned());
        Ok(Self { key, keys: JwkSet { keys: vec![jwk] } })
    }

    /// An access token for a person, valid for `life` seconds from `now` (seconds since the Unix epoch).
    pub fn issue(&self, cognito_id: Uuid, now: u64, life: u64) -> Result<String, UnusableKey> {
        let claims = json!({
            "iss": ISSUER, "client_id": CLIENT, "token_use": "access", "scope": "aws.cognito.signin.user.admin",
            "sub": cognito_id, "username": cognito_id, "iat": now, "exp": now + life, "jti": Uuid::new_v4(),
        });
        let header = Header { kid: Some("local".to_owned()), ..Header::new(Algorithm::RS256) };
        encode(&header, &claims, &self.key).map_err(|error| UnusableKey(error.to_string()))
    }

    /// The public keys, as `/.well-known/jwks.json` tells them.
    #[must_use]
    pub fn keys(&self) -> &JwkSet {
        &self.keys
    }

    /// A verifier that believes this issuer alone.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let pool = Pool { issuer: ISSUER.to_owned(), client_id: CLIENT.to_owned(), is_api_keys: false };
        Verifier::new(vec![pool], &self.keys)
    }
}
