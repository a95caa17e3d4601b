//! The local identity provider: its key pair, its user pool and API key pool, and access tokens in Cognito's format.

use authorize::{
    TokenIssuer, TokenSubject, TokenVerifier, TrustedIssuer,
    keys::{KeyCache, KeySet},
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use serde_json::{Value, json};
use signing::cloudfront::PrivateKey;
use uuid::Uuid;

use crate::s3::REGION;

/// The id of the single key, which signs for both pools.
const KEY_ID: &str = "local";

/// Issues access tokens.
pub struct LocalIssuer {
    key: TokenKey,
    jwks: JwkSet,
    keys: KeySet,
}

/// A key pair that signs tokens. It is an RSA key, because Cognito signs with RS256.
pub struct TokenKey(EncodingKey);

/// The key of the local identity provider is invalid.
#[derive(Debug, thiserror::Error)]
#[error("invalid key of the local identity provider: {0}")]
pub struct TokenKeyError(String);

impl TokenKeyError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl TokenKey {
    /// Generates a key pair.
    pub fn generate() -> Result<Self, TokenKeyError> {
        Self::from_pem(&LocalIssuer::generate_key()?)
    }

    /// Parses a key pair of [`LocalIssuer::generate_key`].
    pub fn from_pem(pem: &str) -> Result<Self, TokenKeyError> {
        EncodingKey::from_rsa_pem(pem.as_bytes()).map(Self).map_err(TokenKeyError::new)
    }

    /// The public key under this id, in the format of a pool's key set (RFC 7517).
    pub fn to_jwk(&self, id: &str) -> Result<Jwk, TokenKeyError> {
        let mut jwk = Jwk::from_encoding_key(&self.0, Algorithm::RS256).map_err(TokenKeyError::new)?;
        // Verifiers find the key of a token by its `kid`.
        jwk.common.key_id = Some(id.to_owned());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(jwk)
    }

    /// Signs a token with these claims. Its header names the key by this id.
    pub fn sign(&self, claims: &Value, id: &str) -> Result<String, TokenKeyError> {
        // The id may differ from that of the key: tests need tokens with an unknown key.
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::RS256) };
        encode(&header, claims, &self.0).map_err(TokenKeyError::new)
    }
}

impl LocalIssuer {
    /// Generates a key in PEM format.
    pub fn generate_key() -> Result<String, TokenKeyError> {
        let pem = PrivateKey::generate_rsa().and_then(|key| key.to_pkcs8_pem());
        pem.map(|pem| pem.to_string()).map_err(TokenKeyError::new)
    }

    /// An issuer with a key of [`LocalIssuer::generate_key`].
    pub fn new(pem: &str) -> Result<Self, TokenKeyError> {
        let key = TokenKey::from_pem(pem)?;
        let jwks = JwkSet { keys: vec![key.to_jwk(KEY_ID)?] };
        let json = serde_json::to_vec(&jwks).map_err(TokenKeyError::new)?;
        let keys = KeySet::parse(&json).map_err(TokenKeyError::new)?;
        Ok(Self { key, jwks, keys })
    }

    /// Issues an access token for a user, valid for `lifetime` seconds from `now` (seconds since the Unix epoch).
    pub fn issue_user_token(
        &self,
        cognito_id: Uuid,
        now: u64,
        lifetime: u64,
    ) -> Result<String, TokenKeyError> {
        self.issue_token(&cognito_id.to_string(), &pool(TokenSubject::People), now, lifetime)
    }

    /// Issues an access token for an API key. Programs get such a token for the key and its secret.
    pub fn issue_api_key_token(
        &self,
        api_key: &str,
        now: u64,
        lifetime: u64,
    ) -> Result<String, TokenKeyError> {
        self.issue_token(api_key, &pool(TokenSubject::ApiKeys), now, lifetime)
    }

    fn issue_token(
        &self,
        username: &str,
        pool: &TokenIssuer,
        now: u64,
        lifetime: u64,
    ) -> Result<String, TokenKeyError> {
        // Cognito's access tokens have no `aud`. The client is in `client_id`.
        let claims = json!({
            "iss": pool.issuer, "client_id": pool.client_id, "token_use": "access",
            "scope": "aws.cognito.signin.user.admin", "sub": username, "username": username,
            "iat": now, "exp": now + lifetime, "jti": Uuid::new_v4(),
        });
        self.key.sign(&claims, KEY_ID)
    }

    /// The public keys, in the format of `/.well-known/jwks.json`.
    #[must_use]
    pub fn jwks(&self) -> &JwkSet {
        &self.jwks
    }

    /// A verifier that accepts only tokens of this issuer.
    #[must_use]
    pub fn verifier(&self) -> TokenVerifier {
        let trusted = |subject| TrustedIssuer {
            issuer: pool(subject),
            keys: KeyCache::from_fixed_keys(self.keys.clone()),
        };
        TokenVerifier::new(vec![trusted(TokenSubject::People), trusted(TokenSubject::ApiKeys)])
    }
}

/// The pool of users or the pool of API keys. The issuer has the format of Cognito's, so that code for Cognito works with
/// it.
#[must_use]
pub fn pool(subject: TokenSubject) -> TokenIssuer {
    let name = match subject {
        TokenSubject::People => "People",
        TokenSubject::ApiKeys => "Keys",
    };
    TokenIssuer {
        issuer: format!("https://cognito-idp.{REGION}.amazonaws.com/{REGION}_Local{name}"),
        client_id: format!("local{name}"),
        subject,
    }
}
