//! The key that signs links: loading it, and replacing it while the service runs.

mod key_match;
mod rotation;

use std::{io, path::PathBuf, time::UNIX_EPOCH};

use serde_json::{Value, json};
use signing::cloudfront::{KeyError, KeyPairId, PrivateKey, decode_pem_parameter};
use zeroize::Zeroizing;

pub use key_match::{KeyMatch, TrustedKey, is_published};
pub use rotation::{KeyRotation, KeyStatus};

use aws::JsonClient;

/// The beginning of the line with the key's id, before the PEM block. Explanatory text may be there (RFC 7468, section
/// 2): OpenSSL and other readers skip it.
const KEY_ID_LINE: &str = "Key-Pair-Id:";

/// Where the key is stored.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A parameter of AWS Systems Manager, encrypted by KMS or not.
    Ssm {
        /// A [`JsonClient::ssm`] in the parameter's region.
        client: JsonClient,
        /// The parameter's name or ARN.
        name: String,
    },
    /// A file.
    File(PathBuf),
}

/// A key that signs links.
#[derive(Debug)]
pub struct SigningKey {
    /// CloudFront's id of the key, if it is stored with the key.
    pub id: Option<KeyPairId>,
    /// The key.
    pub key: PrivateKey,
    /// When the key was stored, in seconds since the Unix epoch, if that is known.
    pub changed_at: Option<u64>,
    /// The version of the parameter, if that is known: 1 for the first.
    pub version: Option<u64>,
}

/// Why there is no key. Neither a variant nor a text has anything of the stored value.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The parameter does not exist.
    #[error("the parameter of CLOUDFRONT_PRIVATE_KEY_SSM_PARAM does not exist")]
    ParameterNotFound,
    /// SSM failed or refused.
    #[error("the parameter of CLOUDFRONT_PRIVATE_KEY_SSM_PARAM cannot be read from SSM: {0}{hint}", hint = network_hint(.0))]
    Ssm(aws::Error),
    /// The file cannot be read. The text does not repeat its path.
    #[error("the file of CLOUDFRONT_PRIVATE_KEY_FILE cannot be read: {}", .0.kind())]
    File(io::Error),
    /// The value is neither PEM nor a PEM file in base64, or has no key that CloudFront accepts.
    #[error("invalid private key for signed links: {0}")]
    InvalidKey(KeyError),
    /// The line `Key-Pair-Id:` has no valid id.
    #[error("invalid key id in the line {KEY_ID_LINE} before the private key")]
    InvalidKeyId,
    /// Neither the key nor the environment has an id.
    #[error("the private key has no id: set CLOUDFRONT_KEY_ID, or put a line {KEY_ID_LINE} before it")]
    MissingKeyId,
}

fn network_hint(error: &aws::Error) -> &'static str {
    match error {
        aws::Error::Unavailable(_) => "; a private subnet needs a NAT gateway or a VPC endpoint for SSM",
        aws::Error::Refused { .. } => "",
    }
}

// Not `#[from]`: that would also make it the `source`, and the text has it already.
impl From<KeyError> for SigningKeyError {
    fn from(error: KeyError) -> Self {
        Self::InvalidKey(error)
    }
}

impl KeySource {
    /// Loads the current key.
    pub async fn load(&self) -> Result<SigningKey, SigningKeyError> {
        let StoredKey { text, changed_at, version } = match self {
            Self::Ssm { client, name } => load_parameter(client, name).await?,
            Self::File(path) => load_file(path).await.map_err(SigningKeyError::File)?,
        };
        Ok(SigningKey { changed_at, version, ..parse_key(&text)? })
    }
}

/// A stored value. Its text is wiped when it is dropped; the buffers of the connection are not.
struct StoredKey {
    text: Zeroizing<String>,
    changed_at: Option<u64>,
    version: Option<u64>,
}

