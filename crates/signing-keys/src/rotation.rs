//! Replacing the key while the service runs.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use signing::cloudfront::{HashAlgorithm, KeyPairId, PublicKey, Signer};

use crate::{KeyMatch, KeySource, SigningKey, SigningKeyError, TrustedKey, is_published};

/// Loads the key when the service starts, and checks at intervals for a new one.
#[derive(Debug)]
pub struct KeyRotation {
    source: KeySource,
    /// The environment's key, for a stored key without an id.
    trusted: Option<TrustedKey>,
    hash: HashAlgorithm,
    interval: Duration,
    /// The time of the last check, in seconds since the Unix epoch; 0 before the first request.
    checked_at: AtomicU64,
    current: Mutex<Option<CurrentKey>>,
}

/// The key in use, without its private half.
#[derive(Debug)]
struct CurrentKey {
    id: KeyPairId,
    public_key: PublicKey,
    changed_at: Option<u64>,
    key_match: KeyMatch,
}

/// The key that signs links now. It has no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatus {
    /// Its id at CloudFront.
    pub id: KeyPairId,
    /// When it was last changed, in seconds since the Unix epoch, if its source says so.
    pub changed_at: Option<u64>,
    /// Whether CloudFront trusts it, as far as that is known.
    pub key_match: KeyMatch,
}

impl KeyRotation {
    /// `trusted` is the environment's key. Its id counts for the first key, and for a later one only if that is known to
    /// belong to it.
    #[must_use]
    pub fn new(
        source: KeySource,
        trusted: Option<TrustedKey>,
        hash: HashAlgorithm,
        interval: Duration,
    ) -> Self {
        Self { source, trusted, hash, interval, checked_at: AtomicU64::new(0), current: Mutex::new(None) }
    }

    /// Loads the first key; without one the service cannot start. A key that CloudFront may refuse is used with a warning:
    /// everything else works, and a new deployment begins with such a key.
    pub async fn load_initial(&self) -> Result<Signer, SigningKeyError> {
        let key = self.source.load().await?;
        let (id, key_match) = key.resolve_id(self.trusted.as_ref())?;
        if is_published(&key.key.public_key()?) {
            tracing::warn!(key_id = %id, "the signing key is published with the source code: replace it");
        }
        self.install_key(key, id, key_match)
    }

    /// Whether the caller should [`reload`](Self::reload) now, in seconds since the Unix epoch. True for one caller per
    /// interval.
    pub fn should_reload(&self, now: u64) -> bool {
        self.report_metrics(now);
        let checked_at = self.checked_at.load(Relaxed);
        let is_due = checked_at != 0 && now >= checked_at.saturating_add(self.interval.as_secs());
        // The first request only starts the interval. The exchange fails for all but one of concurrent callers.
        let starts_interval = checked_at == 0 || is_due;
        starts_interval
            && self.checked_at.compare_exchange(checked_at, now, Relaxed, Relaxed).is_ok()
            && is_due
    }

    /// Loads the key again and returns its signer if it is new. If it cannot be loaded, the current key stays in use. A key
    /// whose id is not certain is not used: the environment's id is the old key's, and CloudFront refuses a wrong id.
    pub async fn reload(&self) -> Option<Signer> {
        let loaded = self.source.load().await.inspect_err(|error| {
            tracing::warn!(%error, "the signing key could not be loaded again; the old one stays in use");
        });
        let key = loaded.ok()?;
        if !self.is_new(&key).ok()? {
            return None;
        }
        let (id, key_match) = key.resolve_id(self.trusted.as_ref()).ok()?;
        if !matches!(key_match, KeyMatch::Named | KeyMatch::Verified) {
            tracing::warn!(
                "there is a new signing key, but it is not known to belong to CLOUDFRONT_KEY_ID; the old one stays in use. \
                 Put a line Key-Pair-Id: before the key, or deploy with its own CLOUDFRONT_KEY_ID"
            );
            return None;
        }
        let signer = self.install_key(key, id, key_match).ok()?;
        tracing::info!(key_id = %signer.key_pair_id(), "a new signing key is in use");
        Some(signer)
    }

