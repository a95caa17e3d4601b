//! Signature Version 4 in headers.

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

/// Signs a request for a service, by the name that it has in signatures (`sqs`, `iam`), in a region, at `now` in seconds
/// since the Unix epoch. An error's text is for the log: it holds nothing of the request.
pub fn sign(
    request: Request<Bytes>,
    (service, region): (&str, &Region),
    credentials: &Credentials,
    now: u64,
) -> Result<Request<Full<Bytes>>, String> {
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region.as_str())
        .name(service)
        .time(UNIX_EPOCH + Duration::from_secs(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let headers =
        request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let uri = request.uri().to_string();
    let body = SignableBody::Bytes(request.body());
    let signed = SignableRequest::new(request.method().as_str(), uri, headers, body)
        .and_then(|signable| http_request::sign(signable, &params))
        .map_err(|error| format!("the request cannot be signed: {error}"))?;
    let (instructions, _) = signed.into_parts();
    let mut request = request.map(Full::new);
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's documentation ("Create a signed AWS API request"): IAM's `ListUsers`, in August 2015.
    #[test]
    fn the_signature_is_the_documented_one() {
        let request = Request::get("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Bytes::new())
            .unwrap();
        let key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", key, None, None, "test");
        let region = Region::new("us-east-1").unwrap();
        let signed = sign(request, ("iam", &region), &credentials, 1_440_938_160).unwrap();
        assert_eq!(
            signed.headers()["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }
}
