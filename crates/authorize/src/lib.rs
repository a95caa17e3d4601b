//! Authentication and authorization: from the credential of a request to the claims that it gives on one dataset.
//!
//! [`Authorizer::authorize`] verifies a credential and reads the caller's role from Postgres. Each decision is an audit event.

mod audit;
mod cache;
mod callback;
mod credential;
pub mod db;
mod denial;
pub mod keys;
mod pool;
mod token;

use std::{sync::Arc, time::Duration};

use aws::Clock;
use database::Db;
use packages::{
    access::{Claims, Member},
    db::PrefetchedPackage,
    id::{DatasetNodeId, PackageNodeId},
};

pub use crate::{
    audit::log_malformed_credential,
    callback::{CallbackFunctions, CallbackValidators, FunctionArn},
    credential::{CallbackCredential, Credential},
    denial::{Denial, DenialReason},
    pool::{CognitoConfig, TokenIssuer, TokenSubject, UserPool, is_client_id, is_pool_id},
    token::{AuthenticationError, InvalidToken, TokenVerifier, TrustedIssuer, VerifiedToken},
};
use crate::{
    cache::{DecisionCache, PlaceCache},
    db::{AccessRequest, Decision, Identity, TeamList, decide_access, find_member},
};

/// Verifies credentials, and finds what their owners may do. Clones share what they remember.
#[derive(Clone)]
pub struct Authorizer {
    verifier: TokenVerifier,
    callbacks: CallbackValidators,
    db: Db,
    clock: Clock,
    decisions: Option<DecisionCache>,
    places: PlaceCache,
    teams: TeamList,
}

/// What a caller has access to.
#[derive(Debug)]
pub struct Authorization {
    /// Their claims on the dataset.
    pub claims: Arc<Claims>,
    /// The package that they ask for, if the statement for the claims looked it up, too.
    pub package: Option<PrefetchedPackage>,
}

/// Why there are no claims.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// The credential is not accepted, or could not be verified.
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    /// The caller is unknown, the dataset does not exist, or the caller has no role in it. The text does not say which: it is
    /// for the client.
    #[error("you have no access to this dataset")]
    NoAccess,
    /// Postgres did not answer, so access is neither granted nor refused.
    #[error(transparent)]
    Database(#[from] database::Error),
}

impl Authorizer {
    /// Accepts the tokens that the verifier accepts, and no callbacks. It remembers no decision, and lists no teams.
    #[must_use]
    pub fn new(verifier: TokenVerifier, db: Db, clock: Clock) -> Self {
        Self {
            verifier,
            callbacks: CallbackValidators::default(),
            db,
            clock,
            decisions: None,
            places: PlaceCache::default(),
            teams: TeamList::Omitted,
        }
    }

    /// The same, whose claims list the caller's teams in the workspace.
    #[must_use]
    pub fn with_teams(self) -> Self {
        Self { teams: TeamList::Included, ..self }
    }

    /// The same, which also accepts the callbacks that these validators accept.
    #[must_use]
    pub fn with_callbacks(self, callbacks: CallbackValidators) -> Self {
        Self { callbacks, ..self }
    }

    /// The same, which remembers for this time that a caller has access to a dataset. A role that is taken away, and a user or
    /// a token that is no longer valid, count after that time at the latest. Zero turns it off.
    #[must_use]
    pub fn with_decision_cache(self, window: Duration) -> Self {
        Self { decisions: DecisionCache::new(window), ..self }
    }

    /// Verifies a credential, and returns whom it identifies. If the key of a token is not known yet, the issuer's keys are
    /// fetched, which takes at most two seconds. A callback is a call of its validator.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Identity, AuthorizeError> {
        Ok(self.verify(credential, None).await?.identity)
    }

    async fn verify(
        &self,
        credential: &Credential,
        dataset: Option<&DatasetNodeId>,
    ) -> Result<VerifiedToken, AuthenticationError> {
        let now = self.clock.now();
        let verified = match credential {
            Credential::Bearer(token) => self.verifier.verify(token, now).await,
            Credential::Callback(callback) => self.callbacks.validate(callback).await.map(|identity| {
                // How long it stays valid is not known, so it is never remembered.
                VerifiedToken { identity: Identity::Callback(identity), expires_at: now }
            }),
        };
        verified.inspect_err(|error| audit::log_authentication_failed(credential, dataset, error))
    }

    /// Finds who the caller is, and the workspace that they are active in. One statement.
    pub async fn find_member(&self, credential: &Credential) -> Result<Member, AuthorizeError> {
        let VerifiedToken { identity, .. } = self.verify(credential, None).await?;
        let member = find_member(&self.db, &identity).await?.ok_or_else(|| {
            audit::log_access_refused(credential, None, &DenialReason::NotMember.into());
            AuthorizeError::NoAccess
        })?;
        audit::log_member_identified(credential, &member);
        Ok(member)
    }

    /// Finds the caller's claims on a dataset. One statement; none if the decision is remembered. The statement also looks up the
    /// package that the caller asks for, once the dataset's workspace is known from an earlier decision.
    pub async fn authorize(
        &self,
        credential: &Credential,
        dataset: &DatasetNodeId,
        package: Option<&PackageNodeId>,
    ) -> Result<Authorization, AuthorizeError> {
        let now = self.clock.now();
        let remembered = self.decisions.as_ref().and_then(|cache| cache.find(credential, dataset, now));
        match remembered {
            Some(claims) => Ok(Authorization { claims, package: None }),
            // Boxed: otherwise each request would carry the large futures of the rare case.
            None => Box::pin(self.authorize_anew(credential, dataset, package, now)).await,
        }
    }

    async fn authorize_anew(
        &self,
        credential: &Credential,
        dataset: &DatasetNodeId,
        package: Option<&PackageNodeId>,
        now: u64,
    ) -> Result<Authorization, AuthorizeError> {
        let VerifiedToken { identity, expires_at } = self.verify(credential, Some(dataset)).await?;
        let request = AccessRequest { identity: &identity, dataset, package, teams: self.teams };
        let Decision { result, package, .. } = self.decide(request).await?;
        let claims = result.map_err(|denial| {
            audit::log_access_refused(credential, Some(dataset), &denial);
            AuthorizeError::NoAccess
        })?;
        audit::log_caller_identified(credential, &claims);
        let claims = Arc::new(claims);
        if let Some(cache) = &self.decisions {
            cache.insert(credential, &claims, expires_at, now);
        }
        Ok(Authorization { claims, package })
    }

    async fn decide(&self, request: AccessRequest<'_>) -> Result<Decision, database::Error> {
        let AccessRequest { identity, dataset, .. } = request;
        if let Identity::Callback(callback) = identity
            && callback.dataset != *dataset
        {
            let user = Some(callback.user.clone());
            return Ok(Decision::deny(Denial { reason: DenialReason::OtherDataset, user, workspace: None }));
        }
        let now = self.clock.now();
        let known = self.places.find(dataset, now);
        let decision = decide_access(&self.db, request, known).await?;
        match decision.place {
            // It keeps its age.
            Some(_) if decision.place == known => {}
            Some(place) => self.places.insert(dataset, place, now),
            None => self.places.remove(dataset),
        }
        Ok(decision)
    }
}
