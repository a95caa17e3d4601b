//! Host and port, as in a URL and in the `Host` header, which signatures cover.

use std::net::Ipv6Addr;

/// Whether a text is `host` or `host:port`: a name, an IPv4 address, or an IPv6 address in brackets. Of the names that RFC 3986
/// allows, only those that DNS and container networks have. Anything else could carry a part of a path into a URL that is made
/// of it.
#[must_use]
pub fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = !host.is_empty() && host.bytes().all(is_name_byte);
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_address = bracketed.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    // `parse` alone would accept a plus sign.
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (is_name || is_address) && port.is_none_or(is_port)
}
