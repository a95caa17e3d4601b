//! The key that signs links to viewer assets: whether it is usable, whether CloudFront trusts it, and whether CloudFront
//! accepts a link.

use std::time::Duration;

use aws::HttpClient;
use hosting::config::CdnConfig;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use signing::{
    cloudfront::{HashAlgorithm, KeyAlgorithm, KeyPairId, Signer},
    percent::encode_path,
};
use signing_keys::{KeyMatch, KeySource, SigningKey, is_published};
use tokio::time::timeout;

use crate::report::Check;

/// How long the distribution may take to answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The age at which a key should be replaced, as in the alarm `signing-key-age`.
const MAX_AGE_DAYS: u64 = 90;

/// How long the test link is valid.
const LINK_VALIDITY_SECONDS: u64 = 300;

/// How much of a response is read.
const MAX_BODY_BYTES: usize = 4096;

/// Checks the key. The signer is for [`check_link`].
pub(crate) async fn check_key(
    source: &KeySource,
    config: &CdnConfig,
    now: u64,
) -> (Vec<Check>, Option<Signer>) {
    let key = match source.load().await {
        Ok(key) => key,
        Err(error) => {
            let advice = "the service does not start without it: put a private key there, as PEM or PEM in base64 \
                          (terraform/replace-cloudfront-keys.sh does this)";
            return (vec![Check::failure("private key", error.to_string(), advice)], None);
        }
    };
    let (id, key_match) = match key.resolve_id(Some(&config.trusted_key())) {
        Ok(identified) => identified,
        Err(error) => return (vec![Check::failure("key id", error.to_string(), "replace the key")], None),
    };
    let is_published = key.key.public_key().is_ok_and(|key| is_published(&key));
    let checks =
        vec![check_kind(&key, config.hash, is_published), check_id(&id, key_match), check_age(&key, now)];
    (checks, Some(Signer::new(id, key.key, config.hash)))
}

fn check_kind(key: &SigningKey, hash: HashAlgorithm, is_published: bool) -> Check {
    let kind = match key.key.algorithm() {
        KeyAlgorithm::Rsa2048 => "RSA with 2048 bits",
        KeyAlgorithm::EcdsaP256 => "ECDSA on P-256",
    };
    let hash = match hash {
        HashAlgorithm::Sha256 => "SHA-256",
        HashAlgorithm::Sha1 => "SHA-1",
    };
    let found = format!("{kind}; links are signed with {hash}");
    if is_published {
        let advice = "anyone can sign links with it: run terraform/replace-cloudfront-keys.sh";
        return Check::failure(
            "private key",
            format!("{found}; it is published with the source code"),
            advice,
        );
    }
    Check::ok("private key", found)
}

fn check_id(id: &KeyPairId, key_match: KeyMatch) -> Check {
    let name = "key id";
    match (key_match, key_match.warning()) {
        (KeyMatch::Named, _) => Check::ok(name, format!("{id}, from the line before the key")),
        (KeyMatch::Verified, _) => {
            Check::ok(name, format!("{id}, whose public key is CLOUDFRONT_PUBLIC_KEY"))
        }
        (KeyMatch::Mismatched, Some(warning)) => {
            Check::failure(name, format!("{id} belongs to another key"), warning)
        }
        (KeyMatch::Unverified, Some(warning)) => {
            Check::warning(name, format!("{id}, from CLOUDFRONT_KEY_ID"), warning)
        }
        _ => Check::ok(name, format!("{id}, from CLOUDFRONT_KEY_ID")),
    }
}

fn check_age(key: &SigningKey, now: u64) -> Check {
    let name = "age";
    let Some(changed_at) = key.changed_at else { return Check::skipped(name, "unknown") };
    let days = now.saturating_sub(changed_at) / (24 * 3600);
    let found = format!("{days} days");
    if days > MAX_AGE_DAYS {
        return Check::warning(name, found, "replace it: terraform/replace-cloudfront-keys.sh");
    }
    Check::ok(name, found)
}

/// Signs a link to an object, and requests it.
pub(crate) async fn check_link(
    http: &HttpClient,
    signer: &Signer,
    origin: &str,
    key: &str,
    now: u64,
) -> Check {
    let name = "a signed link";
    let url = format!("{origin}/{}", encode_path(key));
    let signed = match signer.sign_canned_url(&url, now + LINK_VALIDITY_SECONDS) {
        Ok(signed) => signed,
        Err(error) => return Check::failure(name, error.to_string(), "replace the key"),
    };
    match timeout(REQUEST_TIMEOUT, request_link(http, &signed)).await {
        Ok(Ok((StatusCode::OK | StatusCode::PARTIAL_CONTENT, _))) => {
            Check::ok(name, "the distribution accepts it")
        }
        Ok(Ok((status, body))) => explain_rejection(name, status, &body),
        Ok(Err(error)) => {
            let advice = "check that CLOUDFRONT_DISTRIBUTION_DOMAIN is the distribution's domain";
            Check::failure(name, error, advice)
        }
        Err(_) => Check::failure(
            name,
            format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()),
            "check that the distribution is enabled",
        ),
    }
}

async fn request_link(http: &HttpClient, url: &str) -> Result<(StatusCode, String), String> {
    let request = Request::get(url).header(header::RANGE, "bytes=0-0").body(Full::default());
    let request = request.map_err(|_| "the link is not a valid URL".to_owned())?;
    // The client's errors name hosts, never paths or queries.
    let response = http.send(request).await.map_err(|error| aws::error_chain(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
    let body = body.map(Collected::to_bytes).unwrap_or_default();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Explains an error of CloudFront, or of S3 behind it: the XML is the same, the codes differ.
fn explain_rejection(name: &str, status: StatusCode, body: &str) -> Check {
    let code = body
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map_or("", |(code, _)| code);
    let found = if code.is_empty() { status.to_string() } else { format!("{} {code}", status.as_u16()) };
    let advice = match (status.as_u16(), code) {
        (403, "InvalidKey") => {
            "the distribution does not trust this key id: add the public key to its key group"
        }
        (403, "MissingKey") => {
            "the distribution received no signature: check for a proxy in front of it that drops the query"
        }
        (403, "AccessDenied") => {
            "the id is known, but the signature is invalid: the private key belongs to another id. Or the bucket's policy \
             denies the distribution access"
        }
        (403, _) => {
            "the key group, the bucket's policy, or a firewall in front of the distribution refused it"
        }
        (404, _) => "the distribution serves another bucket than VIEWER_ASSETS_BUCKET, or another path of it",
        _ => "check the distribution's origin",
    };
    Check::failure(name, found, advice)
}
