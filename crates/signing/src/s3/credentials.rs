//! Credentials, which cannot be printed and are wiped when they are dropped.

use std::fmt;

use zeroize::{Zeroize as _, Zeroizing};

use crate::percent;

/// What AWS gives to somebody who may sign.
#[derive(Clone)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    /// The token as a query holds it: it is long, so it is encoded once and not for every link.
    encoded_token: Option<Zeroizing<String>>,
    expires_at: Option<u64>,
}

impl Credentials {
    /// Credentials which end at `expires_at`, in Unix seconds. Temporary ones have a session token.
    #[must_use]
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
        expires_at: Option<u64>,
    ) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: Zeroizing::new(secret_access_key.into()),
            encoded_token: session_token.as_deref().map(percent::encode).map(Zeroizing::new),
            session_token: session_token.map(Zeroizing::new),
            expires_at,
        }
    }

    /// The public half, which every link shows.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The session token, which every link shows too.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(|token| token.as_str())
    }

    /// When the credentials end, in Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.expires_at
    }

    /// When a link made at `now` for `expires_in` seconds really ends: S3 refuses it once its credentials have
    /// ended, however long a life it claims ("Download and upload objects with presigned URLs").
    #[must_use]
    pub fn link_expiry(&self, now: u64, expires_in: u32) -> u64 {
        let asked = now.saturating_add(u64::from(expires_in));
        self.expires_at.map_or(asked, |end| end.min(asked))
    }

    pub(super) fn encoded_token(&self) -> Option<&str> {
        self.encoded_token.as_ref().map(|token| token.as_str())
    }

    pub(super) fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        // The other parts wipe themselves.
        self.access_key_id.zeroize();
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let credentials = Credentials::new("AKID", "the-secret", Some("the-token".to_owned()), Some(9));
        let text = format!("{credentials:?}");
        assert!(text.contains("AKID") && !text.contains("the-"), "{text}");
    }

    #[test]
    fn a_link_ends_with_its_credentials() {
        let ending = |expires_at| Credentials::new("a", "b", None, expires_at).link_expiry(1000, 3600);
        assert_eq!(ending(None), 4600);
        assert_eq!(ending(Some(9000)), 4600);
        assert_eq!(ending(Some(2000)), 2000);
    }
}
