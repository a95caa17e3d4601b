//! The key that signs links: where it comes from, and how a new one takes its place.

mod identity;
mod rotation;

use std::{fmt, io, path::PathBuf, time::UNIX_EPOCH};

use serde_json::{Value, json};
use signing::cloudfront::{KeyError, KeyPairId, PrivateKey, decode_pem_parameter};
use zeroize::Zeroizing;

pub use identity::{KeyMatch, TrustedKey, is_published};
pub use rotation::KeyRotation;

use aws::{self, JsonClient};

/// What the line begins with that names a key, before its PEM block. Explanatory text may stand there (RFC 7468,
/// section 2), and OpenSSL and CloudFront's users pass over it.
const ID_LINE: &str = "Key-Pair-Id:";

/// Where the key is kept.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A parameter of AWS Systems Manager, encrypted by KMS or not.
    Ssm {
        /// [`JsonClient::ssm`], in the parameter's region.
        service: JsonClient,
        /// The parameter's name or ARN.
        name: String,
    },
    /// A file.
    File(PathBuf),
}

/// A key that signs links.
#[derive(Debug)]
pub struct SigningKey {
    /// CloudFront's id for it, if that was kept with it.
    pub id: Option<KeyPairId>,
    /// The key.
    pub key: PrivateKey,
    /// When it was put where it is, in seconds since the Unix epoch, where that is known.
    pub changed_at: Option<u64>,
    /// How often the parameter was written, where that is known: 1 for one that is as it was made.
    pub version: Option<u64>,
}

/// Why there is no key. Neither a variant nor a text holds anything of what was found instead.
#[derive(Debug)]
pub enum SigningKeyError {
    /// There is no such parameter.
    NoParameter,
    /// SSM did not give it out.
    Ssm(aws::Error),
    /// The file cannot be read.
    File(io::Error),
    /// What was found is neither PEM nor a PEM file in base64, or holds no key that CloudFront takes.
    Key(KeyError),
    /// The line `Key-Pair-Id:` names nothing that could be one.
    InvalidId,
    /// Nobody says what CloudFront calls the key.
    NoId,
}

impl fmt::Display for SigningKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoParameter => {
                f.write_str("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM names no parameter that exists")
            }
            Self::Ssm(error) => {
                write!(f, "SSM did not give out the parameter of CLOUDFRONT_PRIVATE_KEY_SSM_PARAM: {error}")?;
                if matches!(error, aws::Error::Unavailable(_)) {
                    f.write_str("; from a private subnet SSM takes a NAT gateway or a VPC endpoint")?;
                }
                Ok(())
            }
            Self::File(error) => {
                write!(f, "the file that CLOUDFRONT_PRIVATE_KEY_FILE names cannot be read: {}", error.kind())
            }
            Self::Key(error) => write!(f, "the private key for signed links cannot be used: {error}"),
            Self::InvalidId => write!(f, "the line {ID_LINE} before the private key names no key pair"),
            Self::NoId => write!(
                f,
                "the private key has no id: set CLOUDFRONT_KEY_ID, or put a line {ID_LINE} before it"
            ),
        }
    }
}

impl std::error::Error for SigningKeyError {}

impl From<KeyError> for SigningKeyError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl KeySource {
    /// Fetches the key, as it is now.
    pub async fn load(&self) -> Result<SigningKey, SigningKeyError> {
        let Found { text, changed_at, version } = match self {
            Self::Ssm { service, name } => parameter(service, name).await?,
            Self::File(path) => file(path).await.map_err(SigningKeyError::File)?,
        };
        Ok(SigningKey { changed_at, version, ..parse(&text)? })
    }
}

/// A value that is wiped when it is dropped, and when it was set. (The connection's buffers are out of our reach.)
struct Found {
    text: Zeroizing<String>,
    changed_at: Option<u64>,
    version: Option<u64>,
}

async fn parameter(service: &JsonClient, name: &str) -> Result<Found, SigningKeyError> {
    let wanted = json!({"Name": name, "WithDecryption": true});
    let answer = service.call("GetParameter", &wanted).await;
    let mut answer = answer.map_err(|error| {
        if error.has_code("ParameterNotFound") {
            SigningKeyError::NoParameter
        } else {
            SigningKeyError::Ssm(error)
        }
    })?;
    let text = match answer.pointer_mut("/Parameter/Value").map(Value::take) {
        Some(Value::String(value)) => Zeroizing::new(value),
        _ => return Err(SigningKeyError::NoParameter),
    };
    // A number with a fraction, which is of no interest.
    let changed = answer.pointer("/Parameter/LastModifiedDate").map(ToString::to_string);
    let changed_at = changed.and_then(|text| text.split('.').next()?.parse().ok());
    let version = answer.pointer("/Parameter/Version").and_then(Value::as_u64);
    Ok(Found { text, changed_at, version })
}

async fn file(path: &std::path::Path) -> io::Result<Found> {
    let text = Zeroizing::new(tokio::fs::read_to_string(path).await?);
    let changed = tokio::fs::metadata(path).await?.modified();
    let changed_at = changed.ok().and_then(|at| Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs()));
    Ok(Found { text, changed_at, version: None })
}

/// Reads PEM, or a PEM file in base64, with or without an id before the key.
fn parse(value: &str) -> Result<SigningKey, SigningKeyError> {
    let text = decode_pem_parameter(value)?;
    let before = text.split("-----BEGIN ").next().unwrap_or_default();
    let id = before.lines().find_map(|line| line.trim().strip_prefix(ID_LINE));
    let id = id.map(|id| KeyPairId::new(id.trim())).transpose().map_err(|_| SigningKeyError::InvalidId)?;
    Ok(SigningKey { id, key: PrivateKey::from_pem(&text)?, changed_at: None, version: None })
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    fn pem() -> String {
        PrivateKey::generate_p256().unwrap().to_pkcs8_pem().unwrap().to_string()
    }

    #[test]
    fn a_key_may_bring_its_id() {
        let pem = pem();
        let named = format!("Key-Pair-Id: K2JCJMDEHXQW5F\r\n\r\n{pem}");
        let mut wrapped = STANDARD.encode(&named);
        wrapped.insert(40, '\n');
        for text in [named, wrapped] {
            assert_eq!(parse(&text).unwrap().id.unwrap().as_str(), "K2JCJMDEHXQW5F");
        }
        for text in [pem.clone(), STANDARD.encode(&pem), format!("{pem}\nKey-Pair-Id: K1")] {
            assert_eq!(parse(&text).unwrap().id, None);
        }
    }

    #[test]
    fn what_is_no_key_is_said_without_repeating_it() {
        for (text, expected) in [
            ("dummy", "no complete PEM block"),
            ("c2VjcmV0", "no complete PEM block"),
            ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "neither RSA"),
            (&format!("Key-Pair-Id: not/one\n{}", pem()), "Key-Pair-Id"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains("dummy") && !shown.contains("c2Vj") && !shown.contains("not/one"),
                "{shown}"
            );
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_named_by_its_variable() {
        let source = KeySource::File("/nonexistent/key.pem".into());
        let error = source.load().await.unwrap_err().to_string();
        assert!(error.contains("CLOUDFRONT_PRIVATE_KEY_FILE") && !error.contains("nonexistent"), "{error}");
    }
}
