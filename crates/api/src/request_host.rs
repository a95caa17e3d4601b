//! The host that a client sent its request to. A client can write anything there, so only its own response may depend on it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header::HOST, request::Parts, uri::Authority};
use signing::is_host_and_port;

use crate::PathPrefix;

/// The scheme of the client's request, from the gateway or load balancer.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Scheme, host and port of a request.
pub(crate) struct RequestHost {
    authority: Option<Authority>,
    is_https: bool,
}

impl<S: Sync> FromRequestParts<S> for RequestHost {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(&parts.uri, &parts.headers))
    }
}

impl RequestHost {
    pub(crate) fn new(uri: &Uri, headers: &HeaderMap) -> Self {
        // HTTP/2 has the host in the URI (RFC 9113, section 8.3.1).
        let header = || headers.get(HOST)?.to_str().ok()?.parse::<Authority>().ok();
        // A target in absolute form takes precedence, too (RFC 9112, section 3.2.2).
        let authority = uri.authority().cloned().or_else(header);
        Self {
            authority: authority.filter(|authority| is_host_and_port(authority.as_str())),
            is_https: headers.get(FORWARDED_PROTO).is_some_and(is_https),
        }
    }

    /// The host, in lower case and without a port.
    pub(crate) fn name(&self) -> Option<String> {
        self.authority.as_ref().map(|authority| authority.host().to_ascii_lowercase())
    }

    /// The URL of the API's routes, which begin with this path at a server.
    pub(crate) fn api_url(&self, prefix: &PathPrefix) -> Option<String> {
        let authority = self.authority.as_ref()?;
        let scheme = if self.is_https { "https" } else { "http" };
        // Behind a domain of its own the API has the base path `packages`; at the gateway's own address it has none.
        let base_path = if authority.host().contains(".execute-api.") { "" } else { prefix.as_str() };
        Some(format!("{scheme}://{authority}{base_path}"))
    }
}

/// Each proxy may have added its own scheme. The client's is the first.
fn is_https(schemes: &HeaderValue) -> bool {
    let first = schemes.to_str().unwrap_or_default().split(',').next().unwrap_or_default();
    first.trim().eq_ignore_ascii_case("https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_host(host: &'static str, proto: &'static str) -> RequestHost {
        let headers = [(HOST, host), (FORWARDED_PROTO, proto)];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        RequestHost::new(&Uri::from_static("/"), &headers.into_iter().collect())
    }

    #[test]
    fn the_request_tells_where_the_api_is() {
        for (host, proto, url) in [
            ("api2.example.org", "https", "https://api2.example.org/packages"),
            ("api2.example.org", "HTTPS, http", "https://api2.example.org/packages"),
            ("127.0.0.1:8080", "", "http://127.0.0.1:8080/packages"),
            ("[::1]:8080", "http", "http://[::1]:8080/packages"),
            (
                "a1.execute-api.us-east-1.amazonaws.com",
                "https",
                "https://a1.execute-api.us-east-1.amazonaws.com",
            ),
        ] {
            assert_eq!(request_host(host, proto).api_url(&PathPrefix::default()).as_deref(), Some(url));
        }
        for host in [
            "", "a/b", "user@a", "a?b", "a b", "a#b", "a%2f", "a:", ":80", "a:+80", "a:65536", "[a]", "::1",
            "a,b",
        ] {
            assert_eq!(request_host(host, "https").api_url(&PathPrefix::default()), None, "{host}");
        }
        for (prefix, url) in [("/", "http://h:81"), ("/data/v2", "http://h:81/data/v2")] {
            let prefix = PathPrefix::new(prefix).unwrap();
            assert_eq!(request_host("h:81", "").api_url(&prefix).as_deref(), Some(url));
        }
        assert_eq!(request_host("API.example.org:443", "").name().as_deref(), Some("api.example.org"));
        let http2 = RequestHost::new(&Uri::from_static("https://h2.example.org/a"), &HeaderMap::new());
        assert_eq!(http2.name().as_deref(), Some("h2.example.org"));
    }
}
