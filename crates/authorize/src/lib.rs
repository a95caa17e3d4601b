//! Authentication and authorization: from a bearer token to its claims on one dataset.
//!
//! [`Authorizer::authenticate`] verifies a token by the issuer's published keys. [`Authorizer::authorize`] reads the
//! caller's role from Postgres at every call, so that a revoked role has no effect from then on.

pub mod db;
pub mod keys;
mod pool;
mod token;

use aws::Clock;
use database::Db;
use packages::{
    access::{Claims, Member},
    id::DatasetNodeId,
};

use crate::db::{Identity, find_claims, find_member};
pub use crate::{
    pool::{CognitoConfig, TokenIssuer, TokenSubject, UserPool, is_client_id, is_pool_id},
    token::{AuthenticationError, InvalidToken, TokenVerifier, TrustedIssuer},
};

/// Verifies tokens, and finds what their owners may do.
#[derive(Debug, Clone)]
pub struct Authorizer {
    verifier: TokenVerifier,
    db: Db,
    clock: Clock,
}

/// Why there are no claims.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// The caller is unknown, the dataset does not exist, or the caller has no role in it; the error does not say which.
    #[error("you have no access to this dataset")]
    NoAccess,
    /// Postgres did not answer, so access is neither granted nor refused.
    #[error(transparent)]
    Database(#[from] database::Error),
}

impl Authorizer {
    /// Accepts the tokens that the verifier accepts.
    #[must_use]
    pub fn new(verifier: TokenVerifier, db: Db, clock: Clock) -> Self {
        Self { verifier, db, clock }
    }

    /// Verifies a token, and returns whom it identifies. If its key is not known yet, the issuer's keys are fetched, which
    /// takes at most two seconds.
    pub async fn authenticate(&self, token: &str) -> Result<Identity, AuthenticationError> {
        self.verifier.verify(token, self.clock.now()).await
    }

    /// Finds who the caller is, and the workspace that they are active in. One statement.
    pub async fn find_member(&self, identity: &Identity) -> Result<Member, AuthorizeError> {
        find_member(&self.db, identity).await?.ok_or(AuthorizeError::NoAccess)
    }

    /// Finds the caller's claims on a dataset of the workspace that they are active in. Two statements.
    pub async fn authorize(
        &self,
        identity: &Identity,
        dataset: &DatasetNodeId,
    ) -> Result<Claims, AuthorizeError> {
        let member = self.find_member(identity).await?;
        find_claims(&self.db, member, dataset).await?.ok_or(AuthorizeError::NoAccess)
    }
}

/// Parses the token of an `Authorization` header: `Bearer`, in any case, one blank, the token (RFC 6750, section 2.1).
#[must_use]
pub fn parse_bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ')).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_only_bearer_headers() {
        assert_eq!(parse_bearer_token("Bearer abc.def.ghi"), Some("abc.def.ghi"));
        assert_eq!(parse_bearer_token("bearer abc"), Some("abc"));
        for other in ["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "abc", "Bearerabc"] {
            assert_eq!(parse_bearer_token(other), None, "{other:?}");
        }
    }
}
