//! Sessions of the roles that read buckets of other accounts.
//!
//! A session reads the objects of one bucket beneath one prefix, and does nothing else. A link therefore reveals no more than
//! that, whatever the role may do. Sessions are kept and renewed, so a role is assumed once in half an hour for a dataset.

use std::{fmt, num::NonZeroUsize, sync::Arc};

use aws::{
    credentials::{CachedCredentials, CredentialsError},
    sts::{RoleArn, RoleSessions, StsClient},
};
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::json;
use signing::s3::{Bucket, Credentials};

use crate::{bounded_cache::BoundedCache, presign::signing_credentials};

/// Sessions that are kept.
const MAX_SESSIONS: NonZeroUsize = NonZeroUsize::new(1000).unwrap();

/// A session is renewed when it ends within this time. It lasts an hour, so a link works for half an hour at least.
pub(crate) const RENEWAL_SECONDS: u64 = 1800;

/// Who may read what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SessionScope {
    role: RoleArn,
    bucket: Bucket,
    prefix: KeyPrefix,
}

/// The keys that a session reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum KeyPrefix {
    /// All keys that begin so. The text ends with a slash, or `1/` would be the prefix of nothing and `1` that of `12/`.
    Directory(String),
    /// One key.
    Key(String),
}

/// The sessions of all roles.
pub(crate) struct SessionCache {
    client: StsClient,
    sessions: BoundedCache<SessionScope, CachedCredentials<Credentials>>,
}

impl SessionCache {
    pub(crate) fn new(client: StsClient) -> Self {
        Self { client, sessions: BoundedCache::new(MAX_SESSIONS) }
    }

    /// The credentials of a session that may read this key. Callers that need the same session share one request.
    pub(crate) async fn get(
        &self,
        role: &RoleArn,
        bucket: &Bucket,
        key: &str,
        now: u64,
    ) -> Result<Credentials, CredentialsError> {
        let scope = SessionScope { role: role.clone(), bucket: bucket.clone(), prefix: KeyPrefix::of(key) };
        let session: Arc<CachedCredentials<Credentials>> =
            self.sessions.get_or_insert(&scope, || self.open_session(&scope));
        session.get(now).await
    }

    fn open_session(&self, scope: &SessionScope) -> CachedCredentials<Credentials> {
        let provider =
            RoleSessions { client: self.client.clone(), role: scope.role.clone(), policy: scope.policy() };
        CachedCredentials::new(SharedCredentialsProvider::new(provider), signing_credentials)
            .with_refresh_margin(RENEWAL_SECONDS)
    }
}

impl KeyPrefix {
    /// The directory of a key's dataset: `O1/D2/` of `O1/D2/…`, as the platform stores files, else the first directory, which in
    /// published data is the dataset's number. A narrower prefix would need a session for each folder of a manifest.
    fn of(key: &str) -> Self {
        let mut ends = key.match_indices('/').map(|(slash, _)| slash + 1);
        let Some(first) = ends.next() else { return Self::Key(key.to_owned()) };
        let second = ends.next().filter(|end| {
            let (workspace, dataset) = (key.get(..first - 1), key.get(first..end - 1));
            workspace.is_some_and(|text| is_numbered(text, 'O'))
                && dataset.is_some_and(|text| is_numbered(text, 'D'))
        });
        Self::Directory(key.get(..second.unwrap_or(first)).unwrap_or(key).to_owned())
    }
}

/// Whether the text is this letter and a number.
fn is_numbered(text: &str, letter: char) -> bool {
    text.strip_prefix(letter)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl SessionScope {
    /// The session policy. It has no `s3:ListBucket`: S3 therefore answers 403 and not 404 for a missing object.
    fn policy(&self) -> String {
        let (keys, rest) = match &self.prefix {
            KeyPrefix::Directory(prefix) => (prefix, "*"),
            KeyPrefix::Key(key) => (key, ""),
        };
        let partition = self.role.partition();
        let resource = format!("arn:{partition}:s3:::{}/{}{rest}", self.bucket, escape_wildcards(keys));
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": resource,
            }],
        });
        escape_non_ascii(&policy.to_string())
    }
}

/// Writes the characters that mean something in a resource as IAM's variables for them (IAM User Guide, "IAM policy elements:
/// Variables and tags", "Specifying special characters").
fn escape_wildcards(key: &str) -> String {
    let mut escaped = String::with_capacity(key.len());
    for character in key.chars() {
        match character {
            '*' | '?' | '$' => escaped.extend(['$', '{', character, '}']),
            other => escaped.push(other),
        }
    }
    escaped
}

/// STS takes no characters above U+00FF in a policy (`AssumeRole`, `Policy`), but JSON can write them.
fn escape_non_ascii(json: &str) -> String {
    use fmt::Write as _;
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() && character != '\u{7f}' {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(key: &str) -> String {
        let scope = SessionScope {
            role: RoleArn::new("arn:aws-us-gov:iam::123456789012:role/r").unwrap(),
            bucket: Bucket::new("published").unwrap(),
            prefix: KeyPrefix::of(key),
        };
        let text = scope.policy();
        assert!(text.is_ascii(), "{text}");
        let policy: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
        assert_eq!(policy["Statement"][0]["Action"], json!(["s3:GetObject", "s3:GetObjectVersion"]));
        policy["Statement"][0]["Resource"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_session_reads_one_dataset() {
        for (key, keys) in [
            ("12/files/a/b.csv", "12/*"),
            ("O1/D2/upload/file", "O1/D2/*"),
            ("O1/D2/", "O1/D2/*"),
            ("O1/D2", "O1/*"),
            ("O1/Dx/file", "O1/*"),
            ("Ox/D2/file", "Ox/*"),
            ("O/D2/file", "O/*"),
            ("person@example.org/data/file", "person@example.org/*"),
            ("/odd", "/*"),
            ("alone.csv", "alone.csv"),
        ] {
            assert_eq!(resource(key), format!("arn:aws-us-gov:s3:::published/{keys}"), "{key}");
        }
    }

    #[test]
    fn wildcards_in_keys_are_no_wildcards_in_policies() {
        for (key, keys) in [
            ("*", "${*}"),
            ("*/file", "${*}/*"),
            ("a?b/file", "a${?}b/*"),
            ("${aws:username}/file", "${$}{aws:username}/*"),
            ("\"}],\"Action\":\"*/file", "\"}],\"Action\":\"${*}/*"),
            ("東\u{10ffff}é\u{7f}\u{1}/file", "東\u{10ffff}é\u{7f}\u{1}/*"),
        ] {
            assert_eq!(resource(key), format!("arn:aws-us-gov:s3:::published/{keys}"), "{key}");
        }
    }
}
