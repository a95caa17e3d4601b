//! The host that a request is for.

use http::{Request, header::HOST};
use signing::is_host_and_port;

/// Host and port of a request. `None` if the request is to be refused with 400: it has no `Host`, two, or one that is not
/// `host` or `host:port` (RFC 9112, section 3.2).
pub(crate) fn request_authority<B>(request: &Request<B>) -> Option<&str> {
    let mut hosts = request.headers().get_all(HOST).into_iter();
    let (host, None) = (hosts.next()?.to_str().ok()?, hosts.next()) else { return None };
    if !is_host_and_port(host) {
        return None;
    }
    // RFC 9112, section 3.2.2: a target in absolute form replaces `Host`.
    match (request.uri().scheme_str(), request.uri().authority()) {
        (None, _) => Some(host),
        (Some("http"), Some(authority)) => Some(authority.as_str()).filter(|text| is_host_and_port(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(target: &str, hosts: &[&str]) -> Option<String> {
        let request = hosts.iter().fold(Request::get(target), |request, host| request.header(HOST, *host));
        request_authority(&request.body(()).unwrap()).map(str::to_owned)
    }

    #[test]
    fn a_request_has_one_host_and_nothing_else() {
        for host in ["127.0.0.1:4567", "localhost", "[::1]:80", "a-b_c.example"] {
            assert_eq!(authority("/a", &[host]).as_deref(), Some(host));
        }
        for host in [
            "",
            "edge/O1/D1/P5",
            "a:b",
            "a:",
            ":80",
            "u@a",
            "a?b",
            "a#b",
            "a b",
            "a%2f",
            "a\\b",
            "::1",
            "[a]",
            "a:65536",
        ] {
            assert_eq!(authority("/a", &[host]), None, "{host}");
        }
        assert_eq!(authority("/a", &[]), None);
        assert_eq!(authority("/a", &["edge", "edge"]), None);
    }

    #[test]
    fn a_target_in_absolute_form_names_the_host() {
        assert_eq!(authority("http://edge:80/a", &["other"]).as_deref(), Some("edge:80"));
        for (target, hosts) in [
            ("http://edge/a", &[][..]),
            ("http://edge/a", &["x/y"]),
            ("http://u@edge/a", &["edge"]),
            ("https://edge/a", &["edge"]),
        ] {
            assert_eq!(authority(target, hosts), None, "{target}");
        }
    }
}
