//! Setting the cookies of a link to a directory (RFC 6265, section 4.1).

use http::{HeaderValue, uri::Uri};

use super::response::DirectoryLinkResponse;
use crate::{App, Problem, request_host::RequestHost};

/// The longest attribute of a cookie that browsers accept (RFC 6265bis, section 5.6). They drop a longer one, and a cookie
/// without its `Path` would not reach the CDN.
const MAX_ATTRIBUTE_BYTES: usize = 1024;

/// Where the browser sends the cookies.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CookieScope {
    /// To the host of the request only, which is the CDN's: no `Domain`.
    Host,
    /// To all hosts of this domain, which has the service and the CDN.
    Domain(String),
}

impl CookieScope {
    /// A host can set cookies for itself and for a domain that it belongs to (RFC 6265, section 5.3, step 6). It can reach
    /// the CDN if that is the same host, or if the platform's domain has both.
    pub(super) fn find(app: &App, host: &RequestHost) -> Result<Self, Problem> {
        let domain = app.realm.domain().to_ascii_lowercase();
        let in_domain = |host: &str| {
            host.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        match (host.name().as_deref(), app.cdn.host().as_deref()) {
            (Some(host), Some(cdn)) if host == cdn => Ok(Self::Host),
            (Some(host), Some(cdn)) if in_domain(host) && in_domain(cdn) => Ok(Self::Domain(domain)),
            _ => Err(Problem::invalid(
                "cookies for the CDN cannot be set from here: it does not share this service's domain; append 'query' to \
                 URLs, or send the pairs in 'cookies' yourself",
            )),
        }
    }

    /// The `Set-Cookie` headers of a link. They live as long as the link, and go to what it opens. `now` is in seconds
    /// since the Unix epoch.
    pub(super) fn format_cookies(
        &self,
        link: &DirectoryLinkResponse,
        now: u64,
    ) -> Result<Vec<HeaderValue>, Problem> {
        let path = resource_path(&link.resource).filter(|path| path.len() <= MAX_ATTRIBUTE_BYTES);
        let path = path.ok_or_else(|| {
            Problem::invalid("the path is too long for a cookie: percent-encoded, it must fit in 1,024 bytes")
        })?;
        let domain = match self {
            Self::Host => String::new(),
            Self::Domain(domain) => format!("; Domain={domain}"),
        };
        let max_age = link.expires_at.saturating_sub(now);
        // `SameSite=None`: pages of other sites show what lies at the CDN.
        let attributes = format!("; Path={path}{domain}; Max-Age={max_age}; Secure; HttpOnly; SameSite=None");
        let cookies = link.cookies.iter().map(|(name, value)| format!("{name}={value}{attributes}"));
        cookies.map(|cookie| parse_header(&cookie)).collect()
    }
}

/// The path of a resource, without its star: `/O1/D2/P3/image.ome.zarr/`.
fn resource_path(resource: &str) -> Option<String> {
    let url: Uri = resource.strip_suffix('*')?.parse().ok()?;
    Some(url.path().to_owned())
}

fn parse_header(cookie: &str) -> Result<HeaderValue, Problem> {
    let mut value = HeaderValue::from_str(cookie).map_err(|error| Problem::internal(error.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}
