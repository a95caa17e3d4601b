//! What S3 checks of a signed request and the protocol crate does not.
//!
//! AWS, *Authenticating Requests (AWS Signature Version 4)*. The signature itself, its expiry and the clock's skew are
//! the protocol crate's to check, after this.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderMap, Method, Uri, header};
use s3s::{S3Error, S3Result, s3_error};

use super::Credentials;
use super::server::REGION;

/// AWS, *Authenticating Requests: Using Query Parameters*: at most seven days, in seconds.
const LONGEST_EXPIRY: u32 = 604_800;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Whom and what a signature may name.
#[derive(Debug)]
pub(super) struct Gate {
    /// The session token of each access key, if it has one.
    tokens: BTreeMap<String, Option<String>>,
}

/// Where the signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Query,
    Header,
}

/// The parts of a signature that say what it is good for.
#[derive(Debug)]
struct Signature<'a> {
    place: Place,
    credential: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    token: Option<Cow<'a, str>>,
}

impl Gate {
    pub(super) fn new(credentials: &[Credentials]) -> Self {
        let token = |one: &Credentials| (one.access_key.clone(), one.session_token.clone());
        Self { tokens: credentials.iter().map(token).collect() }
    }

    /// Returns the names of the signed headers, separated by semicolons.
    pub(super) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> S3Result<String> {
        if method == Method::POST && text(headers, header::CONTENT_TYPE).starts_with("multipart/form-data") {
            return Err(s3_error!(NotImplemented, "Uploads by HTML forms are not implemented"));
        }
        let signature = Signature::find(uri, headers)?;
        self.check_scope(&signature)?;
        signature.check_headers(headers)?;
        Ok(signature.signed_headers.into_owned())
    }

    fn check_scope(&self, signature: &Signature<'_>) -> S3Result<()> {
        let parts: Vec<_> = signature.credential.split('/').collect();
        let [access_key, _, region, "s3", "aws4_request"] = parts.as_slice() else {
            return Err(signature.malformed(
                "the Credential is mal-formed; expecting \"<KEY>/YYYYMMDD/REGION/s3/aws4_request\".",
            ));
        };
        if *region != REGION {
            return Err(signature.malformed("the region in the Credential is wrong"));
        }
        let Some(token) = self.tokens.get(*access_key) else {
            return Err(unknown_key());
        };
        if token.as_deref() != signature.token.as_deref() {
            return Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."));
        }
        Ok(())
    }
}

pub(super) fn unknown_key() -> S3Error {
    s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
}

impl<'a> Signature<'a> {
    fn find(uri: &'a Uri, headers: &'a HeaderMap) -> S3Result<Self> {
        let query: Vec<_> = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).collect();
        let in_query = query.iter().any(|(name, _)| name == "X-Amz-Signature" || name == "X-Amz-Algorithm");
        match (in_query, headers.contains_key(header::AUTHORIZATION)) {
            (true, true) => Err(s3_error!(InvalidArgument, "Only one auth mechanism allowed")),
            (true, false) => Self::from_query(query),
            (false, true) => Self::from_header(headers),
            (false, false) if query.iter().any(|(name, _)| name == "AWSAccessKeyId") => Err(not_supported()),
            (false, false) => Err(s3_error!(AccessDenied, "Access Denied")),
        }
    }

    fn from_query(query: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> S3Result<Self> {
        let mut found: BTreeMap<_, _> = query.into_iter().collect();
        let mut take = |name: &str| found.remove(name);
        let (algorithm, date, signature) =
            (take("X-Amz-Algorithm"), take("X-Amz-Date"), take("X-Amz-Signature"));
        let fields = (take("X-Amz-Credential"), take("X-Amz-SignedHeaders"), take("X-Amz-Expires"));
        let (Some(credential), Some(signed_headers), Some(expires)) = fields else {
            return Err(incomplete());
        };
        if algorithm.as_deref() != Some(ALGORITHM) || date.is_none() || signature.is_none() {
            return Err(incomplete());
        }
        match expires.parse::<u32>() {
            Ok(1..=LONGEST_EXPIRY) => {}
            Ok(0) => return Err(bad_query("X-Amz-Expires must be positive")),
            Ok(_) => {
                return Err(bad_query("X-Amz-Expires must be less than a week (in seconds) that is 604800"));
            }
            Err(_) => return Err(bad_query("X-Amz-Expires should be a number")),
        }
        Ok(Self { place: Place::Query, credential, signed_headers, token: take("X-Amz-Security-Token") })
    }

    fn from_header(headers: &'a HeaderMap) -> S3Result<Self> {
        let value = text(headers, header::AUTHORIZATION);
        let Some(fields) = value.strip_prefix(ALGORITHM) else { return Err(not_supported()) };
        let field = |name: &str| {
            let mut values = fields.split(',').filter_map(|field| field.trim().split_once('='));
            values.find(|(found, _)| *found == name).map(|(_, value)| Cow::Borrowed(value))
        };
        let (Some(credential), Some(signed_headers)) = (field("Credential"), field("SignedHeaders")) else {
            return Err(s3_error!(
                AuthorizationHeaderMalformed,
                "The authorization header that you provided is not valid."
            ));
        };
        let token =
            headers.get("x-amz-security-token").and_then(|value| value.to_str().ok()).map(Cow::Borrowed);
        Ok(Self { place: Place::Header, credential, signed_headers, token })
    }

    /// A header that changes the meaning of a request must be signed, and a signed header must be there.
    fn check_headers(&self, headers: &HeaderMap) -> S3Result<()> {
        let signed = |name: &str| self.signed_headers.split(';').any(|signed| signed == name);
        let must = |name: &str| name == "host" || name.starts_with("x-amz-");
        if !signed("host") || headers.keys().any(|name| must(name.as_str()) && !signed(name.as_str())) {
            return Err(s3_error!(
                AccessDenied,
                "There were headers present in the request which were not signed"
            ));
        }
        if !self.signed_headers.split(';').all(|name| headers.contains_key(name)) {
            return Err(s3_error!(SignatureDoesNotMatch, "A signed header is missing from the request"));
        }
        Ok(())
    }

    fn malformed(&self, why: &str) -> S3Error {
        match self.place {
            Place::Query => bad_query(&format!("Error parsing the X-Amz-Credential parameter; {why}")),
            Place::Header => {
                s3_error!(AuthorizationHeaderMalformed, "The authorization header is malformed; {why}")
            }
        }
    }
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn bad_query(why: &str) -> S3Error {
    s3_error!(AuthorizationQueryParametersError, "{why}")
}

fn incomplete() -> S3Error {
    bad_query(
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
         X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    )
}

fn not_supported() -> S3Error {
    s3_error!(
        InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    )
}
