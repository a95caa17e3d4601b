//! What a service answered: its output, or an error that says whether to ask again.

use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use super::{Error, Failure};

/// The largest answer, in bytes: a page of DynamoDB's holds 16 MB, before they are written as JSON.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// How much of a service's words is kept, in characters.
const MAX_MESSAGE: usize = 300;

pub(super) async fn read(response: Response<Incoming>) -> Result<Value, Failure> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body.map_err(|error| Failure::Passing(format!("the answer broke off: {error}")))?.to_bytes();
    if !head.status.is_success() {
        return Err(failure(head.status, &head.headers, &body));
    }
    // An operation without output may be answered without a body.
    let body = if body.is_empty() { b"{}" } else { &*body };
    serde_json::from_slice(body).map_err(|_| Failure::Passing("the answer is not JSON".to_owned()))
}

/// An error, which has its name in a header or in the body (Smithy, "AWS JSON 1.0 protocol", "Operation error
/// serialization").
fn failure(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let header = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let code = text("__type").or(text("code")).or(header).map_or_else(|| status.to_string(), bare);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || is_throttling(&code) {
        return Failure::Passing(format!("{code}, status {}", status.as_u16()));
    }
    let message = text("message").or(text("Message")).unwrap_or_default();
    Failure::Final(Error::Refused { code, message: short(message) })
}

/// `com.amazonaws.sqs#QueueDoesNotExist:http://…` without what is around the name.
fn bare(code: &str) -> String {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().to_owned()
}

/// SQS, DynamoDB, SSM and the KMS behind them each have names of their own for it.
fn is_throttling(code: &str) -> bool {
    let named =
        ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "TooManyRequestsException"];
    code.contains("Throttl") || named.contains(&code)
}

/// The first line: where a signature is not right, the lines after it repeat the request, the session token included.
fn short(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn refused(status: u16, headers: &HeaderMap, body: &str) -> Option<(String, String)> {
        match failure(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes()) {
            Failure::Final(Error::Refused { code, message }) => Some((code, message)),
            _ => None,
        }
    }

    #[test]
    fn a_refusal_has_its_bare_name() {
        let none = HeaderMap::new();
        let both = |code: &str, message: &str| Some((code.to_owned(), message.to_owned()));
        let body = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}"#;
        assert_eq!(refused(400, &none, body), both("QueueDoesNotExist", "gone"));
        let body = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}"#;
        assert_eq!(refused(400, &none, body), both("AccessDeniedException", "no"));
        let named = HeaderValue::from_static("ParameterNotFound:http://internal.amazon.com/coral/");
        let headers = HeaderMap::from_iter([("x-amzn-errortype".parse().unwrap(), named)]);
        assert_eq!(refused(400, &headers, "{}"), both("ParameterNotFound", ""));
        assert_eq!(refused(403, &none, "<html>"), both("403 Forbidden", ""));
    }

    #[test]
    fn what_may_pass_is_asked_again() {
        let none = HeaderMap::new();
        for code in
            ["ThrottlingException", "RequestThrottled", "KMS.ThrottlingException", "RequestLimitExceeded"]
        {
            assert_eq!(refused(400, &none, &format!(r#"{{"__type":"x#{code}"}}"#)), None, "{code}");
        }
        assert_eq!(refused(500, &none, r#"{"__type":"InternalServerError"}"#), None);
        assert_eq!(refused(429, &none, ""), None);
    }

    #[test]
    fn a_refusal_repeats_nothing_of_the_request() {
        let words = "The signature does not match.\n\nThe canonical string should have been\nx-amz-security-token:abc";
        let body = serde_json::json!({"__type": "InvalidSignatureException", "message": words}).to_string();
        let (_, message) = refused(403, &HeaderMap::new(), &body).unwrap();
        assert_eq!(message, "The signature does not match.");
    }
}
