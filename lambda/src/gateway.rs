//! Converts the events of an HTTP API of API Gateway into requests, and responses back: payload format 2.0 (Amazon API
//! Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway").

use std::{borrow::Cow, collections::BTreeMap, fmt::Write, io};

use axum::{body::Body, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::or_default;

/// The path of all routes. The gateway removes the mapping of a custom domain from the path, so it may be missing.
const BASE_PATH: &str = "/packages";

/// The stage that is not a segment of the path.
const DEFAULT_STAGE: &str = "$default";

/// The members of an event that the service reads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayEvent {
    /// Not `queryStringParameters`: there repeated parameters are joined with commas.
    #[serde(deserialize_with = "or_default")]
    raw_query_string: String,
    #[serde(deserialize_with = "or_default")]
    headers: BTreeMap<String, Option<String>>,
    #[serde(deserialize_with = "or_default")]
    cookies: Vec<String>,
    body: Option<String>,
    #[serde(deserialize_with = "or_default")]
    is_base64_encoded: bool,
    #[serde(deserialize_with = "or_default")]
    request_context: RequestContext,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    #[serde(deserialize_with = "or_default")]
    request_id: String,
    #[serde(deserialize_with = "or_default")]
    stage: String,
    #[serde(deserialize_with = "or_default")]
    authorizer: AuthorizerResult,
    #[serde(deserialize_with = "or_default")]
    http: HttpContext,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct AuthorizerResult {
    lambda: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct HttpContext {
    #[serde(deserialize_with = "or_default")]
    method: String,
    #[serde(deserialize_with = "or_default")]
    path: String,
}

/// The unparsed context from the authorizer, as an extension of the request.
#[derive(Debug, Clone)]
pub struct AuthorizerContext(pub Value);

/// The event is not a request. The text has nothing of the event, which holds tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event is not an HTTP API request of payload format 2.0")]
pub struct InvalidEvent;

/// Converts an event into a request.
///
/// The query is the client's, byte for byte. `X-Request-Id` is the gateway's id, and `X-Amzn-Trace-Id` is the `trace`
/// of the invocation. If the body is not valid base64 although the event says so, reading it fails.
pub fn request_from_event(event: Value, trace: Option<&str>) -> Result<Request<Body>, InvalidEvent> {
    let event: GatewayEvent = serde_json::from_value(event).map_err(|_| InvalidEvent)?;
    let context = event.request_context;
    let mut request = Request::new(decode_body(event.body, event.is_base64_encoded));
    *request.method_mut() = context.http.method.parse::<Method>().map_err(|_| InvalidEvent)?;
    *request.uri_mut() = build_uri(&service_path(&context), &event.raw_query_string).ok_or(InvalidEvent)?;
    *request.headers_mut() = build_headers(&event.headers, &event.cookies);
    // These replace headers of the client: only the gateway's ids appear in its access log and in X-Ray.
    let ids = [("x-request-id", Some(context.request_id.as_str())), ("x-amzn-trace-id", trace)];
    for (name, value) in ids {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            request.headers_mut().insert(name, value);
        }
    }
    request.extensions_mut().insert(AuthorizerContext(context.authorizer.lambda));
    Ok(request)
}

/// The path with [`BASE_PATH`]. It depends on the domain and the stage whether the gateway passes either of them in the
/// path.
fn service_path(context: &RequestContext) -> String {
    let path = context.http.path.as_str();
    let path = match context.stage.as_str() {
        "" | DEFAULT_STAGE => path,
        stage => strip_segment(path, &format!("/{stage}")),
    };
    format!("{BASE_PATH}{}", strip_segment(path, BASE_PATH))
}

/// Removes the first segment of a path if it is `segment`.
fn strip_segment<'a>(path: &'a str, segment: &str) -> &'a str {
    match path.strip_prefix(segment) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        _ => path,
    }
}

fn build_uri(path: &str, query: &str) -> Option<Uri> {
    // A decoded `?` in the path would begin the query.
    let (path, query) = (escape_illegal(path, b"?"), escape_illegal(query, b""));
    let text = if query.is_empty() { path.into_owned() } else { format!("{path}?{query}") };
    Uri::try_from(text).ok()
}

/// Percent-encodes the bytes that a URI cannot contain, and those in `also`. Needed because the gateway decodes paths.
fn escape_illegal<'a>(text: &'a str, also: &[u8]) -> Cow<'a, str> {
    let is_legal =
        |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte) && !also.contains(&byte);
    if text.bytes().all(is_legal) {
        return text.into();
    }
    text.bytes()
        .fold(String::with_capacity(text.len() + 16), |mut encoded, byte| {
            if is_legal(byte) {
                encoded.push(char::from(byte));
            } else {
                // Writing to a string never fails.
                let _ = write!(encoded, "%{byte:02X}");
            }
            encoded
        })
        .into()
}

/// The gateway joins the values of a repeated header with commas, and moves cookies to a member of their own.
fn build_headers(sent: &BTreeMap<String, Option<String>>, cookies: &[String]) -> HeaderMap {
    // Headers that HTTP does not allow are dropped: they cannot come from a client.
    let header = |(name, value): (&String, &Option<String>)| {
        let value = HeaderValue::from_bytes(value.as_deref()?.as_bytes()).ok()?;
        Some((HeaderName::try_from(name).ok()?, value))
    };
    let mut headers: HeaderMap = sent.iter().filter_map(header).collect();
    if let (false, Ok(cookies)) = (cookies.is_empty(), HeaderValue::try_from(cookies.join("; "))) {
        headers.insert(header::COOKIE, cookies);
    }
    headers
}

fn decode_body(body: Option<String>, is_base64: bool) -> Body {
    match body {
        None => Body::empty(),
        Some(text) if !is_base64 => Body::from(text),
        // The gateway encodes bodies whose content type is not a text format.
        Some(text) => STANDARD.decode(text).map_or_else(|_| broken_body(), Body::from),
    }
}

/// A body whose reading fails. The handler then responds as for a connection that breaks.
fn broken_body() -> Body {
    Body::from_stream(stream::iter([Err::<Vec<u8>, _>(io::Error::from(io::ErrorKind::InvalidData))]))
}

/// The response that the gateway sends to its client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayResponse {
    status_code: u16,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

impl GatewayResponse {
    /// Converts a response. The body stays text if it is UTF-8, and becomes base64 otherwise: JSON has no binary data.
    pub async fn from_response(response: Response) -> Result<Self, axum::Error> {
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let (body, is_base64_encoded) = match std::str::from_utf8(&body) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (STANDARD.encode(&body), true),
        };
        let mut headers = BTreeMap::<String, String>::new();
        let mut cookies = Vec::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            // Not joined: a cookie's date contains a comma (RFC 9110, section 5.3).
            if name == header::SET_COOKIE {
                cookies.push(value.into_owned());
                continue;
            }
            match headers.get_mut(name.as_str()) {
                // The format has one value per name; a list may be sent in one header (RFC 9110, section 5.3).
                Some(values) => values.extend([", ", &value]),
                None => drop(headers.insert(name.to_string(), value.into_owned())),
            }
        }
        Ok(Self { status_code: parts.status.as_u16(), headers, cookies, body, is_base64_encoded })
    }
}

#[cfg(test)]
mod tests;
