//! A new key takes the old one's place while the service runs.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use signing::cloudfront::{HashAlgorithm, KeyPairId, PublicKey, Signer};

use crate::{KeyMatch, KeySource, SigningKey, SigningKeyError, TrustedKey, is_published};

/// Fetches the key when the service starts and, now and then, looks whether there is another.
#[derive(Debug)]
pub struct KeyRotation {
    source: KeySource,
    /// From the environment, for a key that does not bring its id.
    trusted: Option<TrustedKey>,
    hash: HashAlgorithm,
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
    found: KeyMatch,
}

impl KeyRotation {
    /// `trusted` is what the environment names: for the key that is there at the start, and for others only where it is
    /// known that they belong to it.
    #[must_use]
    pub fn new(
        source: KeySource,
        trusted: Option<TrustedKey>,
        hash: HashAlgorithm,
        interval: Duration,
    ) -> Self {
        Self { source, trusted, hash, interval, looked_at: AtomicU64::new(0), current: Mutex::new(None) }
    }

    /// Fetches the key, without which the service cannot start. One that CloudFront may refuse is warned of and used: all
    /// else works, and a new deployment begins with such a key.
    pub async fn load_first(&self) -> Result<Signer, SigningKeyError> {
        let key = self.source.load().await?;
        let (id, found) = key.identify(self.trusted.as_ref())?;
        if is_published(&key.key.public_key()?) {
            tracing::warn!(key_id = %id, "the signing key is published with the source code: replace it");
        }
        self.take((id, found), key)
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

    /// Looks for another key. Where there is none, or none to be had, the one in use stays. One whose id is not known for
    /// certain is not taken: what the environment says is the old one's, and a link with the wrong id opens nothing.
    pub async fn reload(&self) -> Option<Signer> {
        let found = match self.source.load().await {
            Ok(key) => self.differs(&key).ok().filter(|differs| *differs).map(|_| key),
            Err(error) => {
                tracing::warn!(%error, "the signing key could not be looked at again; the old one stays in use");
                None
            }
        }?;
        let (id, matched) = found.identify(self.trusted.as_ref()).ok()?;
        if !matches!(matched, KeyMatch::Named | KeyMatch::Proven) {
            tracing::warn!(
                "there is another signing key, but it is not known to belong to CLOUDFRONT_KEY_ID; the old one stays in \
                 use. Put a line Key-Pair-Id: before the key, or deploy with its own CLOUDFRONT_KEY_ID"
            );
            return None;
        }
        let signer = self.take((id, matched), found).ok()?;
        tracing::info!(key_id = %signer.key_pair_id(), "another signing key is in use");
        Some(signer)
    }

    fn take(&self, (id, found): (KeyPairId, KeyMatch), key: SigningKey) -> Result<Signer, SigningKeyError> {
        if let Some(warning) = found.warning() {
            tracing::warn!(key_id = %id, "{warning}");
        }
        let SigningKey { key, changed_at, .. } = key;
        let current = Current { id: id.clone(), public: key.public_key()?, changed_at, found };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
        Ok(Signer::new(id, key, self.hash))
    }

    fn differs(&self, found: &SigningKey) -> Result<bool, SigningKeyError> {
        let public = found.key.public_key()?;
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |current: &Current| {
            current.public == public && found.id.as_ref().is_none_or(|id| *id == current.id)
        };
        Ok(!current.as_ref().is_some_and(is_same))
    }

    /// For the alarms on a key that nobody renews, and on one whose links open nothing.
    fn report_age(&self, now: u64) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(current) = current.as_ref() else { return };
        // Only where there is something to tell: in Lambda each request has a line of metrics.
        if current.found == KeyMatch::Mismatched {
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
        assert!(matches!(rotation(&path, None).load_first().await, Err(SigningKeyError::NoId)));
    }

    #[tokio::test]
    async fn a_key_of_another_public_key_is_used_until_the_right_one_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (path, right) = (dir.path().join("key.pem"), dir.path().join("right.pem"));
        write(&path, None);
        let public_key = Some(write(&right, None).public_key().unwrap());
        let trusted = TrustedKey { id: KeyPairId::new("KENV").unwrap(), public_key };
        let source = KeySource::File(path.clone());
        let rotation = KeyRotation::new(source, Some(trusted), HashAlgorithm::Sha256, Duration::from_mins(5));
        assert_eq!(rotation.load_first().await.unwrap().key_pair_id().as_str(), "KENV");
        let found = || rotation.current.lock().unwrap().as_ref().unwrap().found;
        assert_eq!(found(), KeyMatch::Mismatched);

        write(&path, None);
        assert!(rotation.reload().await.is_none(), "another one that does not belong to it");
        std::fs::copy(&right, &path).unwrap();
        assert_eq!(rotation.reload().await.unwrap().key_pair_id().as_str(), "KENV");
        assert_eq!(found(), KeyMatch::Proven);
    }

    #[test]
    fn it_is_due_once_per_interval() {
        let rotation = rotation(Path::new("unused"), None);
        let due: Vec<u64> = (1000..2000).filter(|now| rotation.due(*now)).collect();
        assert_eq!(due, [1300, 1600, 1900]);
    }
}
