//! The checks of a signed request that S3 makes and the protocol crate does not.
//!
//! AWS, *Authenticating Requests (AWS Signature Version 4)*. The protocol crate then verifies the signature itself, its
//! expiry and the clock skew.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderMap, Method, Uri, header};
use s3s::{S3Error, S3Result, s3_error};

use super::Credentials;
use super::server::REGION;

/// AWS, *Authenticating Requests: Using Query Parameters*: seven days at most.
const MAX_EXPIRY_SECONDS: u32 = 604_800;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Validates the scope of signatures.
#[derive(Debug)]
pub(super) struct SignatureValidator {
    /// The session token of each access key, if the key has one.
    session_tokens: BTreeMap<String, Option<String>>,
}

/// Where a request carries its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignatureLocation {
    Query,
    Header,
}

/// The parts of a signature that limit its scope.
#[derive(Debug)]
struct Signature<'a> {
    location: SignatureLocation,
    credential: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    session_token: Option<Cow<'a, str>>,
}

impl SignatureValidator {
    pub(super) fn new(credentials: &[Credentials]) -> Self {
        let entry = |one: &Credentials| (one.access_key.clone(), one.session_token.clone());
        Self { session_tokens: credentials.iter().map(entry).collect() }
    }

    /// Returns the names of the signed headers, separated by semicolons.
    pub(super) fn validate(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> S3Result<String> {
        // The signature of a form is in its body, so the checks below would not see it.
        let content_type = header_text(headers, header::CONTENT_TYPE);
        if method == Method::POST && content_type.starts_with("multipart/form-data") {
            return Err(s3_error!(NotImplemented, "Uploads by HTML forms are not implemented"));
        }
        let signature = Signature::from_request(uri, headers)?;
        self.validate_credential(&signature)?;
        signature.validate_signed_headers(headers)?;
        Ok(signature.signed_headers.into_owned())
    }

    fn validate_credential(&self, signature: &Signature<'_>) -> S3Result<()> {
        let parts: Vec<_> = signature.credential.split('/').collect();
        let [access_key, _, region, "s3", "aws4_request"] = parts.as_slice() else {
            return Err(signature.credential_error(
                "the Credential is mal-formed; expecting \"<KEY>/YYYYMMDD/REGION/s3/aws4_request\".",
            ));
        };
        // A client with the wrong region would work here and fail in production.
        if *region != REGION {
            return Err(
                signature.credential_error(&format!("the region '{region}' is wrong; expecting '{REGION}'"))
            );
        }
        let Some(token) = self.session_tokens.get(*access_key) else {
            return Err(unknown_access_key());
        };
        // Temporary credentials are valid only together with their session token.
        if token.as_deref() != signature.session_token.as_deref() {
            return Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."));
        }
        Ok(())
    }
}

pub(super) fn unknown_access_key() -> S3Error {
    s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
}

impl<'a> Signature<'a> {
    /// S3 refuses a request with two signatures. A client that follows a redirect with its `Authorization` header sends
    /// such a request.
    fn from_request(uri: &'a Uri, headers: &'a HeaderMap) -> S3Result<Self> {
        let query: Vec<_> = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).collect();
        let in_query = query.iter().any(|(name, _)| name == "X-Amz-Signature" || name == "X-Amz-Algorithm");
        match (in_query, headers.contains_key(header::AUTHORIZATION)) {
            (true, true) => Err(s3_error!(InvalidArgument, "Only one auth mechanism allowed")),
            (true, false) => Self::from_query(query),
            (false, true) => Self::from_header(headers),
            // A presigned URL of signature version 2.
            (false, false) if query.iter().any(|(name, _)| name == "AWSAccessKeyId") => {
                Err(unsupported_mechanism())
            }
            (false, false) => Err(s3_error!(AccessDenied, "Access Denied")),
        }
    }

    fn from_query(query: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> S3Result<Self> {
        let mut parameters: BTreeMap<_, _> = query.into_iter().collect();
        let mut take = |name: &str| parameters.remove(name);
        let (algorithm, date, signature) =
            (take("X-Amz-Algorithm"), take("X-Amz-Date"), take("X-Amz-Signature"));
        let scope = (take("X-Amz-Credential"), take("X-Amz-SignedHeaders"), take("X-Amz-Expires"));
        let (Some(credential), Some(signed_headers), Some(expires)) = scope else {
            return Err(missing_query_parameter());
        };
        if algorithm.as_deref() != Some(ALGORITHM) || date.is_none() || signature.is_none() {
            return Err(missing_query_parameter());
        }
        // `str::parse` would accept a leading plus sign.
        let digits = if expires.starts_with('+') { "" } else { &expires };
        match digits.parse::<u32>() {
            Ok(1..=MAX_EXPIRY_SECONDS) => {}
            Ok(0) => return Err(query_error("X-Amz-Expires must be positive")),
            Ok(_) => {
                return Err(query_error(
                    "X-Amz-Expires must be less than a week (in seconds) that is 604800",
                ));
            }
            Err(_) => return Err(query_error("X-Amz-Expires should be a number")),
        }
        let session_token = take("X-Amz-Security-Token");
        Ok(Self { location: SignatureLocation::Query, credential, signed_headers, session_token })
    }

    fn from_header(headers: &'a HeaderMap) -> S3Result<Self> {
        let value = header_text(headers, header::AUTHORIZATION);
        let Some(fields) = value.strip_prefix(ALGORITHM) else { return Err(unsupported_mechanism()) };
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
        let session_token =
            headers.get("x-amz-security-token").and_then(|value| value.to_str().ok()).map(Cow::Borrowed);
        Ok(Self { location: SignatureLocation::Header, credential, signed_headers, session_token })
    }

    /// `host` and all `x-amz-*` headers must be signed, because they change the meaning of a request. A signed header must
    /// be present.
    fn validate_signed_headers(&self, headers: &HeaderMap) -> S3Result<()> {
        let is_signed = |name: &str| self.signed_headers.split(';').any(|signed| signed == name);
        let must_be_signed = |name: &str| name == "host" || name.starts_with("x-amz-");
        let is_unsigned = |name: &str| must_be_signed(name) && !is_signed(name);
        if !is_signed("host") || headers.keys().any(|name| is_unsigned(name.as_str())) {
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

    fn credential_error(&self, reason: &str) -> S3Error {
        match self.location {
            SignatureLocation::Query => {
                query_error(&format!("Error parsing the X-Amz-Credential parameter; {reason}"))
            }
            SignatureLocation::Header => {
                s3_error!(AuthorizationHeaderMalformed, "The authorization header is malformed; {reason}")
            }
        }
    }
}

fn header_text(headers: &HeaderMap, name: http::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn query_error(reason: &str) -> S3Error {
    s3_error!(AuthorizationQueryParametersError, "{reason}")
}

fn missing_query_parameter() -> S3Error {
    query_error(
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
         X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    )
}

fn unsupported_mechanism() -> S3Error {
    s3_error!(
        InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    )
}
