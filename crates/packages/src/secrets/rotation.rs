//! A new key takes the old one's place while the service runs.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use signing::cloudfront::{Hash, KeyPairId, PublicKey, Signer};

use super::{KeySource, SecretError, SigningKey};

/// Fetches the key when the service starts and, now and then, looks whether there is another.
#[derive(Debug)]
pub struct Rotation {
    source: KeySource,
    /// From the environment, for a key that does not bring its id.
    id: Option<KeyPairId>,
    hash: Hash,
    interval: Duration,
    /// When it was looked last, in seconds since the Unix epoch; 0 before the first request.
    looked_at: AtomicU64,
    current: Mutex<Option<Current>>,
}

/// What is known of the key in use.
#[derive(Debug)]
struct Current {
    id: KeyPairId,
    public: PublicKey,
    changed_at: Option<u64>,
}

impl Rotation {
    /// `id` is the one that the environment names: it belongs to the key that is there at the start, and to no other.
    #[must_use]
    pub fn new(source: KeySource, id: Option<KeyPairId>, hash: Hash, interval: Duration) -> Self {
        Self { source, id, hash, interval, looked_at: AtomicU64::new(0), current: Mutex::new(None) }
    }

    /// Fetches the key, without which the service cannot start. An id that the key brings is right, and one in the
    /// environment may be left from the key before.
    pub async fn load_first(&self) -> Result<Signer, SecretError> {
        let key = self.source.load().await?;
        let id = key.id.clone().or_else(|| self.id.clone()).ok_or(SecretError::NoId)?;
        self.take(id, key)
    }

    /// Whether it is time to [`reload`](Self::reload), at `now` in seconds since the Unix epoch. Says so once per
    /// interval, to one of those who ask.
    pub fn due(&self, now: u64) -> bool {
        self.report_age(now);
        let looked_at = self.looked_at.load(Relaxed);
        let is_due = looked_at != 0 && now >= looked_at.saturating_add(self.interval.as_secs());
        let counts_from_now = looked_at == 0 || is_due;
        counts_from_now && self.looked_at.compare_exchange(looked_at, now, Relaxed, Relaxed).is_ok() && is_due
    }

    /// Looks for another key. Where there is none, or none to be had, the one in use stays. One that brings no id is not
    /// taken: what the environment says is the old one's, and a link with the wrong id opens nothing.
    pub async fn reload(&self) -> Option<Signer> {
        let found = match self.source.load().await {
            Ok(key) => self.differs(&key).ok().filter(|differs| *differs).map(|_| key),
            Err(error) => {
                tracing::warn!(%error, "the signing key could not be looked at again; the old one stays in use");
                None
            }
        }?;
        let Some(id) = found.id.clone() else {
            tracing::warn!(
                "there is another signing key, but it brings no id: restart with CLOUDFRONT_KEY_ID set to its own"
            );
            return None;
        };
        let signer = self.take(id, found).ok()?;
        tracing::info!(key_id = %signer.key_pair_id(), "another signing key is in use");
        Some(signer)
    }

    fn take(&self, id: KeyPairId, key: SigningKey) -> Result<Signer, SecretError> {
        let SigningKey { key, changed_at, .. } = key;
        let current = Current { id: id.clone(), public: key.public_key()?, changed_at };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
        Ok(Signer::new(id, key, self.hash))
    }

    fn differs(&self, found: &SigningKey) -> Result<bool, SecretError> {
        let public = found.key.public_key()?;
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |current: &Current| {
            current.public == public && found.id.as_ref().is_none_or(|id| *id == current.id)
        };
        Ok(!current.as_ref().is_some_and(is_same))
    }

    /// For the alarm on a key that nobody renews.
    fn report_age(&self, now: u64) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(changed_at) = current.as_ref().and_then(|current| current.changed_at) {
            #[expect(clippy::cast_precision_loss, reason = "seconds, of some years at most")]
            metrics::gauge!("signing_key_age_seconds").set(now.saturating_sub(changed_at) as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use signing::cloudfront::PrivateKey;

    use super::*;

    fn write(path: &Path, id: Option<&str>) -> PrivateKey {
        let key = PrivateKey::generate_p256().unwrap();
        let pem = key.to_pkcs8_pem().unwrap();
        let text = id.map_or_else(|| pem.to_string(), |id| format!("Key-Pair-Id: {id}\n{}", *pem));
        std::fs::write(path, text).unwrap();
        key
    }

    fn rotation(path: &Path, id: Option<&str>) -> Rotation {
        let id = id.map(|id| KeyPairId::new(id).unwrap());
        Rotation::new(KeySource::File(path.to_owned()), id, Hash::Sha256, Duration::from_mins(5))
    }

    #[tokio::test]
    async fn another_key_is_taken_only_with_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write(&path, None);
        let rotation = rotation(&path, Some("KOLD"));
        assert_eq!(rotation.load_first().await.unwrap().key_pair_id().as_str(), "KOLD");
        assert!(rotation.reload().await.is_none(), "the same key");

        write(&path, None);
        assert!(rotation.reload().await.is_none(), "without an id");
        let new = write(&path, Some("KNEW"));
        let signer = rotation.reload().await.unwrap();
        assert_eq!(signer.key_pair_id().as_str(), "KNEW");
        assert_eq!(signer.private_key().public_key().unwrap(), new.public_key().unwrap());
        assert!(rotation.reload().await.is_none(), "taken already");

        std::fs::write(&path, "dummy").unwrap();
        assert!(rotation.reload().await.is_none(), "no key at all");
    }

    #[tokio::test]
    async fn the_id_beside_the_key_counts_before_the_environments() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write(&path, Some("KNEW"));
        let signer = rotation(&path, Some("KOLD")).load_first().await.unwrap();
        assert_eq!(signer.key_pair_id().as_str(), "KNEW");
        write(&path, None);
        assert!(matches!(rotation(&path, None).load_first().await, Err(SecretError::NoId)));
    }

    #[test]
    fn it_is_due_once_per_interval() {
        let rotation = rotation(Path::new("unused"), None);
        let due: Vec<u64> = (1000..2000).filter(|now| rotation.due(*now)).collect();
        assert_eq!(due, [1300, 1600, 1900]);
    }
}
