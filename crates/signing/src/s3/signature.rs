//! Signing keys, the string to sign and the signature ("Signature Calculations for the Authorization Header").

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::date::AmzDate;
use super::names::Region;
use super::sigv4::ALGORITHM;

/// The maximum number of cached signing keys: a few regions, and two days around midnight.
const MAX_CACHED_KEYS: usize = 16;

/// Signs a canonical request. Returns 64 lower-case hex digits.
pub(super) fn sign_canonical_request(
    key: &hmac::Key,
    canonical: &str,
    region: &Region,
    date: &AmzDate,
) -> [u8; 64] {
    let hash = to_hex(digest::digest(&SHA256, canonical.as_bytes()).as_ref());
    // The string to sign is fed to the HMAC in parts, so that it is never allocated.
    let mut message = hmac::Context::with_key(key);
    for part in [ALGORITHM, "\n", date.as_str(), "\n", date.day(), "/", region.as_str(), "/s3/aws4_request\n"]
    {
        message.update(part.as_bytes());
    }
    message.update(&hash);
    to_hex(message.sign().as_ref())
}

/// Encodes 32 bytes as hex digits.
fn to_hex(bytes: &[u8]) -> [u8; 64] {
    let mut text = [b'0'; 64];
    // SHA-256 and HMAC-SHA-256 have 32 bytes, so this cannot fail.
    let _ = hex::encode_to_slice(bytes, &mut text);
    text
}

/// A cache of signing keys, one per credentials, day and region. Deriving a key costs about as much as a signature.
#[derive(Default)]
pub(super) struct SigningKeyCache(RwLock<Vec<CachedKey>>);

struct CachedKey {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    region: Region,
    day: u64,
    key: Arc<hmac::Key>,
}

impl SigningKeyCache {
    pub(super) fn get_or_derive(
        &self,
        credentials: &Credentials,
        region: &Region,
        date: &AmzDate,
    ) -> Arc<hmac::Key> {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = entries.iter().find(|entry| entry.matches(credentials, region, date));
        if let Some(entry) = known {
            return Arc::clone(&entry.key);
        }
        drop(entries);
        self.derive_and_insert(credentials, region, date)
    }

    fn derive_and_insert(
        &self,
        credentials: &Credentials,
        region: &Region,
        date: &AmzDate,
    ) -> Arc<hmac::Key> {
        let key = Arc::new(derive_key(credentials.secret_access_key(), region, date));
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // The oldest key goes first: it is the one of yesterday.
        if entries.len() >= MAX_CACHED_KEYS {
            entries.remove(0);
        }
        entries.push(CachedKey {
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: Zeroizing::new(credentials.secret_access_key().to_owned()),
            region: region.clone(),
            day: date.days_since_1970(),
            key: Arc::clone(&key),
        });
        key
    }
}

impl CachedKey {
    fn matches(&self, credentials: &Credentials, region: &Region, date: &AmzDate) -> bool {
        self.day == date.days_since_1970()
            && self.region == *region
            && self.access_key_id == credentials.access_key_id()
            && *self.secret_access_key == *credentials.secret_access_key()
    }
}

fn derive_key(secret: &str, region: &Region, date: &AmzDate) -> hmac::Key {
    let first = Zeroizing::new(format!("AWS4{secret}"));
    let mut key = hmac::Key::new(HMAC_SHA256, first.as_bytes());
    for part in [date.day(), region.as_str(), "s3", "aws4_request"] {
        key = hmac::Key::new(HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_a_bounded_number_of_keys() {
        let keys = SigningKeyCache::default();
        let region = Region::new("us-east-1").unwrap();
        let at = |seconds: u64| AmzDate::from_unix(seconds).unwrap();
        let date = |day: u64| at(day * 86_400);
        let credentials = |secret: &str| Credentials::new("AKID", secret, None, None);

        let first = keys.get_or_derive(&credentials("a"), &region, &date(1));
        assert!(Arc::ptr_eq(&first, &keys.get_or_derive(&credentials("a"), &region, &date(1))));
        let end_of_day = at(2 * 86_400 - 1);
        assert!(Arc::ptr_eq(&first, &keys.get_or_derive(&credentials("a"), &region, &end_of_day)));
        assert!(!Arc::ptr_eq(&first, &keys.get_or_derive(&credentials("b"), &region, &date(1))));
        for day in 2..50 {
            keys.get_or_derive(&credentials("a"), &region, &date(day));
        }
        assert_eq!(keys.0.read().unwrap().len(), MAX_CACHED_KEYS);
    }
}
