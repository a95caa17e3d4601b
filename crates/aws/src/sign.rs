//! AWS Signature Version 4 in request headers.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{self, SignableBody, SignableRequest, SigningSettings},
    sign::v4,
};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use signing::s3::Region;

/// The service and region that a signature is for.
#[derive(Debug, Clone, Copy)]
pub struct SigningScope<'a> {
    /// The service's name in signatures: `sqs`, `iam`.
    pub service: &'a str,
    /// The service's region.
    pub region: &'a Region,
}

/// A request that cannot be signed. The text is for the log and has nothing of the request.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be signed: {0}")]
pub struct SignError(String);

/// Signs a request at `now`, in seconds since the Unix epoch.
pub fn sign_request(
    request: Request<Bytes>,
    scope: SigningScope<'_>,
    credentials: &Credentials,
    now: u64,
) -> Result<Request<Full<Bytes>>, SignError> {
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region.as_str())
        .name(scope.service)
        .time(UNIX_EPOCH + Duration::from_secs(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| SignError(error.to_string()))?
        .into();
    let headers =
        request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let uri = request.uri().to_string();
    let body = SignableBody::Bytes(request.body());
    let signed = SignableRequest::new(request.method().as_str(), uri, headers, body)
        .and_then(|signable| http_request::sign(signable, &params))
        .map_err(|error| SignError(error.to_string()))?;
    let (instructions, _) = signed.into_parts();
    let mut request = request.map(Full::new);
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own example ("Create a signed AWS API request"): IAM's `ListUsers` in August 2015.
    #[test]
    fn the_signature_is_the_documented_one() {
        let request = Request::get("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Bytes::new())
            .unwrap();
        let key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", key, None, None, "test");
        let region = Region::new("us-east-1").unwrap();
        let scope = SigningScope { service: "iam", region: &region };
        let signed = sign_request(request, scope, &credentials, 1_440_938_160).unwrap();
        assert_eq!(
            signed.headers()["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }
}
