//! One request for a pool's keys, with a limit on everything.

use std::time::Duration;

use aws::{HttpClient, error_chain};
use bytes::Bytes;
use http::{
    Request, StatusCode,
    header::{ACCEPT, CONNECTION},
};
use http_body_util::{BodyExt as _, Collected, Full, Limited};

use super::set::KeySet;

/// How long a request may take, from the DNS query to the last byte: a caller waits for it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest response that is read. Cognito's have about a thousand bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Fetches a key set. The error is a text for the log.
pub(super) async fn fetch_key_set(http: &HttpClient, url: &str) -> Result<KeySet, String> {
    let body = tokio::time::timeout(REQUEST_TIMEOUT, fetch_body(http, url)).await;
    let body = body.map_err(|_| format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()))??;
    KeySet::parse(&body).map_err(|error| error.to_string())
}

async fn fetch_body(http: &HttpClient, url: &str) -> Result<Bytes, String> {
    // The next request is an hour away, and in Lambda a pooled connection would silently die before it.
    let request = Request::get(url).header(ACCEPT, "application/json").header(CONNECTION, "close");
    let request = request.body(Full::default()).map_err(|error| error_chain(&error))?;
    let response = http.send(request).await.map_err(|error| error_chain(&error))?;
    if response.status() != StatusCode::OK {
        return Err(format!("unexpected status: {}", response.status()));
    }
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
    body.map(Collected::to_bytes).map_err(|error| error_chain(&*error))
}
