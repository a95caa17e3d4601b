//! Reading a response: the output, or an error that says whether another attempt may help.

use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use crate::attempts::{AttemptError, Error};

/// The largest response. A batch of DynamoDB's items has up to 16 MB, not counting the JSON around them.
const MAX_RESPONSE_BYTES: usize = 32 * 1024 * 1024;

/// The longest part of a service's message that is kept.
const MAX_MESSAGE_CHARS: usize = 300;

pub(super) async fn read_output(response: Response<Incoming>) -> Result<Value, AttemptError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await;
    let broken = |error| AttemptError::Transient(format!("the response was cut short: {error}"));
    let body = body.map_err(broken)?.to_bytes();
    if !head.status.is_success() {
        return Err(read_error(head.status, &head.headers, &body));
    }
    if let Some(kind) = head.headers.get("x-amz-function-error") {
        // The function ran and failed. Its message may repeat its input.
        return Err(AttemptError::Transient(format!("the function failed: {}", error_kind(kind))));
    }
    // The response of an operation without output may have no body.
    let body = if body.is_empty() { b"{}" } else { &*body };
    serde_json::from_slice(body).map_err(|_| AttemptError::Transient("the response is not JSON".to_owned()))
}

/// `Handled` or `Unhandled` (AWS Lambda API Reference, `Invoke`).
fn error_kind(header: &HeaderValue) -> &str {
    header.to_str().unwrap_or_default()
}

/// An error. Its code is in a header or in the body (Smithy, "AWS JSON 1.0 protocol", "Operation error
/// serialization").
fn read_error(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> AttemptError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let header = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let code = text("__type").or(text("code")).or(header).map_or_else(|| status.to_string(), strip_namespace);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || is_throttling(&code) {
        return AttemptError::Transient(format!("{code}, status {}", status.as_u16()));
    }
    // Most services write `message`; some of DynamoDB's and SSM's errors have `Message`.
    let message = text("message").or(text("Message")).unwrap_or_default();
    AttemptError::Permanent(Error::Refused { code, message: first_line(message) })
}

/// `com.amazonaws.sqs#QueueDoesNotExist:http://…` without namespace and URL (the same section of Smithy's page).
fn strip_namespace(code: &str) -> String {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().to_owned()
}

/// SQS, DynamoDB, SSM and the KMS behind them each have error codes of their own for throttling.
fn is_throttling(code: &str) -> bool {
    let named =
        ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "TooManyRequestsException"];
    code.contains("Throttl") || named.contains(&code)
}

/// Only the first line is kept: after a signature mismatch, the lines after it repeat the request with its session token.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, headers: &HeaderMap, body: &str) -> Option<(String, String)> {
        match read_error(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes()) {
            AttemptError::Permanent(Error::Refused { code, message }) => Some((code, message)),
            _ => None,
        }
    }

    #[test]
    fn a_code_has_no_namespace() {
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
    fn throttling_and_server_errors_are_transient() {
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
    fn a_message_repeats_nothing_of_the_request() {
        let words = "The signature does not match.\n\nThe canonical string should have been\nx-amz-security-token:abc";
        let body = serde_json::json!({"__type": "InvalidSignatureException", "message": words}).to_string();
        let (_, message) = refused(403, &HeaderMap::new(), &body).unwrap();
        assert_eq!(message, "The signature does not match.");
    }
}
