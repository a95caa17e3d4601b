//! The local identity provider: its key pair, its pools of people and of API keys, and tokens as Cognito would make them.

use authorize::{
    Bearers, Pool, Verifier,
    keys::{KeySet, Keys},
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use serde_json::{Value, json};
use signing::cloudfront::PrivateKey;
use uuid::Uuid;

use crate::s3::REGION;

/// The id of the one key, which signs for both pools.
const KEY_ID: &str = "local";

/// Issues access tokens.
pub struct Issuer {
    key: TokenKey,
    jwks: JwkSet,
    keys: KeySet,
}

/// A key pair that signs tokens: RSA, since Cognito's are signed with RS256.
pub struct TokenKey(EncodingKey);

/// A key that cannot sign tokens.
#[derive(Debug)]
pub struct UnusableKey(String);

impl UnusableKey {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Display for UnusableKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the key of the local identity provider cannot be used: {}", self.0)
    }
}

impl std::error::Error for UnusableKey {}

impl TokenKey {
    /// Makes a new pair.
    pub fn generate() -> Result<Self, UnusableKey> {
        Self::from_pem(&Issuer::generate_key()?)
    }

    /// Reads a pair that [`Issuer::generate_key`] made.
    pub fn from_pem(pem: &str) -> Result<Self, UnusableKey> {
        EncodingKey::from_rsa_pem(pem.as_bytes()).map(Self).map_err(UnusableKey::new)
    }

    /// The public half, as a pool publishes it under this id (RFC 7517).
    pub fn published(&self, id: &str) -> Result<Jwk, UnusableKey> {
        let mut jwk = Jwk::from_encoding_key(&self.0, Algorithm::RS256).map_err(UnusableKey::new)?;
        jwk.common.key_id = Some(id.to_owned());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(jwk)
    }

    /// A token with these claims, which says that the key with this id has signed it.
    pub fn sign(&self, claims: &Value, id: &str) -> Result<String, UnusableKey> {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::RS256) };
        encode(&header, claims, &self.0).map_err(UnusableKey::new)
    }
}

impl Issuer {
    /// Makes a new key, as PEM.
    pub fn generate_key() -> Result<String, UnusableKey> {
        let pem = PrivateKey::generate_rsa().and_then(|key| key.to_pkcs8_pem());
        pem.map(|pem| pem.to_string()).map_err(UnusableKey::new)
    }

    /// An issuer with a key that [`Issuer::generate_key`] made.
    pub fn new(pem: &str) -> Result<Self, UnusableKey> {
        let key = TokenKey::from_pem(pem)?;
        let jwks = JwkSet { keys: vec![key.published(KEY_ID)?] };
        let json = serde_json::to_vec(&jwks).map_err(UnusableKey::new)?;
        let keys = KeySet::parse(&json).map_err(UnusableKey::new)?;
        Ok(Self { key, jwks, keys })
    }

    /// An access token for a person, valid for `life` seconds from `now` (seconds since the Unix epoch).
    pub fn issue(&self, cognito_id: Uuid, now: u64, life: u64) -> Result<String, UnusableKey> {
        self.issue_to(&cognito_id.to_string(), &pool(Bearers::People), now, life)
    }

    /// An access token for an API key, which is what a program gets for the key's two halves.
    pub fn issue_api_key(&self, api_key: &str, now: u64, life: u64) -> Result<String, UnusableKey> {
        self.issue_to(api_key, &pool(Bearers::ApiKeys), now, life)
    }

    fn issue_to(&self, username: &str, pool: &Pool, now: u64, life: u64) -> Result<String, UnusableKey> {
        let claims = json!({
            "iss": pool.issuer, "client_id": pool.client_id, "token_use": "access",
            "scope": "aws.cognito.signin.user.admin", "sub": username, "username": username,
            "iat": now, "exp": now + life, "jti": Uuid::new_v4(),
        });
        self.key.sign(&claims, KEY_ID)
    }

    /// The public keys, as `/.well-known/jwks.json` tells them.
    #[must_use]
    pub fn keys(&self) -> &JwkSet {
        &self.jwks
    }

    /// A verifier that believes this issuer alone.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let believed = |bearers| (pool(bearers), Keys::fixed(self.keys.clone()));
        Verifier::new(vec![believed(Bearers::People), believed(Bearers::ApiKeys)])
    }
}

/// The pool whose tokens name people, or that whose tokens name API keys. They look as if they were in Cognito, so that
/// what believes Cognito can be told to believe them.
#[must_use]
pub fn pool(bearers: Bearers) -> Pool {
    let name = match bearers {
        Bearers::People => "People",
        Bearers::ApiKeys => "Keys",
    };
    Pool {
        issuer: format!("https://cognito-idp.{REGION}.amazonaws.com/{REGION}_Local{name}"),
        client_id: format!("local{name}"),
        bearers,
    }
}
