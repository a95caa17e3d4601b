//! S3 endpoints: AWS's own, or a custom one.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::names::{Bucket, Region};
use crate::percent::{self, EncodeSet};

/// The endpoint of presigned URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Endpoint {
    /// AWS's regional endpoints: `{bucket}.s3.{region}.amazonaws.com`. A bucket with dots in its name is in the path,
    /// because AWS's wildcard certificate covers one label only.
    #[default]
    Aws,
    /// An S3-compatible server, with the bucket in the path.
    Custom(CustomEndpoint),
}

/// Where a URL has the bucket (Amazon S3 User Guide, "Virtual hosting of buckets").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressingStyle {
    /// In the host: `{bucket}.s3.{region}.amazonaws.com`.
    VirtualHosted,
    /// In the path.
    Path,
}

impl Endpoint {
    /// The style that an endpoint has unless something else is said.
    #[must_use]
    pub fn default_style(&self) -> AddressingStyle {
        match self {
            Self::Aws => AddressingStyle::VirtualHosted,
            Self::Custom(_) => AddressingStyle::Path,
        }
    }

    /// The URL of a bucket in this region.
    #[must_use]
    pub fn bucket_url(&self, region: &Region, bucket: &Bucket) -> String {
        let ObjectUrl { scheme, host, path } = ObjectUrl::new(self, self.default_style(), region, bucket, "");
        format!("{scheme}://{host}{path}")
    }

    /// The scheme, and the host without a bucket.
    pub(super) fn scheme_and_host(&self, region: &Region) -> (&'static str, String) {
        match self {
            Self::Aws => ("https", region.service_host("s3")),
            Self::Custom(custom) => (custom.scheme, custom.authority.clone()),
        }
    }
}

/// The base URL of an S3-compatible server, such as `http://127.0.0.1:9000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomEndpoint {
    scheme: &'static str,
    authority: String,
}

impl CustomEndpoint {
    /// Accepts `http://` or `https://`, a lower-case host name, an IPv4 address or an IPv6 address in brackets, an optional
    /// port and an optional final slash. The scheme's default port is removed, because clients leave it out of the `Host`
    /// header, which is signed.
    pub fn parse(base: &str) -> Result<Self, ParseEndpointError> {
        let (scheme, default_port, rest) = match base.split_once("://") {
            Some(("http", rest)) => ("http", "80", rest),
            Some(("https", rest)) => ("https", "443", rest),
            _ => return Err(ParseEndpointError),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, default_port),
        };
        if !(is_host(host) || is_ipv6_host(host)) || !is_port(port) {
            return Err(ParseEndpointError);
        }
        let authority = if port == default_port { host } else { authority };
        Ok(Self { scheme, authority: authority.to_owned() })
    }

    /// Returns the path of `url` if `url` is at exactly this endpoint.
    pub(super) fn strip_prefix<'u>(&self, url: &'u str) -> Option<&'u str> {
        let rest =
            url.strip_prefix(self.scheme)?.strip_prefix("://")?.strip_prefix(self.authority.as_str())?;
        // Without the slash, `:9000` would match `:90001`, and a host `h` would match `h.evil.example`.
        rest.starts_with('/').then_some(rest)
    }
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

/// An address in brackets (RFC 3986, section 3.2.2), as its text has to be in URLs that are compared (RFC 5952).
fn is_ipv6_host(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    address.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == text))
}

fn is_port(port: &str) -> bool {
    // `parse` alone would accept `+80` and `080`.
    port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port)
}

impl fmt::Display for CustomEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl FromStr for CustomEndpoint {
    type Err = ParseEndpointError;

    fn from_str(base: &str) -> Result<Self, Self::Err> {
        Self::parse(base)
    }
}

/// The text is not a valid endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid endpoint: expected a URL such as http://127.0.0.1:9000, without a path")]
pub struct ParseEndpointError;

/// The URL of an object, without the query.
pub(super) struct ObjectUrl {
    pub(super) scheme: &'static str,
    pub(super) host: String,
    pub(super) path: String,
}

