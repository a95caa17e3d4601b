//! What a server remembers of its decisions: for a short time who may do what, and where datasets are.

use std::{
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use lru::LruCache;
use packages::{access::Claims, id::DatasetNodeId};

use crate::{credential::Credential, db::DatasetPlace};

/// How many decisions are remembered. The least recently used is dropped first. One takes about a kilobyte.
const MAX_DECISIONS: NonZero<usize> = NonZero::new(10_000).unwrap();

/// How many places of datasets are remembered.
const MAX_PLACES: NonZero<usize> = NonZero::new(10_000).unwrap();

/// How long a place is remembered. After that, a table which the platform got meanwhile is noticed.
const MAX_PLACE_AGE_SECONDS: u64 = 300;

/// The claims of callers, by credential and dataset. Refusals are not remembered: a role that somebody was just given counts
/// at once. The time is an argument, in seconds since the Unix epoch.
#[derive(Clone)]
pub(crate) struct DecisionCache {
    window_seconds: u64,
    entries: Arc<Mutex<LruCache<DecisionKey, DecisionEntry>>>,
}

/// A hash of credential and dataset: the memory of the process holds no more secrets than it must.
type DecisionKey = [u8; SHA256_OUTPUT_LEN];

struct DecisionEntry {
    claims: Arc<Claims>,
    decided_at: u64,
    expires_at: u64,
}

impl DecisionCache {
    /// Remembers claims for this time. `None` if that is less than a second.
    pub(crate) fn new(window: Duration) -> Option<Self> {
        let entries = Arc::new(Mutex::new(LruCache::new(MAX_DECISIONS)));
        (window.as_secs() > 0).then(|| Self { window_seconds: window.as_secs(), entries })
    }

    pub(crate) fn find(
        &self,
        credential: &Credential,
        dataset: &DatasetNodeId,
        now: u64,
    ) -> Option<Arc<Claims>> {
        let key = decision_key(credential, dataset);
        let mut entries = lock(&self.entries);
        let entry = entries.get(&key)?;
        // A clock that was set back must not prolong a decision.
        if (entry.decided_at..entry.expires_at).contains(&now) {
            return Some(Arc::clone(&entry.claims));
        }
        entries.pop(&key);
        None
    }

    /// Remembers claims until the end of the window or of the token, whichever is sooner.
    pub(crate) fn insert(
        &self,
        credential: &Credential,
        claims: &Arc<Claims>,
        token_expires_at: u64,
        now: u64,
    ) {
        if token_expires_at <= now {
            return;
        }
        let key = decision_key(credential, &claims.dataset.node_id);
        let expires_at = token_expires_at.min(now.saturating_add(self.window_seconds));
        let entry = DecisionEntry { claims: Arc::clone(claims), decided_at: now, expires_at };
        lock(&self.entries).put(key, entry);
    }
}

fn decision_key(credential: &Credential, dataset: &DatasetNodeId) -> DecisionKey {
    let parts: [&str; 4] = match credential {
        Credential::Bearer(token) => ["bearer", token, "", ""],
        Credential::Callback(callback) => ["callback", &callback.service, &callback.run, &callback.token],
    };
    let mut hash = Context::new(&SHA256);
    // No part has a NUL, so different parts are different bytes.
    for part in parts.into_iter().chain([dataset.as_str()]) {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    let mut key = DecisionKey::default();
    key.copy_from_slice(hash.finish().as_ref());
    key
}

/// The workspaces of datasets, as an earlier decision found them.
#[derive(Clone)]
pub(crate) struct PlaceCache(Arc<Mutex<LruCache<DatasetNodeId, (DatasetPlace, u64)>>>);

impl Default for PlaceCache {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(MAX_PLACES))))
    }
}

impl PlaceCache {
    pub(crate) fn find(&self, dataset: &DatasetNodeId, now: u64) -> Option<DatasetPlace> {
        let mut places = lock(&self.0);
        let (place, found_at) = *places.get(dataset)?;
        (now.abs_diff(found_at) < MAX_PLACE_AGE_SECONDS).then_some(place)
    }

    pub(crate) fn insert(&self, dataset: &DatasetNodeId, place: DatasetPlace, now: u64) {
        lock(&self.0).put(dataset.clone(), (place, now));
    }