async fn load_parameter(client: &JsonClient, name: &str) -> Result<StoredKey, SigningKeyError> {
    let input = json!({"Name": name, "WithDecryption": true});
    let output = client.call("GetParameter", &input).await;
    let mut output = output.map_err(|error| {
        if error.has_code("ParameterNotFound") {
            SigningKeyError::ParameterNotFound
        } else {
            SigningKeyError::Ssm(error)
        }
    })?;
    let text = match output.pointer_mut("/Parameter/Value").map(Value::take) {
        Some(Value::String(value)) => Zeroizing::new(value),
        _ => return Err(SigningKeyError::ParameterNotFound),
    };
    // A number of seconds with a fraction.
    let changed = output.pointer("/Parameter/LastModifiedDate").map(ToString::to_string);
    let changed_at = changed.and_then(|text| text.split('.').next()?.parse().ok());
    let version = output.pointer("/Parameter/Version").and_then(Value::as_u64);
    Ok(StoredKey { text, changed_at, version })
}

async fn load_file(path: &std::path::Path) -> io::Result<StoredKey> {
    let text = Zeroizing::new(tokio::fs::read_to_string(path).await?);
    let modified = tokio::fs::metadata(path).await?.modified();
    let changed_at = modified.ok().and_then(|at| Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs()));
    Ok(StoredKey { text, changed_at, version: None })
}

/// Parses PEM, or a PEM file in base64, with or without an id before the key.
fn parse_key(value: &str) -> Result<SigningKey, SigningKeyError> {
    let text = decode_pem_parameter(value)?;
    let before = text.split("-----BEGIN ").next().unwrap_or_default();
    let id = before.lines().find_map(|line| line.trim().strip_prefix(KEY_ID_LINE));
    let id = id.map(|id| KeyPairId::new(id.trim())).transpose().map_err(|_| SigningKeyError::InvalidKeyId)?;
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
    fn a_key_may_have_its_id_before_it() {
        let pem = pem();
        let named = format!("Key-Pair-Id: K2JCJMDEHXQW5F\r\n\r\n{pem}");
        let mut wrapped = STANDARD.encode(&named);
        wrapped.insert(40, '\n');
        for text in [named, wrapped] {
            assert_eq!(parse_key(&text).unwrap().id.unwrap().as_str(), "K2JCJMDEHXQW5F");
        }
        for text in [pem.clone(), STANDARD.encode(&pem), format!("{pem}\nKey-Pair-Id: K1")] {
            assert_eq!(parse_key(&text).unwrap().id, None);
        }
    }

    #[test]
    fn an_invalid_value_is_not_repeated() {
        for (text, expected) in [
            ("dummy", "no complete PEM block"),
            ("c2VjcmV0", "no complete PEM block"),
            ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "neither RSA"),
            (&format!("Key-Pair-Id: not/one\n{}", pem()), "Key-Pair-Id"),
        ] {
            let error = parse_key(text).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains("dummy") && !shown.contains("c2Vj") && !shown.contains("not/one"),
                "{shown}"
            );
        }
    }

    #[tokio::test]
    async fn a_missing_file_is_named_by_its_variable() {
        let source = KeySource::File("/nonexistent/key.pem".into());
        let error = source.load().await.unwrap_err().to_string();
        assert!(error.contains("CLOUDFRONT_PRIVATE_KEY_FILE") && !error.contains("nonexistent"), "{error}");
    }

    #[test]
    fn only_an_unreachable_ssm_gets_a_hint_about_the_network() {
        let unreachable = SigningKeyError::Ssm(aws::Error::Unavailable("GetParameter: timeout".to_owned()));
        assert_eq!(
            unreachable.to_string(),
            "the parameter of CLOUDFRONT_PRIVATE_KEY_SSM_PARAM cannot be read from SSM: GetParameter: timeout; a private \
             subnet needs a NAT gateway or a VPC endpoint for SSM"
        );
        let denied = aws::Error::Refused { code: "AccessDenied".to_owned(), message: "no".to_owned() };
        assert!(SigningKeyError::Ssm(denied).to_string().ends_with("from SSM: AccessDenied: no"));
    }
}
