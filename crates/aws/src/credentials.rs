//! Credentials from a provider, cached until shortly before they expire.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use tokio::time::Instant;

use crate::error_chain;

/// Credentials that expire within this time are refreshed before they are used again.
const REFRESH_MARGIN_SECONDS: u64 = 300;

/// How long a failure of the provider counts. Callers that waited for it do not each ask again, one after the other.
const FAILURE_LIFETIME: Duration = Duration::from_secs(2);

/// How long a provider may take. Some providers call a server and have no timeout of their own.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(5);

/// Credentials in the form that their user needs. Providers do not cache: some of them call a server each time.
pub struct CachedCredentials<T> {
    provider: SharedCredentialsProvider,
    convert: fn(&Credentials) -> T,
    refresh_margin: u64,
    cached: Mutex<Option<Cached<T>>>,
    failure: Mutex<Option<Failure>>,
    /// Held by the caller that refreshes the credentials.
    refresh: tokio::sync::Mutex<()>,
}

struct Cached<T> {
    credentials: T,
    /// In seconds since the Unix epoch.
    expires_at: Option<u64>,
}

/// The provider's last failure.
struct Failure {
    error: CredentialsError,
    failed_at: Instant,
}

/// Why there are no credentials. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The provider took too long.
    #[error("no answer within {} s", PROVIDER_TIMEOUT.as_secs())]
    TimedOut,
    /// The provider failed.
    #[error("{0}")]
    Provider(String),
}

impl<T: Clone> CachedCredentials<T> {
    /// Asks the provider when credentials are first needed. `convert` makes the form that their user needs.
    #[must_use]
    pub fn new(provider: SharedCredentialsProvider, convert: fn(&Credentials) -> T) -> Self {
        Self {
            provider,
            convert,
            refresh_margin: REFRESH_MARGIN_SECONDS,
            cached: Mutex::new(None),
            failure: Mutex::new(None),
            refresh: tokio::sync::Mutex::default(),
        }
    }

    /// Refreshes the credentials when they expire within this many seconds.
    #[must_use]
    pub fn with_refresh_margin(self, seconds: u64) -> Self {
        Self { refresh_margin: seconds, ..self }
    }

    /// Credentials that are valid at `now`, in seconds since the Unix epoch. One caller refreshes them for all. Until
    /// the provider gives new ones, the cached ones are used to their end.
    pub async fn get(&self, now: u64) -> Result<T, CredentialsError> {
        if let Some(fresh) = self.cached_beyond(now + self.refresh_margin) {
            return Ok(fresh);
        }
        let expiring = self.cached_beyond(now);
        let _refresh = match (self.refresh.try_lock(), expiring.clone()) {
            (Ok(refresh), _) => refresh,
            // Another caller refreshes: these are valid, so there is no need to wait.
            (Err(_), Some(expiring)) => return Ok(expiring),
            (Err(_), None) => self.refresh.lock().await,
        };
        // Another caller may have refreshed them while this one waited for the lock.
        if let Some(fresh) = self.cached_beyond(now + self.refresh_margin) {
            return Ok(fresh);
        }
        if let Some(error) = self.recent_failure() {
            return expiring.ok_or(error);
        }
        self.load_credentials().await.or_else(|error| {
            tracing::warn!(%error, "credentials could not be renewed");
            // The time at its end: a failure may take longer than it counts.
            *lock(&self.failure) = Some(Failure { error: error.clone(), failed_at: Instant::now() });
            expiring.ok_or(error)
        })
    }

    fn recent_failure(&self) -> Option<CredentialsError> {
        let failure = lock(&self.failure);
        let recent = failure.as_ref().filter(|failure| failure.failed_at.elapsed() < FAILURE_LIFETIME);
        recent.map(|failure| failure.error.clone())
    }

    /// The cached credentials, if they are valid after `time`.
    fn cached_beyond(&self, time: u64) -> Option<T> {
        let cached = lock(&self.cached);
        let valid = cached.as_ref().filter(|cached| cached.expires_at.is_none_or(|end| end > time));
        valid.map(|cached| cached.credentials.clone())
    }

