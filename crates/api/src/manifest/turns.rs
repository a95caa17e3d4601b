//! How many manifests are made at once. Each holds a few megabytes until the client has received it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use packages::id::UserNodeId;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Problem;

/// Manifests that a process makes at once.
const MAX_MANIFESTS: usize = 32;

/// Manifests that a process makes at once for one user, so that one with slow connections does not hold them all.
const MAX_MANIFESTS_PER_USER: usize = 4;

/// How long a request waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

static MANIFESTS: Semaphore = Semaphore::const_new(MAX_MANIFESTS);

/// Users and how many manifests are made for them.
static USERS: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// Permission to make a manifest. Dropping it ends the turn.
pub(super) struct ManifestTurn {
    _user: UserTurn,
    _permit: SemaphorePermit<'static>,
}

impl ManifestTurn {
    /// Waits for a turn.
    pub(super) async fn begin(user: &UserNodeId) -> Result<Self, Problem> {
        let user = UserTurn::begin(user)
            .ok_or_else(|| Problem::busy("you have too many manifests at once; receive one of them first"))?;
        let permit = tokio::time::timeout(TURN_TIMEOUT, MANIFESTS.acquire()).await;
        match permit {
            Ok(Ok(permit)) => Ok(Self { _user: user, _permit: permit }),
            _ => Err(Problem::busy("too many manifests are being made; try again in a few seconds")),
        }
    }
}

struct UserTurn(String);

impl UserTurn {
    fn begin(user: &UserNodeId) -> Option<Self> {
        let mut users = USERS.lock().unwrap_or_else(PoisonError::into_inner);
        let count = users.entry(user.to_string()).or_default();
        if *count == MAX_MANIFESTS_PER_USER {
            return None;
        }
        *count += 1;
        Some(Self(user.to_string()))
    }
}

impl Drop for UserTurn {
    fn drop(&mut self) {
        let mut users = USERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = users.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_has_a_few_turns_and_others_have_theirs() {
        let user = |id: &str| UserNodeId::parse(id).unwrap();
        let (one, other) = (user("N:user:turns-1"), user("N:user:turns-2"));
        let mut turns = Vec::new();
        for _ in 0..MAX_MANIFESTS_PER_USER {
            turns.push(ManifestTurn::begin(&one).await.ok().unwrap());
        }
        assert!(ManifestTurn::begin(&one).await.is_err());
        assert!(ManifestTurn::begin(&other).await.is_ok());
        turns.pop();
        assert!(ManifestTurn::begin(&one).await.is_ok());
    }
}
