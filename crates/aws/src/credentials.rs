//! A provider's credentials, kept until shortly before they end.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};

use crate::error_chain;

/// Credentials with less than this left, in seconds, are renewed before they are used again.
const RENEW: u64 = 300;

/// How long a provider may take: some ask a server, and not all of those set themselves a limit.
const ANSWER: Duration = Duration::from_secs(5);

/// Credentials in the form that their user needs. Providers keep nothing themselves: some of them ask a server.
pub struct CachedCredentials<T> {
    provider: SharedCredentialsProvider,
    convert: fn(&Credentials) -> T,
    /// With the time at which they end, in seconds since the Unix epoch.
    kept: Mutex<Option<(T, Option<u64>)>>,
    /// Held by the one who asks for others.
    renewal: tokio::sync::Mutex<()>,
}

impl<T: Clone> CachedCredentials<T> {
    /// Asks the provider when credentials are first needed; `convert` makes of them what their user needs.
    #[must_use]
    pub fn new(provider: SharedCredentialsProvider, convert: fn(&Credentials) -> T) -> Self {
        Self { provider, convert, kept: Mutex::new(None), renewal: tokio::sync::Mutex::default() }
    }

    /// Credentials that are good at `now`, in seconds since the Unix epoch. One asks the provider for all; while it brings
    /// no others, those that are kept are good to their end. The error's text is for the log.
    pub async fn get(&self, now: u64) -> Result<T, String> {
        if let Some(lasting) = self.kept(now + RENEW) {
            return Ok(lasting);
        }
        let good = self.kept(now);
        let _renewal = match (self.renewal.try_lock(), good.clone()) {
            (Ok(renewal), _) => renewal,
            (Err(_), Some(good)) => return Ok(good),
            (Err(_), None) => self.renewal.lock().await,
        };
        // Somebody may have brought others while this one waited.
        if let Some(lasting) = self.kept(now + RENEW) {
            return Ok(lasting);
        }
        self.renew().await.or_else(|error| {
            tracing::warn!(error, "credentials could not be renewed");
            good.ok_or(error)
        })
    }

    /// What is kept, if it is good beyond `until`.
    fn kept(&self, until: u64) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(_, end)| end.is_none_or(|end| end > until)).map(|(kept, _)| kept.clone())
    }

    async fn renew(&self) -> Result<T, String> {
        let asked = tokio::time::timeout(ANSWER, self.provider.provide_credentials()).await;
        let late = |_| format!("no answer within {} s", ANSWER.as_secs());
        let fresh = asked.map_err(late)?.map_err(|error| error_chain(&error))?;
        let end = expires_at(&fresh);
        let fresh = (self.convert)(&fresh);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((fresh.clone(), end));
        Ok(fresh)
    }
}

/// When credentials end, in seconds since the Unix epoch; `None` if they do not.
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

    use aws_credential_types::provider::{self, error::CredentialsError, future};

    use super::*;

    /// Each time it is asked, credentials that last an hour longer.
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

    /// Whoever asks after the first gets nothing, and that only after a while.
    #[derive(Debug, Default)]
    struct Once(Hourly);

    impl ProvideCredentials for Once {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            if self.0.0.load(Relaxed) == 0 {
                return self.0.provide_credentials();
            }
            self.0.0.fetch_add(1, Relaxed);
            future::ProvideCredentials::new(async {
                tokio::task::yield_now().await;
                Err(CredentialsError::not_loaded("not now"))
            })
        }
    }

    #[tokio::test]
    async fn the_old_ones_are_used_to_their_end_while_there_are_no_new_ones() {
        let provider = SharedCredentialsProvider::new(Once::default());
        let cached = CachedCredentials::new(provider, |credentials| credentials.access_key_id().to_owned());
        for now in [0, 3300, 3599] {
            assert_eq!(cached.get(now).await.as_deref(), Ok("AKIA1"), "at {now}");
        }
        assert!(cached.get(3600).await.unwrap_err().contains("not"));
    }

    #[tokio::test]
    async fn one_asks_for_all() {
        let provider = Arc::new(Once::default());
        let cached = CachedCredentials::new(
            SharedCredentialsProvider::new(Shared(Arc::clone(&provider))),
            |credentials| credentials.access_key_id().to_owned(),
        );
        cached.get(0).await.unwrap();
        let (one, other) = tokio::join!(cached.get(3300), cached.get(3300));
        assert_eq!((one.as_deref(), other.as_deref()), (Ok("AKIA1"), Ok("AKIA1")));
        assert_eq!(provider.0.0.load(Relaxed), 2);
    }

    #[derive(Debug)]
    struct Shared(Arc<Once>);

    impl ProvideCredentials for Shared {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.0.provide_credentials()
        }
    }

    #[tokio::test]
    async fn they_are_asked_for_again_five_minutes_before_they_end() {
        let cached =
            CachedCredentials::new(SharedCredentialsProvider::new(Hourly::default()), |credentials| {
                credentials.access_key_id().to_owned()
            });
        for (now, expected) in [(0, "AKIA1"), (3299, "AKIA1"), (3300, "AKIA2"), (3600, "AKIA2")] {
            assert_eq!(cached.get(now).await.unwrap(), expected, "at {now}");
        }
    }
}