    pub(crate) fn remove(&self, dataset: &DatasetNodeId) {
        lock(&self.0).pop(dataset);
    }
}

/// A panic cannot leave an entry half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use packages::{
        access::{DatasetClaim, DatasetRole, UserClaim, WorkspaceClaim},
        id::{DatasetId, UserNodeId, WorkspaceId},
    };

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn dataset(name: &str) -> DatasetNodeId {
        DatasetNodeId::parse(&format!("N:dataset:{name}")).unwrap()
    }

    fn claims(name: &str) -> Arc<Claims> {
        Arc::new(Claims {
            user: UserClaim { id: 7, node_id: UserNodeId::parse("N:user:7").unwrap(), is_super_admin: false },
            workspace: WorkspaceClaim { id: WorkspaceId(2), node_id: String::new(), role: 8 },
            dataset: DatasetClaim { id: DatasetId(41), node_id: dataset(name), role: DatasetRole::Viewer },
            teams: Vec::new(),
        })
    }

    fn bearer(token: &str) -> Credential {
        Credential::Bearer(token.to_owned())
    }

    fn cache() -> DecisionCache {
        DecisionCache::new(Duration::from_mins(1)).unwrap()
    }

    #[test]
    fn a_decision_counts_until_the_end_of_the_window() {
        let cache = cache();
        cache.insert(&bearer("t"), &claims("1"), NOW + 3600, NOW);
        for (now, is_found) in [(NOW, true), (NOW + 59, true), (NOW - 1, false)] {
            cache.insert(&bearer("t"), &claims("1"), NOW + 3600, NOW);
            assert_eq!(cache.find(&bearer("t"), &dataset("1"), now).is_some(), is_found, "{now}");
        }
        cache.insert(&bearer("t"), &claims("1"), NOW + 3600, NOW);
        assert!(cache.find(&bearer("t"), &dataset("1"), NOW + 60).is_none());
        assert!(cache.find(&bearer("t"), &dataset("1"), NOW).is_none(), "it was dropped");
    }

    #[test]
    fn a_decision_ends_with_its_token() {
        let cache = cache();
        cache.insert(&bearer("t"), &claims("1"), NOW + 10, NOW);
        assert!(cache.find(&bearer("t"), &dataset("1"), NOW + 9).is_some());
        assert!(cache.find(&bearer("t"), &dataset("1"), NOW + 10).is_none());
    }

    #[test]
    fn every_part_of_a_request_decides() {
        let callback = |service: &str, run: &str, token: &str| {
            let (service, run, token) = (service.to_owned(), run.to_owned(), token.to_owned());
            Credential::Callback(crate::CallbackCredential { service, run, token })
        };
        let credentials = [
            bearer("t"),
            bearer("u"),
            bearer("tu"),
            callback("t", "u", "v"),
            callback("tu", "v", ""),
            callback("t", "uv", ""),
        ];
        for (index, credential) in credentials.iter().enumerate() {
            let cache = cache();
            cache.insert(credential, &claims("1"), NOW + 3600, NOW);
            for (other_index, other) in credentials.iter().enumerate() {
                let is_found = cache.find(other, &dataset("1"), NOW).is_some();
                assert_eq!(is_found, index == other_index, "{index} {other_index}");
                assert!(cache.find(other, &dataset("2"), NOW).is_none());
            }
        }
    }

    #[test]
    fn no_window_remembers_nothing() {
        assert!(DecisionCache::new(Duration::ZERO).is_none());
        assert!(DecisionCache::new(Duration::from_millis(999)).is_none());
    }

    #[test]
    fn a_place_is_looked_up_again_after_five_minutes() {
        let places = PlaceCache::default();
        let place = DatasetPlace { workspace: WorkspaceId(2), has_table: false };
        places.insert(&dataset("1"), place, NOW);
        assert_eq!(places.find(&dataset("1"), NOW + 299), Some(place));
        assert_eq!(places.find(&dataset("1"), NOW + 300), None);
        assert_eq!(places.find(&dataset("2"), NOW), None);
        places.remove(&dataset("1"));
        assert_eq!(places.find(&dataset("1"), NOW), None);
    }
}
