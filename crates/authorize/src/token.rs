//! Verifying access tokens of Cognito user pools, by the pools' published keys (RFC 7515, RFC 7517, RFC 7519).

use std::sync::Arc;

use aws::HttpClient;
use jsonwebtoken::{Algorithm, Validation, dangerous::insecure_decode_claims, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    CognitoConfig, TokenIssuer, TokenSubject, UserPool,
    db::Identity,
    keys::{KeyCache, KeysUnavailable},
};

/// The longest token that is parsed. Cognito's access tokens have about a thousand bytes.
const MAX_TOKEN_BYTES: usize = 8192;

/// How far the issuer's clock may be ahead of ours.
const MAX_CLOCK_SKEW_SECONDS: u64 = 60;

/// The longest name of an API key: the length of its column, `tokens.token`.
const MAX_API_KEY_CHARS: usize = 255;

/// Verifies tokens of the issuers that it trusts.
#[derive(Debug, Clone)]
pub struct TokenVerifier {
    issuers: Arc<[TrustedIssuer]>,
}

/// An issuer whose tokens are accepted, with its keys.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    /// The issuer.
    pub issuer: TokenIssuer,
    /// Its keys.
    pub keys: KeyCache,
}

/// A token that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Whom it identifies.
    pub identity: Identity,
    /// When it expires, in seconds since the Unix epoch.
    pub expires_at: u64,
}

/// Why a credential is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// The credential is invalid: refuse its sender.
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
    /// The token could not be verified for now: its sender may try again.
    #[error(transparent)]
    Unavailable(#[from] KeysUnavailable),
    /// The callback could not be validated for now. The cause is logged.
    #[error("callbacks cannot be validated now")]
    ValidatorUnavailable,
}

/// Why a credential is refused. It repeats nothing of the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It is not a signed token, or lacks a claim of an access token.
    #[error("the bearer token is malformed")]
    Malformed,
    /// The signature is invalid, or by an unknown key or another algorithm than RS256.
    #[error("the bearer token's signature is invalid")]
    Signature,
    /// It has expired, or is not valid yet.
    #[error("the bearer token has expired")]
    Expired,
    /// It is for another application, or not an access token.
    #[error("the bearer token is not an access token of this platform")]
    Purpose,
    /// The callback's service has no validator, or the validator refuses the callback.
    #[error("the callback is not valid")]
    Callback,
}

/// The claims that are used. A token that lacks one, has one twice, or in another type, is malformed.
///
/// `custom:organization_id` is not used: Cognito puts custom attributes into ID tokens, which are refused, and the active
/// workspace comes from the database.
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
    /// A token is valid from `nbf`, if it has one, until `exp`, by our clock (RFC 7519, sections 4.1.4 and 4.1.5).
    fn is_current(&self, now: u64) -> bool {
        self.exp > now && self.nbf <= now.saturating_add(MAX_CLOCK_SKEW_SECONDS)
    }

    fn into_identity(self, subject: TokenSubject) -> Result<Identity, InvalidToken> {
        match subject {
            TokenSubject::People => {
                Uuid::parse_str(&self.username).map(Identity::User).map_err(|_| InvalidToken::Malformed)
            }
            TokenSubject::ApiKeys if is_api_key(&self.username) => Ok(Identity::ApiKey(self.username)),
            TokenSubject::ApiKeys => Err(InvalidToken::Malformed),
        }
    }
}

impl TokenVerifier {
    /// Trusts these issuers, each with its own keys.
    #[must_use]
    pub fn new(issuers: Vec<TrustedIssuer>) -> Self {
        Self { issuers: issuers.into() }
    }

    /// Trusts the platform's two user pools in Cognito, by the keys that they publish.
    #[must_use]
    pub fn from_cognito(config: &CognitoConfig, http: &HttpClient) -> Self {
        let trust_pool = |pool: &UserPool, subject| {
            let issuer = TokenIssuer::from_user_pool(&config.region, pool, subject);
            let keys = KeyCache::from_issuer(&issuer, config.endpoint.as_deref(), http.clone());
            TrustedIssuer { issuer, keys }
        };
        Self::new(vec![
            trust_pool(&config.people, TokenSubject::People),
            trust_pool(&config.api_keys, TokenSubject::ApiKeys),
        ])
    }

    /// Verifies a token at a time (seconds since the Unix epoch), and returns whom it identifies and until when.
    ///
    /// Everything that needs no key is checked first: only a current token that claims to be from a trusted issuer can
    /// cause a fetch of keys.
    pub async fn verify(&self, token: &str, now: u64) -> Result<VerifiedToken, AuthenticationError> {
        let key_id = read_key_id(token)?;
        let unverified: AccessToken = insecure_decode_claims(token).map_err(|_| InvalidToken::Malformed)?;
        let TrustedIssuer { issuer, keys } = self.find_issuer(&unverified).ok_or(InvalidToken::Purpose)?;
        if !unverified.is_current(now) {
            return Err(InvalidToken::Expired.into());
        }
        let key = keys.find_key(&key_id, now).await?.ok_or(InvalidToken::Signature)?;
        let verified = decode::<AccessToken>(token, &key, &rs256_validation());
        let verified = verified.map_err(|error| classify_error(&error))?.claims;
        let expires_at = verified.exp;
        Ok(VerifiedToken { identity: verified.into_identity(issuer.subject)?, expires_at })
    }

    /// The trusted issuer that an access token claims to be from.
    fn find_issuer(&self, token: &AccessToken) -> Option<&TrustedIssuer> {
        let mut issuers = self.issuers.iter();
        let found = issuers.find(|trusted| {
            trusted.issuer.issuer == token.iss && trusted.issuer.client_id == token.client_id
        });
        found.filter(|_| token.token_use == "access")
    }
}

/// Reads the id of the signing key from a token's header. The header must be RS256 without extensions: one marked as
/// critical must be refused (RFC 7515, section 4.1.11), and `b64` would change how the claims are read (RFC 7797), whether
/// marked or not.
fn read_key_id(token: &str) -> Result<String, InvalidToken> {
    if token.len() > MAX_TOKEN_BYTES {
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

/// Whether a row of `tokens` may have this name. Postgres has no text with a NUL in it.
fn is_api_key(name: &str) -> bool {
    (1..=MAX_API_KEY_CHARS).contains(&name.chars().count()) && !name.contains(char::is_control)
}

/// Verifies RS256 signatures only. Times are compared here, by our own clock.
fn rs256_validation() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims::<&str>(&[]);
    validation
}

fn classify_error(error: &jsonwebtoken::errors::Error) -> InvalidToken {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => InvalidToken::Signature,
        _ => InvalidToken::Malformed,
    }
}

#[cfg(test)]
mod tests;
