//! From a bearer token to the claims that it gives on one dataset.
//!
//! A token is believed when a known key signed it ([`Authorizer::identify`]); who that is, and which role they have,
//! comes from Postgres at every call ([`Authorizer::authorize`]), so a role that is taken away is gone at once.

pub mod db;
pub mod keys;
mod pool;
mod token;

use std::fmt;

use crate::db::{Identity, find_claims, find_member};
use aws::Clock;
use database::{self, Db};
use packages::{access::Claims, id::DatasetNodeId};
pub use pool::{CognitoPools, TokenIssuer, TokenSubject, UserPool, is_client_id, is_pool_id};
pub use token::{AuthenticationError, InvalidToken, Verifier};

/// Decides what a token's bearer may do.
#[derive(Debug, Clone)]
pub struct Authorizer {
    verifier: Verifier,
    db: Db,
    clock: Clock,
}

/// Why there are no claims.
#[derive(Debug)]
pub enum AuthorizeError {
    /// The bearer is unknown, or has no role in such a dataset; which of these is not told.
    NoAccess,
    /// Postgres did not answer: nothing is decided.
    Db(database::Error),
}

impl fmt::Display for AuthorizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAccess => f.write_str("you have no access to this dataset"),
            Self::Db(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AuthorizeError {}

impl From<database::Error> for AuthorizeError {
    fn from(error: database::Error) -> Self {
        Self::Db(error)
    }
}

impl Authorizer {
    /// An authorizer that believes what the verifier believes.
    #[must_use]
    pub fn new(verifier: Verifier, db: Db, clock: Clock) -> Self {
        Self { verifier, db, clock }
    }

    /// Whom a token names, if it is to be believed now. It asks the token's pool for keys when those that are known do
    /// not do, and waits two seconds at most for them.
    pub async fn identify(&self, token: &str) -> Result<Identity, AuthenticationError> {
        self.verifier.verify(token, self.clock.now()).await
    }

    /// The claims of somebody on a dataset of the workspace that they are active in. Two statements.
    pub async fn authorize(
        &self,
        identity: &Identity,
        dataset: &DatasetNodeId,
    ) -> Result<Claims, AuthorizeError> {
        let member = find_member(&self.db, identity).await?.ok_or(AuthorizeError::NoAccess)?;
        find_claims(&self.db, member, dataset).await?.ok_or(AuthorizeError::NoAccess)
    }
}

/// The token in an `Authorization` header: `Bearer`, in any case, one blank, the token (RFC 6750, section 2.1).
#[must_use]
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ')).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_header_holds_a_token() {
        assert_eq!(bearer("Bearer abc.def.ghi"), Some("abc.def.ghi"));
        assert_eq!(bearer("bearer abc"), Some("abc"));
        for other in ["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "abc", "Bearerabc"] {
            assert_eq!(bearer(other), None, "{other:?}");
        }
    }
}
