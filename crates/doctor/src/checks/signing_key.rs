//! The key that links to viewer assets are signed with: whether it can be used, whether it is the one that CloudFront
//! knows, and whether CloudFront opens a link.

use signing_keys::{KeyMatch, KeySource, SigningKey, is_published};
use std::time::Duration;

use aws::HttpClient;
use hosting::config;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use signing::{
    cloudfront::{HashAlgorithm, KeyAlgorithm, KeyPairId, Signer},
    percent::encode_path,
};
use tokio::time::timeout;

use crate::report::Check;

/// How long the distribution may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A key that is older, in days, should be replaced: the same limit as the alarm's.
const MAX_AGE_DAYS: u64 = 90;

/// How long the link lives that is tried, in seconds.
const LINK_LIFE: u64 = 300;

/// The most that is read of an answer, in bytes.
const MAX_BODY: usize = 4096;

/// Looks at the key; the signer is for [`check_link`].
pub(crate) async fn check_key(
    source: &KeySource,
    config: &config::CdnConfig,
    now: u64,
) -> (Vec<Check>, Option<Signer>) {
    let key = match source.load().await {
        Ok(key) => key,
        Err(error) => {
            let advice = "the service does not start without it: put a private key there, PEM or base64 of it \
                          (terraform/replace-cloudfront-keys.sh does)";
            return (vec![Check::failure("private key", error.to_string(), advice)], None);
        }
    };
    let (id, found) = match key.resolve_id(Some(&config.trusted_key())) {
        Ok(identified) => identified,
        Err(error) => return (vec![Check::failure("key id", error.to_string(), "replace the key")], None),
    };
    let is_known = key.key.public_key().is_ok_and(|key| is_published(&key));
    let checks = vec![check_kind(&key, config.hash, is_known), check_id(&id, found), check_age(&key, now)];
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
    let found = format!("{kind}, links are signed over {hash}");
    if is_published {
        let advice = "everybody has it: run terraform/replace-cloudfront-keys.sh";
        return Check::failure(
            "private key",
            format!("{found}; it is published with the source code"),
            advice,
        );
    }
    Check::ok("private key", found)
}

fn check_id(id: &KeyPairId, found: KeyMatch) -> Check {
    let name = "key id";
    match (found, found.warning()) {
        (KeyMatch::Named, _) => Check::ok(name, format!("{id}, named beside the key")),
        (KeyMatch::Verified, _) => {
            Check::ok(name, format!("{id}, whose public key is CLOUDFRONT_PUBLIC_KEY"))
        }
        (KeyMatch::Mismatched, Some(warning)) => {
            Check::failure(name, format!("{id} is not this key's"), warning)
        }
        (KeyMatch::Unverified, Some(warning)) => {
            Check::warning(name, format!("{id}, by CLOUDFRONT_KEY_ID"), warning)
        }
        _ => Check::ok(name, format!("{id}, by CLOUDFRONT_KEY_ID")),
    }
}

fn check_age(key: &SigningKey, now: u64) -> Check {
    let name = "age";
    let Some(changed_at) = key.changed_at else { return Check::skipped(name, "not known") };
    let days = now.saturating_sub(changed_at) / (24 * 3600);
    let found = format!("{days} days");
    if days > MAX_AGE_DAYS {
        return Check::warning(name, found, "replace it: terraform/replace-cloudfront-keys.sh");
    }
    Check::ok(name, found)
}

/// Signs a link to an object, and follows it.
pub(crate) async fn check_link(
    http: &HttpClient,
    signer: &Signer,
    origin: &str,
    (key, now): (&str, u64),
) -> Check {
    let name = "a signed link";
    let url = format!("{origin}/{}", encode_path(key));
    let signed = match signer.sign_canned_url(&url, now + LINK_LIFE) {
        Ok(signed) => signed,
        Err(error) => return Check::failure(name, error.to_string(), "replace the key"),
    };
    match timeout(TIMEOUT, follow_link(http, &signed)).await {
        Ok(Ok((StatusCode::OK | StatusCode::PARTIAL_CONTENT, _))) => {
            Check::ok(name, "the distribution opens it")
        }
        Ok(Ok((status, body))) => explain_refusal(name, status, &body),
        Ok(Err(why)) => {
            Check::failure(name, why, "is CLOUDFRONT_DISTRIBUTION_DOMAIN that of the distribution?")
        }
        Err(_) => Check::failure(
            name,
            format!("no answer within {} s", TIMEOUT.as_secs()),
            "is the distribution enabled?",
        ),
    }
}

async fn follow_link(http: &HttpClient, url: &str) -> Result<(StatusCode, String), String> {
    let request = Request::get(url).header(header::RANGE, "bytes=0-0").body(Full::default());
    let request = request.map_err(|_| "the link is no URL".to_owned())?;
    // The client's errors name hosts, never paths or queries.
    let answer = http.send(request).await.map_err(|error| aws::error_chain(&error))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
    let body = body.map(Collected::to_bytes).unwrap_or_default();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// What CloudFront's refusals mean; S3's behind it are the same XML, with other codes.
fn explain_refusal(name: &str, status: StatusCode, body: &str) -> Check {
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
            "the distribution does not see the signature: is something before it that drops the query?"
        }
        (403, "AccessDenied") => {
            "the id is known and the signature is not: the private key belongs to another id. Or the bucket's policy \
             keeps the distribution out"
        }
        (403, _) => "the key group, the bucket's policy, or a firewall before the distribution refuses it",
        (404, _) => "the distribution serves another bucket than VIEWER_ASSETS_BUCKET, or another path of it",
        _ => "look at the distribution's origin",
    };
    Check::failure(name, found, advice)
}
