//! Signature Version 4 for one request with any host and encoded path.
//!
//! [`Presigner::presign`](super::Presigner::presign) chooses the host itself. This module is for other forms of host, and
//! shows the canonical request if a signature does not match.

use super::credentials::Credentials;
use super::date::AmzDate;
use super::names::Region;
use super::presign::PresignError;
use crate::percent;

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The methods that read an object. A signature is valid for one of them: a link for `GET` fails for `HEAD`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`.
    #[default]
    Get,
    /// `HEAD`.
    Head,
}

impl Method {
    /// The method as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

/// A request to sign. The payload is not signed, and `host` is the only signed header.
#[derive(Clone, Copy, Debug)]
pub struct SignableRequest<'a> {
    /// The method.
    pub method: Method,
    /// The `Host` header: a name, and a port unless it is the scheme's default.
    pub host: &'a str,
    /// The path, percent-encoded as S3 requires: once, with upper-case digits, everything but `A-Za-z0-9-_.~/`.
    pub path: &'a str,
    /// The bucket's region.
    pub region: &'a Region,
    /// Further query parameters, such as `versionId`, not encoded. Names that begin with `X-Amz-` are rejected.
    pub query: &'a [(&'a str, &'a str)],
    /// The lifetime of the link in seconds, 1 to 604,800.
    pub expires_in: u32,
}

/// The canonical form of a request, which is hashed.
#[derive(Clone, Debug)]
pub(super) struct CanonicalRequest {
    text: String,
    query: std::ops::Range<usize>,
}

impl CanonicalRequest {
    pub(super) fn new(
        request: &SignableRequest<'_>,
        credentials: &Credentials,
        date: &AmzDate,
    ) -> Result<Self, PresignError> {
        let token_len = credentials.encoded_token().map_or(0, str::len);
        let mut text = String::with_capacity(512 + request.path.len() + token_len);
        text.extend([request.method.as_str(), "\n", request.path, "\n"]);
        let start = text.len();
        push_query(&mut text, request, credentials, date)?;
        let query = start..text.len();
        // The payload of a presigned request is unknown when it is signed.
        text.extend(["\nhost:", request.host, "\n\nhost\nUNSIGNED-PAYLOAD"]);
        Ok(Self { text, query })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The query, all but the signature, in canonical order.
    pub(super) fn query(&self) -> &str {
        self.text.get(self.query.clone()).unwrap_or_default()
    }
}

/// Appends all parameters, sorted by their encoded names. Those of the signature are one block, because no other name
/// may begin with `X-Amz-`.
fn push_query(
    out: &mut String,
    request: &SignableRequest<'_>,
    credentials: &Credentials,
    date: &AmzDate,
) -> Result<(), PresignError> {
    if request.query.iter().any(|(name, _)| name.starts_with("X-Amz-")) {
        return Err(PresignError::ReservedParameter);
    }
    // S3 sorts the encoded names: `%` comes before every letter.
    let mut others: Vec<(String, String)> =
        request.query.iter().map(|(name, value)| (percent::encode(name), percent::encode(value))).collect();
    others.sort_unstable();
    let (before, after) = others.split_at(others.partition_point(|(name, _)| name.as_str() < "X-Amz-"));
    for (name, value) in before {
        out.extend([name, "=", value, "&"]);
    }
    push_signature_parameters(out, request, credentials, date);
    for (name, value) in after {
        out.extend(["&", name, "=", value]);
    }
    Ok(())
}

fn push_signature_parameters(
    out: &mut String,
    request: &SignableRequest<'_>,
    credentials: &Credentials,
    date: &AmzDate,
) {
    out.extend(["X-Amz-Algorithm=", ALGORITHM, "&X-Amz-Credential="]);
    percent::encode_into(out, credentials.access_key_id(), percent::EncodeSet::Component);
    out.extend(["%2F", date.day(), "%2F", request.region.as_str(), "%2Fs3%2Faws4_request"]);
    out.extend(["&X-Amz-Date=", date.as_str(), "&X-Amz-Expires=", &request.expires_in.to_string()]);
    if let Some(token) = credentials.encoded_token() {
        out.extend(["&X-Amz-Security-Token=", token]);
    }
    out.push_str("&X-Amz-SignedHeaders=host");
}

/// A signed request.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    pub(super) canonical: CanonicalRequest,
    pub(super) signature: [u8; 64],
}

impl SignedRequest {
    /// The canonical request, whose hash is signed. S3 shows its own in a `SignatureDoesNotMatch` error.
    #[must_use]
    pub fn canonical_request(&self) -> &str {
        self.canonical.text()
    }

    /// The signature: 64 lower-case hex digits.
    #[must_use]
    pub fn signature(&self) -> &str {
        str::from_utf8(&self.signature).unwrap_or_default()
    }

    /// The presigned URL. `request` must be the one that was signed, and `scheme` is for example `https`.
    #[must_use]
    pub fn to_url(&self, scheme: &str, request: &SignableRequest<'_>) -> String {
        let (host, path, query) = (request.host, request.path, self.canonical.query());
        let mut url = String::with_capacity(scheme.len() + host.len() + path.len() + query.len() + 96);
        url.extend([scheme, "://", host, path, "?", query, "&X-Amz-Signature=", self.signature()]);
        url
    }
}