impl ObjectUrl {
    /// `style` does not matter for a bucket with dots in its name, which is in the path.
    pub(super) fn new(
        endpoint: &Endpoint,
        style: AddressingStyle,
        region: &Region,
        bucket: &Bucket,
        key: &str,
    ) -> Self {
        let mut path = String::with_capacity(bucket.as_str().len() + key.len() + 16);
        let mut host = String::with_capacity(bucket.as_str().len() + 40);
        path.push('/');
        if style == AddressingStyle::Path || bucket.has_dots() {
            path.extend([bucket.as_str(), "/"]);
        } else {
            host.extend([bucket.as_str(), "."]);
        }
        let scheme = match endpoint {
            Endpoint::Custom(custom) => {
                host.push_str(&custom.authority);
                custom.scheme
            }
            Endpoint::Aws => {
                region.push_service_host(&mut host, "s3");
                "https"
            }
        };
        percent::encode_into(&mut path, key, EncodeSet::Path);
        Self { scheme, host, path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::Presigner;

    fn object_url(endpoint: &Endpoint, region: &str, bucket: &str) -> String {
        object_url_in(endpoint, endpoint.default_style(), region, bucket)
    }

    fn object_url_in(endpoint: &Endpoint, style: AddressingStyle, region: &str, bucket: &str) -> String {
        let (region, bucket) = (region.parse().unwrap(), bucket.parse().unwrap());
        let url = ObjectUrl::new(endpoint, style, &region, &bucket, "a b/c");
        format!("{}://{}{}", url.scheme, url.host, url.path)
    }

    #[test]
    fn builds_object_urls() {
        let custom = Endpoint::Custom("http://127.0.0.1:9000/".parse().unwrap());
        let ipv6 = Endpoint::Custom("http://[::1]:9000".parse().unwrap());
        for (endpoint, region, bucket, url) in [
            (&Endpoint::Aws, "eu-west-1", "good", "https://good.s3.eu-west-1.amazonaws.com/a%20b/c"),
            (&Endpoint::Aws, "eu-west-1", "my.good", "https://s3.eu-west-1.amazonaws.com/my.good/a%20b/c"),
            (&Endpoint::Aws, "us-gov-west-1", "good", "https://good.s3.us-gov-west-1.amazonaws.com/a%20b/c"),
            (&Endpoint::Aws, "cn-north-1", "good", "https://good.s3.cn-north-1.amazonaws.com.cn/a%20b/c"),
            (
                &Endpoint::Aws,
                "cn-north-1",
                "my.good",
                "https://s3.cn-north-1.amazonaws.com.cn/my.good/a%20b/c",
            ),
            (&custom, "us-east-1", "good", "http://127.0.0.1:9000/good/a%20b/c"),
            (&ipv6, "us-east-1", "good", "http://[::1]:9000/good/a%20b/c"),
        ] {
            assert_eq!(object_url(endpoint, region, bucket), url);
        }
    }

    #[test]
    fn builds_bucket_urls() {
        let region = Region::new("eu-west-1").unwrap();
        for (bucket, url) in [
            ("good", "https://good.s3.eu-west-1.amazonaws.com/"),
            ("my.good", "https://s3.eu-west-1.amazonaws.com/my.good/"),
        ] {
            assert_eq!(Endpoint::Aws.bucket_url(&region, &bucket.parse().unwrap()), url);
        }
    }

    #[test]
    fn a_pattern_stands_for_the_urls_of_all_buckets() {
        let region = Region::new("eu-west-1").unwrap();
        let custom = Endpoint::Custom("http://127.0.0.1:9000/".parse().unwrap());
        for (presigner, patterns) in [
            (
                Presigner::new(Endpoint::Aws),
                &["https://*.s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com"][..],
            ),
            (
                Presigner::new(Endpoint::Aws).with_style(AddressingStyle::Path),
                &["https://s3.eu-west-1.amazonaws.com"],
            ),
            (Presigner::new(custom), &["http://127.0.0.1:9000"]),
        ] {
            assert_eq!(presigner.bucket_url_patterns(&region), patterns);
        }
        let in_path = Presigner::new(Endpoint::Aws).with_style(AddressingStyle::Path);
        let url = in_path.bucket_url(&region, &"good".parse().unwrap());
        assert_eq!(url, "https://s3.eu-west-1.amazonaws.com/good/");
    }

    #[test]
    fn either_endpoint_can_have_either_style() {
        let custom = Endpoint::Custom("http://127.0.0.1:9000/".parse().unwrap());
        let (host, path) = (AddressingStyle::VirtualHosted, AddressingStyle::Path);
        for (endpoint, style, bucket, url) in [
            (&Endpoint::Aws, path, "good", "https://s3.eu-west-1.amazonaws.com/good/a%20b/c"),
            (&custom, host, "good", "http://good.127.0.0.1:9000/a%20b/c"),
            (&custom, host, "my.good", "http://127.0.0.1:9000/my.good/a%20b/c"),
        ] {
            assert_eq!(object_url_in(endpoint, style, "eu-west-1", bucket), url);
        }
    }

    #[test]
    fn parses_endpoints() {
        for (base, shown) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("https://s3.example.com/", "https://s3.example.com"),
            ("http://minio:80", "http://minio"),
            ("https://minio:443", "https://minio"),
            ("https://minio:80", "https://minio:80"),
            ("http://[::1]:9000/", "http://[::1]:9000"),
            ("https://[fd00::7]:443", "https://[fd00::7]"),
        ] {
            assert_eq!(CustomEndpoint::parse(base).unwrap().to_string(), shown);
        }
        for base in [
            "",
            "minio",
            "ftp://minio",
            "http://",
            "http://h/p",
            "http://h//",
            "http://u@h",
            "http://h:",
            "http://h:0",
            "http://h:65536",
            "http://h:+80",
            "http://h:080",
            "http://h?q",
            "http://H",
            "http://h..h",
            "http://h#f",
            "http://::1",
            "http://[::1",
            "http://[::1]x:80",
            "http://[::1]:",
            "http://[::1%251]",
            "http://[0:0::1]",
            "http://[::FF]",
            "http://[h]",
            "http://h h",
        ] {
            assert_eq!(CustomEndpoint::parse(base), Err(ParseEndpointError), "{base}");
        }
    }

    #[test]
    fn strips_exactly_the_endpoint() {
        let endpoint = CustomEndpoint::parse("http://127.0.0.1:9000").unwrap();
        assert_eq!(endpoint.strip_prefix("http://127.0.0.1:9000/b/k?q"), Some("/b/k?q"));
        for url in [
            "http://127.0.0.1:9000",
            "http://127.0.0.1:90001/",
            "http://127.0.0.1:9000@evil.example/",
            "https://127.0.0.1:9000/",
            "http://127.0.0.1/",
            "http://127.0.0.1:9000.evil.example/",
        ] {
            assert_eq!(endpoint.strip_prefix(url), None, "{url}");
        }
    }
}
