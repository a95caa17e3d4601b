//! How values are parsed. `None`: the value is invalid.

#![expect(clippy::unnecessary_wraps, reason = "all parsers have one signature")]

use std::{
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use api::PathPrefix;
use authorize::{CallbackFunctions, FunctionArn, is_client_id, is_pool_id};
use http::Uri;
use packages::link_period::LinkWindow;
use signing::{
    cloudfront::{HashAlgorithm, KeyPairId, PublicKey, decode_pem_parameter},
    is_host_and_port,
    s3::{Bucket, CustomEndpoint, Region},
};
use zeroize::Zeroizing;

/// The most connections of clients: far more than a process has files, and few enough for a semaphore.
const MAX_CONNECTIONS: usize = 1_000_000;

/// The largest `max_connections` of Postgres.
const MAX_POSTGRES_CONNECTIONS: usize = 262_143;

pub(super) fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub(super) fn secret(text: &str) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(text.to_owned()))
}

/// A secret that nobody guesses, and that fits a header: 32 characters are 128 bits as hexadecimal digits.
pub(super) fn operator_token(text: &str) -> Option<Zeroizing<String>> {
    let is_valid = (32..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_valid.then(|| Zeroizing::new(text.to_owned()))
}

pub(super) fn path(text: &str) -> Option<PathBuf> {
    Some(text.into())
}

/// A name, or nothing if the operator wrote `none`.
#[expect(clippy::option_option, reason = "the outer one says whether the value is valid")]
pub(super) fn text_or_none(text: &str) -> Option<Option<String>> {
    Some(Some(text.to_owned()).filter(|text| text != "none"))
}

pub(super) fn region(name: &str) -> Option<Region> {
    Region::new(name).ok()
}

pub(super) fn bucket(name: &str) -> Option<Bucket> {
    Bucket::new(name).ok()
}

/// Names separated by commas.
pub(super) fn buckets(list: &str) -> Option<Vec<Bucket>> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(bucket).collect()
}

/// A number of digits only. `str::parse` would accept `+5`.
fn parse_digits<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

pub(super) fn link_window(seconds: &str) -> Option<LinkWindow> {
    LinkWindow::new(parse_digits(seconds)?)
}

/// `https://` and the domain. A scheme is allowed, for a stand-in of CloudFront without TLS.
pub(super) fn origin(domain: &str) -> Option<String> {
    let (scheme, host) = domain.split_once("://").unwrap_or(("https", domain));
    let host = host.trim_end_matches('/');
    let is_valid = matches!(scheme, "http" | "https") && is_host_and_port(host);
    is_valid.then(|| format!("{scheme}://{host}"))
}

pub(super) fn key_pair_id(id: &str) -> Option<KeyPairId> {
    KeyPairId::new(id).ok()
}

/// PEM, or a PEM file in base64.
pub(super) fn public_key(text: &str) -> Option<PublicKey> {
    PublicKey::from_pem(&decode_pem_parameter(text).ok()?).ok()
}

pub(super) fn hash(name: &str) -> Option<HashAlgorithm> {
    match name {
        "SHA256" => Some(HashAlgorithm::Sha256),
        "SHA1" => Some(HashAlgorithm::Sha1),
        _ => None,
    }
}

/// Whether to use TLS. The modes are libpq's (PostgreSQL documentation, "SSL Support"); we always verify certificates.
pub(super) fn ssl_mode(mode: &str) -> Option<bool> {
    match mode {
        "disable" => Some(false),
        "require" | "verify-ca" | "verify-full" => Some(true),
        _ => None,
    }
}

pub(super) fn on_or_off(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// A number of hours, from one to a year.
pub(super) fn hours(number: &str) -> Option<Duration> {
    let hours: u64 = parse_digits(number)?;
    (1..=366 * 24).contains(&hours).then(|| Duration::from_hours(hours))
}

/// A number of seconds, from one to an hour.
pub(super) fn seconds(number: &str) -> Option<Duration> {
    let seconds: u64 = parse_digits(number)?;
    (1..=3600).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// A number of connections that a system can have: not so many that counting them fails.
pub(super) fn connections(number: &str) -> Option<NonZeroUsize> {
    parse_digits(number).filter(|number: &NonZeroUsize| number.get() <= MAX_CONNECTIONS)
}

/// A number of connections to Postgres, up to the most that it can be configured for (PostgreSQL documentation,
/// `max_connections`).
pub(super) fn postgres_connections(number: &str) -> Option<usize> {
    parse_digits(number).filter(|number| (1..=MAX_POSTGRES_CONNECTIONS).contains(number))
}

pub(super) fn path_prefix(path: &str) -> Option<PathPrefix> {
    PathPrefix::new(path)
}

pub(super) fn port(number: &str) -> Option<u16> {
    parse_digits(number)
}

pub(super) fn socket_address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

pub(super) fn host(name: &str) -> Option<String> {
    is_host(name).then(|| name.to_owned())
}

/// A host name or address, with or without a port. An IPv6 address is in brackets.
pub(super) fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(parse_digits(port)?)),
        _ => (text, None),
    };
    Some((ipv6_host(name).or_else(|| host(name))?, port))
}

/// The host of a database, as libpq reads it: a name, an address, or the directory of a socket. Brackets around an IPv6
/// address, as in URLs, are removed.
pub(super) fn database_host(text: &str) -> Option<String> {
    ipv6_host(text).or_else(|| Some(text.to_owned()))
}

/// The address in `[::1]`.
fn ipv6_host(text: &str) -> Option<String> {
    let address: Ipv6Addr = text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    Some(address.to_string())
}

fn is_host(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

pub(super) fn pool_id(id: &str) -> Option<String> {
    is_pool_id(id).then(|| id.to_owned())
}

pub(super) fn client_id(id: &str) -> Option<String> {
    is_client_id(id).then(|| id.to_owned())
}

pub(super) fn function_arn(arn: &str) -> Option<FunctionArn> {
    FunctionArn::parse(arn)
}

/// `service=ARN`, separated by commas. Each service has one function.
pub(super) fn callback_functions(list: &str) -> Option<CallbackFunctions> {
    let mut functions = CallbackFunctions::new();
    for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (service, arn) = entry.split_once('=')?;
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if service.is_empty() || !service.bytes().all(is_name) {
            return None;
        }
        if functions.insert(service.to_owned(), FunctionArn::parse(arn)?).is_some() {
            return None;
        }
    }
    Some(functions)
}

/// The longest time is the gateway's default for its own cache.
pub(super) fn cache_seconds(seconds: &str) -> Option<Duration> {
    let seconds: u64 = parse_digits(seconds)?;
    (seconds <= 300).then(|| Duration::from_secs(seconds))
}

/// The formats of the X-Ray SDKs: `127.0.0.1:2000`, or `tcp:127.0.0.1:2000 udp:127.0.0.1:2000`.
pub(super) fn xray_address(text: &str) -> Option<String> {
    let udp = text.split(' ').find_map(|part| part.strip_prefix("udp:")).unwrap_or(text);
    let (host, port) = udp.rsplit_once(':')?;
    (!host.is_empty() && parse_digits::<u16>(port).is_some()).then(|| udp.to_owned())
}

pub(super) fn base_url(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let is_valid = matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
    is_valid.then(|| url.trim_end_matches('/').to_owned())
}

pub(super) fn s3_endpoint(url: &str) -> Option<CustomEndpoint> {
    CustomEndpoint::parse(url).ok()
}
