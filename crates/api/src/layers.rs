//! What every request goes through, whatever becomes of it.
//!
//! One layer around everything: it names the request, bounds its time, catches its panics, writes its problem down,
//! adds the headers that all answers share, and logs one line.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderValue, Method, StatusCode, header};
use tokio::time::Instant;
use tracing::{Instrument, field::Empty};

use crate::{
    Problem, cors,
    request_id::{self, RequestId},
};

/// How long a request may take. API Gateway gives up after 30 seconds (quotas of HTTP APIs), without our headers.
const PATIENCE: Duration = Duration::from_secs(29);

/// Wraps all routes of a router, and its fallbacks.
pub(crate) fn wrap<S>(router: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router.layer(middleware::from_fn(around))
}

async fn around(request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    // Not an info span: that would be left out, and the ids with it, where only errors are logged.
    let span = tracing::error_span!(
        "request",
        request_id = %id, user = Empty, workspace = Empty, dataset = Empty, package = Empty,
    );
    async {
        let mut line = Line::begin(&id, &request);
        let mut response = answer(PATIENCE, next.run(request)).await;
        finish(&mut response, &id);
        line.status = Some(response.status());
        response
    }
    .instrument(span)
    .await
}

/// An answer in any case: also if the handler panics or takes too long.
async fn answer(patience: Duration, handler: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(patience, AssertUnwindSafe(handler).catch_unwind()).await {
        Ok(Ok(response)) => response,
        // The panic hook has said where; the message may hold anything, so it is not repeated.
        Ok(Err(_)) => Problem::internal("a handler panicked").into_response(),
        Err(_) => Problem::timed_out().into_response(),
    }
}

fn finish(response: &mut Response, id: &RequestId) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        problem.write(response, id.as_str());
    }
    let headers = response.headers_mut();
    cors::expose(headers);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(id) = id.header() {
        headers.insert(request_id::HEADER, id);
    }
}

/// The one line that is logged for a request, when it is dropped: also if the client hangs up before the answer.
struct Line<'a> {
    id: &'a RequestId,
    method: Method,
    /// The route and not the path, which is the client's; never the query, which may hold a link.
    route: Option<MatchedPath>,
    begun: Instant,
    status: Option<StatusCode>,
}

impl<'a> Line<'a> {
    fn begin(id: &'a RequestId, request: &Request) -> Self {
        Self {
            id,
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            begun: Instant::now(),
            status: None,
        }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let route = self.route.as_ref().map_or("none", MatchedPath::as_str);
        let duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (request_id, method) = (self.id.as_str(), self.method.as_str());
        if let Some(status) = self.status.map(|status| status.as_u16()) {
            tracing::info!(request_id, method, route, status, duration_ms, "answered");
        } else {
            tracing::info!(request_id, method, route, duration_ms, "the client hung up");
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use http::HeaderMap;
    use packages::objects::Head;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };
    use tower::ServiceExt;

    use super::*;

    async fn get_from(router: Router, headers: &[(&str, &str)]) -> (Response, serde_json::Value) {
        let request =
            headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
        let response = wrap(router).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (Response::from_parts(parts, Body::empty()), serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn every_answer_has_the_common_headers() {
        let router = Router::new().route("/", get(async || [(header::CACHE_CONTROL, "max-age=60")]));
        for (router, cache_control) in [(router, "max-age=60"), (Router::new(), "no-store")] {
            let (response, _) = get_from(router, &[("x-request-id", "abc-1")]).await;
            let headers = response.headers();
            assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
            assert!(
                headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap().contains("Content-Range")
            );
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
            assert_eq!(headers[header::CACHE_CONTROL], cache_control);
            assert_eq!(headers[request_id::HEADER], "abc-1");
        }
    }

    #[tokio::test]
    async fn a_problem_names_its_request() {
        let router = Router::new().route("/", get(async || Problem::unauthorized("who?")));
        let (response, body) = get_from(router, &[("x-request-id", "bad id")]).await;
        assert_eq!(response.headers()[request_id::HEADER], body["requestId"].as_str().unwrap());
        assert_ne!(body["requestId"], "bad id");
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_without_detail() {
        async fn handler() -> &'static str {
            panic!("hunter2")
        }
        let (response, body) = get_from(Router::new().route("/", get(handler)), &[]).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!body.to_string().contains("hunter2"));
    }

    #[tokio::test]
    async fn a_handler_that_never_answers_is_given_up() {
        let response = answer(Duration::from_millis(20), std::future::pending()).await;
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    }

    /// What hyper puts on the wire, in lower case.
    async fn on_the_wire(router: Router, request: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, wrap(router)).await });
        stream
            .write_all(format!("{request}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.to_ascii_lowercase()
    }

    #[tokio::test]
    async fn the_length_of_the_whole_survives_on_the_wire() {
        let handler = async |headers: HeaderMap| {
            crate::head::answer(Head { length: 1_234_567, headers: HeaderMap::new() }, &headers)
        };
        let router = Router::new().route("/", get(async || "").head(handler));
        let answer = on_the_wire(router, "HEAD / HTTP/1.1\r\nrange: bytes=0-").await;
        assert!(answer.starts_with("http/1.1 206 "), "{answer}");
        assert_eq!(answer.matches("content-length:").count(), 1, "{answer}");
        assert!(answer.contains("content-length: 1234567\r\n"), "{answer}");
        assert!(answer.contains("content-range: bytes 0-1234566/1234567\r\n"), "{answer}");
        assert!(!answer.contains("transfer-encoding"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "a HEAD has no body");
    }

    #[tokio::test]
    async fn a_preflights_answer_has_no_body_and_no_length() {
        let answer =
            on_the_wire(Router::new().route("/", cors::preflight("GET")), "OPTIONS / HTTP/1.1").await;
        assert!(answer.starts_with("http/1.1 204 "), "{answer}");
        assert!(!answer.contains("\r\ncontent-length:"), "RFC 9110, section 8.6: {answer}");
    }
}
