//! The keys that a pool publishes: who fetches them again, when, and what happens if that fails.

use std::sync::{Arc, PoisonError, RwLock};

use aws::HttpClient;
use jsonwebtoken::DecodingKey;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::Instrument as _;

use super::{KeysUnavailable, fetch::fetch_key_set, set::KeySet};

/// How old keys may be before they are fetched again.
const MAX_AGE_SECONDS: u64 = 3600;

/// The least time between two fetches: made-up key ids must not cause more of them.
const MIN_FETCH_INTERVAL_SECONDS: u64 = 30;

/// The same while there are no keys, and so no token can be verified.
const MIN_FETCH_INTERVAL_WITHOUT_KEYS_SECONDS: u64 = 5;

/// The keys of one pool, as they were last fetched.
///
/// Ages are measured by the wall clock: in Lambda, the monotonic clock may stand still between invocations.
pub(super) struct PublishedKeys {
    pool: String,
    url: String,
    http: HttpClient,
    state: RwLock<State>,
    /// Held during a fetch, so that the others can wait for its result.
    fetch_lock: Arc<Mutex<()>>,
}

/// Times are in seconds since the Unix epoch.
struct State {
    keys: Option<KeySet>,
    /// When `keys` arrived.
    fetched_at: u64,
    /// When the last fetch began.
    attempted_at: Option<u64>,
    /// Why the last fetch failed.
    failure: Option<KeysUnavailable>,
}

impl State {
    fn find_key(&self, id: &str) -> Option<&DecodingKey> {
        self.keys.as_ref()?.get(id)
    }

    fn is_fresh(&self, now: u64) -> bool {
        age_seconds(self.fetched_at, now) < MAX_AGE_SECONDS
    }

    fn may_fetch(&self, now: u64) -> bool {
        let interval = if self.keys.is_some() {
            MIN_FETCH_INTERVAL_SECONDS
        } else {
            MIN_FETCH_INTERVAL_WITHOUT_KEYS_SECONDS
        };
        self.attempted_at.is_none_or(|then| age_seconds(then, now) >= interval)
    }
}

/// Counts in both directions: a clock that was set back must not delay the next fetch forever.
fn age_seconds(then: u64, now: u64) -> u64 {
    now.abs_diff(then)
}

impl PublishedKeys {
    pub(super) fn new(pool: &str, url: String, http: HttpClient) -> Self {
        let failure = Some(KeysUnavailable(format!("{pool}: not fetched yet")));
        let state = RwLock::new(State { keys: None, fetched_at: 0, attempted_at: None, failure });
        Self { pool: pool.to_owned(), url, http, state, fetch_lock: Arc::default() }
    }

    /// Finds the key with this id, after a fetch if necessary. `None`: the pool answered recently, and has no such key.
    pub(super) async fn find_key(
        self: &Arc<Self>,
        id: &str,
        now: u64,
    ) -> Result<Option<DecodingKey>, KeysUnavailable> {
        match self.read_state(|state| state.find_key(id).map(|_| state.is_fresh(now))) {
            Some(true) => {}
            // One caller waits for the fetch; the others use the old key.
            Some(false) => {
                if let Ok(guard) = Arc::clone(&self.fetch_lock).try_lock_owned() {
                    self.fetch(guard, now).await;
                }
            }
            None => {
                let guard = Arc::clone(&self.fetch_lock).lock_owned().await;
                self.fetch(guard, now).await;
            }
        }
        self.read_state(|state| match (state.find_key(id), &state.failure) {
            (Some(key), _) => Ok(Some(key.clone())),
            (None, Some(failure)) => Err(failure.clone()),
            (None, None) => Ok(None),
        })
    }

    /// Fetches the keys, unless that was just tried. The fetch is a task of its own: a caller who disconnects must not
    /// cancel it for those who wait, nor cause another.
    async fn fetch(self: &Arc<Self>, guard: OwnedMutexGuard<()>, now: u64) {
        if !self.read_state(|state| state.may_fetch(now)) {
            return;
        }
        let this = Arc::clone(self);
        let span = tracing::info_span!(target: "trace", "cognito", operation = "jwks");
        let task = async move {
            this.change_state(|state| state.attempted_at = Some(now));
            let result = fetch_key_set(&this.http, &this.url).await;
            this.store_result(result, now);
            drop(guard);
        };
        let _ = tokio::spawn(task.instrument(span)).await;
    }

    fn store_result(&self, result: Result<KeySet, String>, now: u64) {
        match result {
            Ok(keys) => {
                tracing::debug!(pool = self.pool, ?keys, "keys fetched");
                let state =
                    State { keys: Some(keys), fetched_at: now, attempted_at: Some(now), failure: None };
                self.change_state(|old| *old = state);
            }
            Err(error) => {
                tracing::warn!(pool = self.pool, error, "keys could not be fetched");
                let failure = KeysUnavailable(format!("{}: {error}", self.pool));
                self.change_state(|state| state.failure = Some(failure));
            }
        }
    }

    fn read_state<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}
