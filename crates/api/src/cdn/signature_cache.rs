//! Signatures that were given lately. ECDSA signatures are random (FIPS 186-5, section 6.4), so the same link has to be kept
//! to be given again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use signing::cloudfront::{SignError, SignedPolicy};

/// How many signatures are kept: at about a kilobyte each, a megabyte.
const MAX_SIGNATURES: usize = 1024;

/// What a signature covers: the resource, and the end in seconds since the Unix epoch.
type SignatureKey = (Arc<str>, u64);

/// The signatures of one key.
#[derive(Default)]
pub(super) struct SignatureCache(Mutex<Signatures>);

#[derive(Default)]
struct Signatures {
    by_key: HashMap<SignatureKey, Arc<SignedPolicy>>,
    /// Links live about equally long, so the oldest is the first to expire.
    oldest_first: VecDeque<SignatureKey>,
}

impl SignatureCache {
    /// The signature for this resource and end. `sign` makes it if there is none.
    pub(super) fn find_or_sign(
        &self,
        resource: &str,
        expires_at: u64,
        sign: impl FnOnce() -> Result<SignedPolicy, SignError>,
    ) -> Result<Arc<SignedPolicy>, SignError> {
        let key = (Arc::from(resource), expires_at);
        if let Some(signed) = self.lock().by_key.get(&key) {
            return Ok(Arc::clone(signed));
        }
        // The lock is not held while signing.
        let signed = Arc::new(sign()?);
        Ok(self.lock().insert(key, signed))
    }

    fn lock(&self) -> MutexGuard<'_, Signatures> {
        // A panic between the two collections leaves at most a key without a signature, which is harmless.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signatures {
    /// Keeps a signature, and drops the oldest if there are too many. If another request was faster, its signature counts.
    fn insert(&mut self, key: SignatureKey, signed: Arc<SignedPolicy>) -> Arc<SignedPolicy> {
        if let Some(earlier) = self.by_key.get(&key) {
            return Arc::clone(earlier);
        }
        if self.oldest_first.len() >= MAX_SIGNATURES
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_key.remove(&oldest);
        }
        self.oldest_first.push_back(key.clone());
        self.by_key.insert(key, Arc::clone(&signed));
        signed
    }
}

#[cfg(test)]
mod tests {
    use signing::cloudfront::{HashAlgorithm, KeyPairId, PrivateKey, Signer};

    use super::*;

    const URL: &str = "https://h/a";

    fn new_signer() -> Signer {
        let id = KeyPairId::new("K1").unwrap();
        Signer::new(id, PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha256)
    }

    #[test]
    fn the_oldest_signature_goes_first() {
        let (cache, signer) = (SignatureCache::default(), new_signer());
        let find = |end| cache.find_or_sign(URL, end, || signer.sign_canned_policy(URL, end)).unwrap();
        let (first, second) = (find(0), find(1));
        for end in 2..=1024 {
            find(end);
        }
        assert_eq!(cache.lock().by_key.len(), MAX_SIGNATURES);
        assert_eq!(cache.lock().oldest_first.len(), MAX_SIGNATURES);
        assert_eq!(find(1), second);
        assert_ne!(find(0), first);
    }

    #[test]
    fn a_signature_that_failed_is_not_kept() {
        let (cache, signer) = (SignatureCache::default(), new_signer());
        assert_eq!(cache.find_or_sign(URL, 1, || Err(SignError::InvalidUrl)), Err(SignError::InvalidUrl));
        assert!(cache.find_or_sign(URL, 1, || signer.sign_canned_policy(URL, 1)).is_ok());
    }

    #[test]
    fn concurrent_requests_get_one_signature() {
        let (cache, signer) = (SignatureCache::default(), new_signer());
        let barrier = std::sync::Barrier::new(4);
        let find = || {
            let sign = || {
                // All threads sign before the first is kept.
                barrier.wait();
                signer.sign_canned_policy(URL, 1)
            };
            cache.find_or_sign(URL, 1, sign).unwrap()
        };
        let found: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(find)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.iter().all(|signed| *signed == found[0]));
    }
}
