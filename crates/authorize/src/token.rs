//! Verifying access tokens of Cognito user pools, by the pools' published keys (RFC 7515, RFC 7517, RFC 7519).

use std::{fmt, sync::Arc};

use crate::{CognitoPools, UserPool, db::Identity};
use aws::HttpClient;
use jsonwebtoken::{Algorithm, Validation, dangerous::insecure_decode_claims, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    TokenIssuer, TokenSubject,
    keys::{KeyCache, KeysUnavailable},
};

/// The longest token that is looked at, in bytes. Cognito's access tokens have about a thousand.
const MAX_TOKEN: usize = 8192;

/// How far the issuer's clock may be ahead of ours, in seconds.
const SKEW: u64 = 60;

/// The longest name of an API key, in characters: that of its column, `tokens.token`.
const MAX_API_KEY: usize = 255;

/// Knows the pools and their keys.
#[derive(Debug, Clone)]
pub struct Verifier {
    pools: Arc<[(TokenIssuer, KeyCache)]>,
}

/// Why it is not known whom a token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthenticationError {
    /// It names nobody: whoever sent it is to be refused.
    Invalid(InvalidToken),
    /// It cannot be said, for now: nobody is to be refused for this.
    Unavailable(KeysUnavailable),
}

impl fmt::Display for AuthenticationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => why.fmt(f),
            Self::Unavailable(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for AuthenticationError {}

impl From<InvalidToken> for AuthenticationError {
    fn from(why: InvalidToken) -> Self {
        Self::Invalid(why)
    }
}

impl From<KeysUnavailable> for AuthenticationError {
    fn from(why: KeysUnavailable) -> Self {
        Self::Unavailable(why)
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

/// The claims that decide. A token that lacks one, has it twice, or has it in another type, is malformed.
///
/// `custom:organization_id` is not among them: Cognito puts custom attributes into ID tokens, which are refused here, and
/// the workspace that somebody is active in is what the database says.
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

impl AccessToken {
    /// A pool's tokens are good from `nbf`, if there is one, until `exp`, by our clock (RFC 7519, sections 4.1.4, 4.1.5).
    fn is_current(&self, now: u64) -> bool {
        self.exp > now && self.nbf <= now.saturating_add(SKEW)
    }

    fn names(self, bearers: TokenSubject) -> Result<Identity, InvalidToken> {
        match bearers {
            TokenSubject::People => {
                Uuid::parse_str(&self.username).map(Identity::User).map_err(|_| InvalidToken::Malformed)
            }
            TokenSubject::ApiKeys if is_api_key(&self.username) => Ok(Identity::ApiKey(self.username)),
            TokenSubject::ApiKeys => Err(InvalidToken::Malformed),
        }
    }
}

impl Verifier {
    /// Believes these pools, each by its own keys.
    #[must_use]
    pub fn new(pools: Vec<(TokenIssuer, KeyCache)>) -> Self {
        Self { pools: pools.into() }
    }

    /// Believes the platform's two pools in Cognito, by the keys that they publish.
    #[must_use]
    pub fn cognito(pools: &CognitoPools, http: &HttpClient) -> Self {
        let endpoint = pools.endpoint.as_deref();
        let pool = |ids: &UserPool, bearers| {
            let pool = TokenIssuer::cognito(&pools.region, ids, bearers);
            let keys = KeyCache::fetched(&pool, endpoint, http.clone());
            (pool, keys)
        };
        Self::new(vec![
            pool(&pools.people, TokenSubject::People),
            pool(&pools.api_keys, TokenSubject::ApiKeys),
        ])
    }

    /// Verifies a token at a time (seconds since the Unix epoch) and says whom it names.
    ///
    /// What can be refused without a key is refused first: only a current token that claims to come from one of the
    /// pools can make us ask for keys.
    pub async fn verify(&self, token: &str, now: u64) -> Result<Identity, AuthenticationError> {
        let key_id = key_id(token)?;
        let claimed: AccessToken = insecure_decode_claims(token).map_err(|_| InvalidToken::Malformed)?;
        let (pool, keys) = self.pool(&claimed).ok_or(InvalidToken::Purpose)?;
        if !claimed.is_current(now) {
            return Err(InvalidToken::Expired.into());
        }
        let key = keys.find(&key_id, now).await?.ok_or(InvalidToken::Signature)?;
        let proven: AccessToken = decode(token, &key, &rs256()).map_err(|error| reason(&error))?.claims;
        Ok(proven.names(pool.bearers)?)
    }

    /// The pool that a token for access says it is from.
    fn pool(&self, claimed: &AccessToken) -> Option<&(TokenIssuer, KeyCache)> {
        let issued = |pool: &TokenIssuer| pool.issuer == claimed.iss && pool.client_id == claimed.client_id;
        self.pools.iter().find(|(pool, _)| issued(pool)).filter(|_| claimed.token_use == "access")
    }
}

/// The id of the key that is said to have signed a token, if the token's header is one that we understand: RS256, and no
/// extension. One that is marked as critical must be refused (RFC 7515, section 4.1.11), and `b64` would have us read
/// the claims in another way (RFC 7797), marked or not.
fn key_id(token: &str) -> Result<String, InvalidToken> {
    if token.len() > MAX_TOKEN {
        return Err(InvalidToken::Malformed);
    }
    let header = decode_header(token).map_err(|_| InvalidToken::Malformed)?;
    let b64 = header.extras.get::<Value>("b64");
    if header.crit.is_some() || !matches!(b64, Ok(None)) {
        return Err(InvalidToken::Malformed);
    }
    if header.alg != Algorithm::RS256 {
        return Err(InvalidToken::Signature);
    }
    header.kid.ok_or(InvalidToken::Signature)
}

/// What a row of `tokens` can be found by. Postgres has no text with a NUL in it.
fn is_api_key(name: &str) -> bool {
    (1..=MAX_API_KEY).contains(&name.chars().count()) && !name.contains(char::is_control)
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
