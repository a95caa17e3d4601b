//! Verifying access tokens of Cognito user pools, by the pools' published keys (RFC 7515, RFC 7517, RFC 7519).

use std::{collections::HashMap, fmt, sync::Arc};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{JwkSet, PublicKeyUse},
};
use packages::db::access::Identity;
use serde::Deserialize;
use uuid::Uuid;

/// The longest token that is looked at, in bytes. Cognito's access tokens have about a thousand.
const MAX_TOKEN: usize = 8192;

/// How far the issuer's clock may be ahead of ours, in seconds.
const SKEW: u64 = 60;

/// A pool of people or of API keys. A token is its when issuer *and* client agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// `https://cognito-idp.{region}.amazonaws.com/{pool}`.
    pub issuer: String,
    /// The application's client id.
    pub client_id: String,
    /// Whether it holds API keys, and not people.
    pub is_api_keys: bool,
}

/// Knows the pools and their keys.
#[derive(Clone)]
pub struct Verifier {
    pools: Arc<[Pool]>,
    keys: Arc<HashMap<String, DecodingKey>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("pools", &self.pools).finish_non_exhaustive()
    }
}

/// Why a token is not believed. It repeats nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidToken {
    /// Not a signed token, or one without the claims that an access token has.
    Malformed,
    /// Signed by an unknown key, or by another algorithm than RS256, or not by this key at all.
    Signature,
    /// Its time is over, or has not come.
    Expired,
    /// It is for another application, or no access token.
    Purpose,
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the bearer token is malformed",
            Self::Signature => "the bearer token's signature does not hold",
            Self::Expired => "the bearer token has expired",
            Self::Purpose => "the bearer token is not an access token of this platform",
        })
    }
}

impl std::error::Error for InvalidToken {}

/// The claims that decide. A token that lacks one, or has it in another type, is malformed.
#[derive(Deserialize)]
struct AccessToken {
    iss: String,
    client_id: String,
    token_use: String,
    exp: u64,
    #[serde(default)]
    nbf: u64,
    username: String,
}

impl Verifier {
    /// Takes the signature keys of a key set; those of another kind are no use.
    #[must_use]
    pub fn new(pools: Vec<Pool>, keys: &JwkSet) -> Self {
        let usable = keys.keys.iter().filter(
            |key| !matches!(&key.common.public_key_use, Some(purpose) if *purpose != PublicKeyUse::Signature),
        );
        let keys = usable.filter_map(|key| {
            let id = key.common.key_id.clone()?;
            Some((id, DecodingKey::from_jwk(key).ok()?))
        });
        Self { pools: pools.into(), keys: Arc::new(keys.collect()) }
    }

    /// Verifies a token at a time (seconds since the Unix epoch) and says whom it names.
    pub fn verify(&self, token: &str, now: u64) -> Result<Identity, InvalidToken> {
        if token.len() > MAX_TOKEN {
            return Err(InvalidToken::Malformed);
        }
        let header = decode_header(token).map_err(|_| InvalidToken::Malformed)?;
        let key = header.kid.as_ref().and_then(|id| self.keys.get(id)).ok_or(InvalidToken::Signature)?;
        let claims: AccessToken = decode(token, key, &rs256()).map_err(|error| reason(&error))?.claims;
        if claims.exp <= now || claims.nbf > now + SKEW {
            return Err(InvalidToken::Expired);
        }
        let is_from = |pool: &&Pool| pool.issuer == claims.iss && pool.client_id == claims.client_id;
        let pool = self.pools.iter().find(is_from).ok_or(InvalidToken::Purpose)?;
        if claims.token_use != "access" {
            return Err(InvalidToken::Purpose);
        }
        if pool.is_api_keys {
            return Ok(Identity::ApiKey(claims.username));
        }
        Uuid::parse_str(&claims.username).map(Identity::User).map_err(|_| InvalidToken::Malformed)
    }
}

/// RS256 and nothing else. The times are compared by us, to our own clock.
fn rs256() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims::<&str>(&[]);
    validation
}

fn reason(error: &jsonwebtoken::errors::Error) -> InvalidToken {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => InvalidToken::Signature,
        _ => InvalidToken::Malformed,
    }
}

#[cfg(test)]
mod tests;
