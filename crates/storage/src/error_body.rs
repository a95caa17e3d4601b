//! The body of S3's errors (Amazon S3 API Reference, "Error responses").

use std::time::Duration;

use aws::find_xml_element;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

/// The longest error body that is read. S3's own have less than a kilobyte.
const MAX_ERROR_BYTES: usize = 16 * 1024;

/// How long the body of an error may take, after its head.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the body of an error. It is empty if it is too long or takes too long: then the status decides.
pub(crate) async fn read_error_body(body: Incoming) -> String {
    let body = tokio::time::timeout(ERROR_BODY_TIMEOUT, Limited::new(body, MAX_ERROR_BYTES).collect());
    match body.await {
        Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Ok(Err(_)) | Err(_) => String::new(),
    }
}

/// The error's code.
pub(crate) fn find_code(xml: &str) -> Option<String> {
    find_xml_element(xml, "Code").filter(|code| is_code(code)).map(str::to_owned)
}

/// Whether a text is a word, which may be repeated to the client and in the log. KMS's codes have a dot.
pub(crate) fn is_code(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_allowed)
}