    async fn load_credentials(&self) -> Result<T, CredentialsError> {
        let provided = tokio::time::timeout(PROVIDER_TIMEOUT, self.provider.provide_credentials()).await;
        let provided = provided
            .map_err(|_| CredentialsError::TimedOut)?
            .map_err(|error| CredentialsError::Provider(error_chain(&error)))?;
        let credentials = (self.convert)(&provided);
        let cached = Cached { credentials: credentials.clone(), expires_at: expires_at(&provided) };
        *lock(&self.cached) = Some(cached);
        Ok(credentials)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When credentials expire, in seconds since the Unix epoch; `None` if they do not, or if their provider does not say.
/// Temporary credentials in the environment, as Lambda sets them, have an end that no variable tells.
#[must_use]
pub fn expires_at(credentials: &Credentials) -> Option<u64> {
    Some(credentials.expiry()?.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

impl<T> fmt::Debug for CachedCredentials<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedCredentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    };

    use aws_credential_types::provider::{self, error::CredentialsError as ProviderError, future};

    use super::*;

    /// Each call provides credentials that expire an hour later than those before.
    #[derive(Debug, Default)]
    struct Hourly(AtomicU64);

    impl ProvideCredentials for Hourly {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let hours = self.0.fetch_add(1, Relaxed) + 1;
            let end = UNIX_EPOCH + Duration::from_hours(hours);
            let credentials = Credentials::new(format!("AKIA{hours}"), "secret", None, Some(end), "test");
            future::ProvideCredentials::ready(provider::Result::Ok(credentials))
        }
    }

    /// Only the first call succeeds. The others fail after three seconds, which is longer than a failure counts.
    #[derive(Debug, Default)]
    struct OnlyOnce(Hourly);

    impl ProvideCredentials for OnlyOnce {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            if self.0.0.load(Relaxed) == 0 {
                return self.0.provide_credentials();
            }
            self.0.0.fetch_add(1, Relaxed);
            future::ProvideCredentials::new(async {
                tokio::time::sleep(Duration::from_secs(3)).await;
                Err(ProviderError::not_loaded("not now"))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cached_credentials_are_used_to_their_end_when_a_refresh_fails() {
        let provider = SharedCredentialsProvider::new(OnlyOnce::default());
        let cached = CachedCredentials::new(provider, |credentials| credentials.access_key_id().to_owned());
        for now in [0, 3300, 3599] {
            assert_eq!(cached.get(now).await.unwrap(), "AKIA1", "at {now}");
        }
        assert!(matches!(cached.get(3600).await, Err(CredentialsError::Provider(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_waited_for_a_failure_do_not_ask_again() {
        let provider = Arc::new(OnlyOnce::default());
        let shared = SharedCredentialsProvider::new(Shared(Arc::clone(&provider)));
        let cached = CachedCredentials::new(shared, |credentials| credentials.access_key_id().to_owned());
        cached.get(0).await.unwrap();
        let late = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            cached.get(3602).await
        };
        let all = tokio::join!(cached.get(3600), cached.get(3600), late);
        assert!(all.0.is_err() && all.0 == all.1 && all.1 == all.2);
        assert_eq!(provider.0.0.load(Relaxed), 2, "one call for three callers");
        tokio::time::sleep(FAILURE_LIFETIME).await;
        assert!(cached.get(3605).await.is_err());
        assert_eq!(provider.0.0.load(Relaxed), 3, "and another one later");
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_refreshes_for_all() {
        let provider = Arc::new(OnlyOnce::default());
        let cached = CachedCredentials::new(
            SharedCredentialsProvider::new(Shared(Arc::clone(&provider))),
            |credentials| credentials.access_key_id().to_owned(),
        );
        cached.get(0).await.unwrap();
        let (one, other) = tokio::join!(cached.get(3300), cached.get(3300));
        assert_eq!((one.unwrap(), other.unwrap()), ("AKIA1".to_owned(), "AKIA1".to_owned()));
        assert_eq!(provider.0.0.load(Relaxed), 2);
    }

    #[derive(Debug)]
    struct Shared(Arc<OnlyOnce>);

    impl ProvideCredentials for Shared {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.0.provide_credentials()
        }
    }

    #[tokio::test]
    async fn credentials_are_refreshed_five_minutes_before_they_expire() {
        let cached =
            CachedCredentials::new(SharedCredentialsProvider::new(Hourly::default()), |credentials| {
                credentials.access_key_id().to_owned()
            });
        for (now, expected) in [(0, "AKIA1"), (3299, "AKIA1"), (3300, "AKIA2"), (3600, "AKIA2")] {
            assert_eq!(cached.get(now).await.unwrap(), expected, "at {now}");
        }
    }
}
