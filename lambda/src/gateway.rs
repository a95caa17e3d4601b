//! Requests and answers as an HTTP API of API Gateway hands them on: payload format 2.0 (Amazon API Gateway Developer
//! Guide, "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway").

use std::{borrow::Cow, collections::BTreeMap, fmt::Write, io};

use axum::{body::Body, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::or_default;

/// Where the routes of the service lie. The gateway's mapping of a custom domain is cut off before we see the path.
const MAPPING: &str = "/packages";

/// The stage that is not part of the path.
const DEFAULT_STAGE: &str = "$default";

/// A request, as far as it is of interest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Event {
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
    authorizer: Authorizer,
    #[serde(deserialize_with = "or_default")]
    http: Http,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Authorizer {
    lambda: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Http {
    #[serde(deserialize_with = "or_default")]
    method: String,
    #[serde(deserialize_with = "or_default")]
    path: String,
}

/// What the authorizer said about a request, not yet looked at: an extension of the request.
#[derive(Debug, Clone)]
pub struct AuthorizerContext(pub Value);

/// An event that cannot be a request. It says nothing about the event, which holds tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRequest;

impl std::fmt::Display for NoRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the event is no HTTP API request of payload format 2.0")
    }
}

impl std::error::Error for NoRequest {}

/// Makes a request of an event.
///
/// Its query is the client's, byte for byte; `X-Request-Id` is the gateway's id, and `X-Amzn-Trace-Id` the `trace` that the
/// invocation is part of. A body that is not the base64 it claims to be fails when it is read.
pub fn request(event: Value, trace: Option<&str>) -> Result<Request<Body>, NoRequest> {
    let event: Event = serde_json::from_value(event).map_err(|_| NoRequest)?;
    let context = event.request_context;
    let mut request = Request::new(body(event.body, event.is_base64_encoded));
    *request.method_mut() = context.http.method.parse::<Method>().map_err(|_| NoRequest)?;
    *request.uri_mut() = uri(&path(&context), &event.raw_query_string).ok_or(NoRequest)?;
    *request.headers_mut() = headers(&event.headers, &event.cookies);
    let ids = [("x-request-id", Some(context.request_id.as_str())), ("x-amzn-trace-id", trace)];
    for (name, value) in ids {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            request.headers_mut().insert(name, value);
        }
    }
    request.extensions_mut().insert(AuthorizerContext(context.authorizer.lambda));
    Ok(request)
}

/// The path beneath [`MAPPING`], whether or not the gateway left that and the stage in it.
fn path(context: &RequestContext) -> String {
    let path = context.http.path.as_str();
    let path = match context.stage.as_str() {
        "" | DEFAULT_STAGE => path,
        stage => cut(path, &format!("/{stage}")),
    };
    format!("{MAPPING}{}", cut(path, MAPPING))
}

/// A path without its first segment, if that is this one.
fn cut<'a>(path: &'a str, segment: &str) -> &'a str {
    match path.strip_prefix(segment) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        _ => path,
    }
}

fn uri(path: &str, query: &str) -> Option<Uri> {
    let (path, query) = (encoded(path, b"?"), encoded(query, b""));
    let text = if query.is_empty() { path.into_owned() } else { format!("{path}?{query}") };
    Uri::try_from(text).ok()
}

/// A text with everything percent-encoded that cannot stand in a URI: the gateway decodes paths.
fn encoded<'a>(text: &'a str, also: &[u8]) -> Cow<'a, str> {
    let fits =
        |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte) && !also.contains(&byte);
    if text.bytes().all(fits) {
        return text.into();
    }
    text.bytes()
        .fold(String::with_capacity(text.len() + 16), |mut encoded, byte| {
            if fits(byte) {
                encoded.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
            encoded
        })
        .into()
}

/// The gateway joins the values of a repeated header with commas, and takes cookies out.
fn headers(sent: &BTreeMap<String, Option<String>>, cookies: &[String]) -> HeaderMap {
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

fn body(body: Option<String>, is_base64: bool) -> Body {
    match body {
        None => Body::empty(),
        Some(text) if !is_base64 => Body::from(text),
        Some(text) => STANDARD.decode(text).map_or_else(|_| unreadable(), Body::from),
    }
}

/// A body that breaks off, which the service has an answer for.
fn unreadable() -> Body {
    Body::from_stream(stream::iter([Err::<Vec<u8>, _>(io::Error::from(io::ErrorKind::InvalidData))]))
}

/// What the gateway is to answer its client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

/// Makes the gateway's answer of ours. A body is sent as text where it is text.
pub async fn answer(response: Response) -> Result<Answer, axum::Error> {
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
        if name == header::SET_COOKIE {
            cookies.push(value.into_owned());
            continue;
        }
        match headers.get_mut(name.as_str()) {
            // RFC 9110, section 5.3: a list may be sent in one header.
            Some(values) => values.extend([", ", &value]),
            None => drop(headers.insert(name.to_string(), value.into_owned())),
        }
    }
    Ok(Answer { status_code: parts.status.as_u16(), headers, cookies, body, is_base64_encoded })
}

#[cfg(test)]
mod tests;
