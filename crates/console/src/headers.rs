//! Headers that tell a browser what the app may do.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};

/// Everything that the app does not need. It copies texts to the clipboard and shows pictures in full screen. Only features that Chromium
/// knows: it warns of each other one, and a page has them only if a person allows it (`bluetooth`) or asks for it (`web-share`).
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), \
                           encrypted-media=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), \
                           local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), \
                           publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), \
                           xr-spatial-tracking=(), clipboard-write=(self), fullscreen=(self)";

/// The headers of all of the app's responses.
#[derive(Debug, Clone)]
pub struct SecurityHeaders {
    content_policy: HeaderValue,
}

/// A source is not one that a policy can have: it would end the directive, or the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a source of the Content-Security-Policy has a character that it may not have")]
pub struct InvalidSource;

impl SecurityHeaders {
    /// `data_sources` are where the files are that the app shows, and `login_sources` what it calls to log a person in: origins
    /// or URL prefixes, as Content Security Policy Level 3 has them ("Source Lists").
    pub fn new<S: AsRef<str>>(data_sources: &[S], login_sources: &[S]) -> Result<Self, InvalidSource> {
        let data = join_sources(data_sources)?;
        let connect = format!("{data}{}", join_sources(login_sources)?);
        // No script, style or worker but the app's own files: none in a page, none evaluated, and no WebAssembly.
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; worker-src 'self'; \
             img-src 'self' blob: data:{data}; media-src 'self' blob:{data}; connect-src 'self'{connect}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Ok(Self { content_policy: HeaderValue::try_from(policy).map_err(|_| InvalidSource)? })
    }

    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_SECURITY_POLICY, self.content_policy.clone());
        for (name, value) in [
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// The sources, each with a space before it.
fn join_sources<S: AsRef<str>>(sources: &[S]) -> Result<String, InvalidSource> {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b";,'\"".contains(&byte);
    let sources = sources.iter().map(AsRef::as_ref);
    if !sources.clone().all(|source| !source.is_empty() && source.bytes().all(is_allowed)) {
        return Err(InvalidSource);
    }
    Ok(sources.flat_map(|source| [" ", source]).collect())
}
