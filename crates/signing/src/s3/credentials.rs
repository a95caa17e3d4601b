//! Credentials. They are not printed, and are zeroed when dropped.

use std::fmt;

use zeroize::{Zeroize as _, Zeroizing};

use crate::percent;

/// AWS credentials for signing.
#[derive(Clone)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    /// The percent-encoded token. It is long, so it is encoded once and not for every link.
    encoded_token: Option<Zeroizing<String>>,
    expires_at: Option<u64>,
}

impl Credentials {
    /// Credentials that expire at `expires_at`, in Unix seconds. Temporary credentials have a session token.
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

    /// The access key id. It is part of every link.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The session token. It is part of every link, too.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(|token| token.as_str())
    }

    /// The end of the credentials, in Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.expires_at
    }

    /// The end of a link that is made at `now` for `expires_in` seconds: its own end or that of the credentials,
    /// whichever is earlier. S3 refuses a link whose credentials have expired ("Download and upload objects with
    /// presigned URLs").
    #[must_use]
    pub fn effective_expiry(&self, now: u64, expires_in: u32) -> u64 {
        let requested = now.saturating_add(u64::from(expires_in));
        self.expires_at.map_or(requested, |end| end.min(requested))
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
        // The other fields are `Zeroizing`.
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
    fn debug_output_has_no_secrets() {
        let credentials = Credentials::new("AKID", "the-secret", Some("the-token".to_owned()), Some(9));
        let text = format!("{credentials:?}");
        assert!(text.contains("AKID") && !text.contains("the-"), "{text}");
        assert_eq!((credentials.session_token(), credentials.expires_at()), (Some("the-token"), Some(9)));
    }

    #[test]
    fn a_link_ends_no_later_than_its_credentials() {
        let ending = |expires_at| Credentials::new("a", "b", None, expires_at).effective_expiry(1000, 3600);
        assert_eq!(ending(None), 4600);
        assert_eq!(ending(Some(9000)), 4600);
        assert_eq!(ending(Some(2000)), 2000);
    }
}
