//! Published keys, kept: who fetches them again, when, and what happens while they cannot be had.

use std::sync::{Arc, PoisonError, RwLock};

use aws::HttpClient;
use jsonwebtoken::DecodingKey;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::Instrument as _;

use super::{KeysUnavailable, fetch::fetch, set::KeySet};

/// How long keys are good without asking again, in seconds.
const FRESH: u64 = 3600;

/// The least time between two fetches, in seconds: whoever invents key ids makes us fetch no more often.
const PAUSE: u64 = 30;

/// The same while there are no keys at all, and so no token can be believed.
const PAUSE_WITHOUT_KEYS: u64 = 5;

/// The keys of one pool, as they were last fetched.
///
/// Ages are measured by the clock on the wall: in Lambda, the monotonic clock may stand still between invocations.
pub(super) struct Fetched {
    pool: String,
    url: String,
    http: HttpClient,
    state: RwLock<State>,
    /// Held by the one who fetches, so that the others can wait for the same answer.
    flight: Arc<Mutex<()>>,
}

struct State {
    keys: Option<KeySet>,
    /// When `keys` came, and when they were last asked for, in seconds since the Unix epoch.
    fetched: u64,
    asked: Option<u64>,
    /// Why the last fetch brought nothing.
    failure: Option<KeysUnavailable>,
}

impl State {
    fn find(&self, id: &str) -> Option<&DecodingKey> {
        self.keys.as_ref()?.get(id)
    }

    fn is_fresh(&self, now: u64) -> bool {
        age(self.fetched, now) < FRESH
    }

    fn may_ask(&self, now: u64) -> bool {
        let pause = if self.keys.is_some() { PAUSE } else { PAUSE_WITHOUT_KEYS };
        self.asked.is_none_or(|asked| age(asked, now) >= pause)
    }
}

/// A clock that was set back must not keep us from ever asking again, so both directions count.
fn age(then: u64, now: u64) -> u64 {
    now.abs_diff(then)
}

impl Fetched {
    pub(super) fn new(pool: &str, url: String, http: HttpClient) -> Self {
        let failure = Some(KeysUnavailable(format!("{pool}: not fetched yet")));
        let state = RwLock::new(State { keys: None, fetched: 0, asked: None, failure });
        Self { pool: pool.to_owned(), url, http, state, flight: Arc::default() }
    }

    /// The key with this id, if need be after a fetch. `None`: the pool has told us lately, and has no such key.
    pub(super) async fn find(
        self: &Arc<Self>,
        id: &str,
        now: u64,
    ) -> Result<Option<DecodingKey>, KeysUnavailable> {
        match self.read(|state| state.find(id).map(|_| state.is_fresh(now))) {
            Some(true) => {}
            // One bearer waits for the news; the others go on with what is known.
            Some(false) => {
                if let Ok(flight) = Arc::clone(&self.flight).try_lock_owned() {
                    self.ask(flight, now).await;
                }
            }
            None => {
                let flight = Arc::clone(&self.flight).lock_owned().await;
                self.ask(flight, now).await;
            }
        }
        self.read(|state| match (state.find(id), &state.failure) {
            (Some(key), _) => Ok(Some(key.clone())),
            (None, Some(failure)) => Err(failure.clone()),
            (None, None) => Ok(None),
        })
    }

    /// Fetches, unless somebody just did. It is a task of its own: a bearer who hangs up must neither break it off
    /// for those who wait nor set off the next one.
    async fn ask(self: &Arc<Self>, flight: OwnedMutexGuard<()>, now: u64) {
        if !self.read(|state| state.may_ask(now)) {
            return;
        }
        let this = Arc::clone(self);
        let span = tracing::info_span!(target: "trace", "cognito", operation = "jwks");
        let task = async move {
            this.write(|state| state.asked = Some(now));
            let outcome = fetch(&this.http, &this.url).await;
            this.take(outcome, now);
            drop(flight);
        };
        let _ = tokio::spawn(task.instrument(span)).await;
    }

    fn take(&self, outcome: Result<KeySet, String>, now: u64) {
        match outcome {
            Ok(keys) => {
                tracing::debug!(pool = self.pool, ?keys, "keys fetched");
                self.write(|state| {
                    *state = State { keys: Some(keys), fetched: now, asked: Some(now), failure: None }
                });
            }
            Err(why) => {
                tracing::warn!(pool = self.pool, why, "keys could not be fetched");
                let failure = KeysUnavailable(format!("{}: {why}", self.pool));
                self.write(|state| state.failure = Some(failure));
            }
        }
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}