    /// The key that signs links now; `None` before the first is loaded.
    pub fn current_key(&self) -> Option<KeyStatus> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let CurrentKey { id, changed_at, key_match, .. } = current.as_ref()?;
        Some(KeyStatus { id: id.clone(), changed_at: *changed_at, key_match: *key_match })
    }

    fn install_key(
        &self,
        key: SigningKey,
        id: KeyPairId,
        key_match: KeyMatch,
    ) -> Result<Signer, SigningKeyError> {
        if let Some(warning) = key_match.warning() {
            tracing::warn!(key_id = %id, "{warning}");
        }
        let SigningKey { key, changed_at, .. } = key;
        let current = CurrentKey { id: id.clone(), public_key: key.public_key()?, changed_at, key_match };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
        Ok(Signer::new(id, key, self.hash))
    }

    fn is_new(&self, loaded: &SigningKey) -> Result<bool, SigningKeyError> {
        let public_key = loaded.key.public_key()?;
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |current: &CurrentKey| {
            current.public_key == public_key && loaded.id.as_ref().is_none_or(|id| *id == current.id)
        };
        Ok(!current.as_ref().is_some_and(is_same))
    }

    /// For the alarms on an old key, and on a key that CloudFront refuses.
    fn report_metrics(&self, now: u64) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(current) = current.as_ref() else { return };
        // Only if there is a mismatch: in Lambda each request logs a line with the metrics that were set.
        if current.key_match == KeyMatch::Mismatched {
            metrics::gauge!(metric_names::SIGNING_KEY_MISMATCH.name).set(1.0);
        }
        if let Some(changed_at) = current.changed_at {
            #[expect(clippy::cast_precision_loss, reason = "seconds, of some years at most")]
            metrics::gauge!(metric_names::SIGNING_KEY_AGE_SECONDS.name)
                .set(now.saturating_sub(changed_at) as f64);
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

    fn rotation(path: &Path, id: Option<&str>) -> KeyRotation {
        let trusted = id.map(|id| TrustedKey { id: KeyPairId::new(id).unwrap(), public_key: None });
        KeyRotation::new(
            KeySource::File(path.to_owned()),
            trusted,
            HashAlgorithm::Sha256,
            Duration::from_mins(5),
        )
    }

    #[tokio::test]
    async fn a_new_key_is_used_only_with_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write(&path, None);
        let rotation = rotation(&path, Some("KOLD"));
        assert_eq!(rotation.load_initial().await.unwrap().key_pair_id().as_str(), "KOLD");
        assert!(rotation.reload().await.is_none(), "the same key");

        write(&path, None);
        assert!(rotation.reload().await.is_none(), "without an id");
        let new = write(&path, Some("KNEW"));
        let signer = rotation.reload().await.unwrap();
        assert_eq!(signer.key_pair_id().as_str(), "KNEW");
        assert_eq!(signer.private_key().public_key().unwrap(), new.public_key().unwrap());
        assert!(rotation.reload().await.is_none(), "it is in use already");

        std::fs::write(&path, "dummy").unwrap();
        assert!(rotation.reload().await.is_none(), "an invalid key");
    }

    #[tokio::test]
    async fn the_id_beside_the_key_takes_precedence() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write(&path, Some("KNEW"));
        let signer = rotation(&path, Some("KOLD")).load_initial().await.unwrap();
        assert_eq!(signer.key_pair_id().as_str(), "KNEW");
        write(&path, None);
        assert!(matches!(rotation(&path, None).load_initial().await, Err(SigningKeyError::MissingKeyId)));
    }

    #[tokio::test]
    async fn a_mismatched_first_key_is_used_until_the_right_one_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let (path, right) = (dir.path().join("key.pem"), dir.path().join("right.pem"));
        write(&path, None);
        let public_key = Some(write(&right, None).public_key().unwrap());
        let trusted = TrustedKey { id: KeyPairId::new("KENV").unwrap(), public_key };
        let source = KeySource::File(path.clone());
        let rotation = KeyRotation::new(source, Some(trusted), HashAlgorithm::Sha256, Duration::from_mins(5));
        assert_eq!(rotation.load_initial().await.unwrap().key_pair_id().as_str(), "KENV");
        let key_match = || rotation.current.lock().unwrap().as_ref().unwrap().key_match;
        assert_eq!(key_match(), KeyMatch::Mismatched);

        write(&path, None);
        assert!(rotation.reload().await.is_none(), "another key that does not belong to the id");
        std::fs::copy(&right, &path).unwrap();
        assert_eq!(rotation.reload().await.unwrap().key_pair_id().as_str(), "KENV");
        assert_eq!(key_match(), KeyMatch::Verified);
    }

    #[test]
    fn a_reload_is_due_once_per_interval() {
        let rotation = rotation(Path::new("unused"), None);
        let due: Vec<u64> = (1000..2000).filter(|now| rotation.should_reload(*now)).collect();
        assert_eq!(due, [1300, 1600, 1900]);
    }
}
