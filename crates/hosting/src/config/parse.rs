//! What single variables may hold.

use std::time::Duration;

use http::Uri;
use signing::{
    cloudfront::{HashAlgorithm, PublicKey, decode_pem_parameter},
    s3::Bucket,
};

pub(super) fn buckets(list: &str) -> Option<Vec<Bucket>> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| Bucket::new(name).ok())
        .collect()
}

/// `https://` and the domain; a scheme may be given, for a stand-in of CloudFront without TLS.
pub(super) fn origin(domain: &str) -> Option<String> {
    let (scheme, host) = domain.split_once("://").unwrap_or(("https", domain));
    let host = host.trim_end_matches('/');
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    let fits = matches!(scheme, "http" | "https") && is_host(name) && port.parse::<u16>().is_ok();
    fits.then(|| format!("{scheme}://{host}"))
}

pub(super) fn hash(name: &str) -> Option<HashAlgorithm> {
    match name {
        "SHA256" => Some(HashAlgorithm::Sha256),
        "SHA1" => Some(HashAlgorithm::Sha1),
        _ => None,
    }
}

/// PEM, or a PEM file in base64.
pub(super) fn public_key(text: &str) -> Option<PublicKey> {
    PublicKey::from_pem(&decode_pem_parameter(text).ok()?).ok()
}

pub(super) fn ssl_mode(mode: &str) -> Option<bool> {
    match mode {
        "disable" => Some(false),
        "require" | "verify-ca" | "verify-full" => Some(true),
        _ => None,
    }
}

/// A number of hours, at least one and at most a year.
pub(super) fn hours(number: &str) -> Option<Duration> {
    let hours: u64 = number.parse().ok()?;
    (1..=366 * 24).contains(&hours).then(|| Duration::from_hours(hours))
}

pub(super) fn positive(number: &str) -> Option<usize> {
    number.parse().ok().filter(|number| *number > 0)
}

/// A host name, with or without a port.
pub(super) fn address(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (text, None),
    };
    is_host(host).then(|| (host.to_owned(), port))
}

pub(super) fn is_host(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

/// An address as the X-Ray SDKs take it: `127.0.0.1:2000`, or `tcp:127.0.0.1:2000 udp:127.0.0.1:2000`.
pub(super) fn daemon(text: &str) -> Option<String> {
    let udp = text.split(' ').find_map(|part| part.strip_prefix("udp:")).unwrap_or(text);
    let (host, port) = udp.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| udp.to_owned())
}

pub(super) fn base_url(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let fits = matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
    fits.then(|| url.trim_end_matches('/').to_owned())
}
