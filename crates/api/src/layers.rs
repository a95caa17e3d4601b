//! What every request goes through, whatever becomes of it.
//!
//! One layer around everything: it names the request, puts it into its trace, bounds its time, catches its panics, writes
//! its problem down, adds the headers that all answers share, counts it, and logs one line.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use database::count_statements;
use futures_util::FutureExt;
use http::{HeaderValue, Method, StatusCode, header};
use telemetry::{Trace, trace};
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};

use crate::{
    Problem, audit, cors,
    request_id::{self, RequestId},
};

/// How long a request may take. API Gateway gives up after 30 seconds (quotas of HTTP APIs), without our headers.
const PATIENCE: Duration = Duration::from_secs(29);

/// Wraps all routes of a router, and its fallbacks. Whoever must say who they are gets the challenge.
pub(crate) fn wrap<S>(router: Router<S>, challenge: HeaderValue) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        around(challenge.clone(), request, next)
    }))
}

async fn around(challenge: HeaderValue, request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let trace = Trace::begin(request.headers().get(trace::HEADER).and_then(|header| header.to_str().ok()));
    let mut line = Line::begin(span(&id, &trace), &request);
    let span = line.span.clone();
    let work = async {
        let handler = async {
            let (response, statements) = count_statements(next.run(request)).await;
            line.statements = Some(statements);
            response
        };
        let mut response = answer(PATIENCE, handler).await;
        finish(&mut response, &id, challenge);
        line.status = Some(response.status());
        response
    };
    aws::trace::scope(Some(trace.header()), work).instrument(span).await
}

/// The request's span. Whatever is logged or traced for it has these fields.
fn span(id: &RequestId, trace: &Trace) -> Span {
    // Not an info span: that would be left out, and the ids with it, where only errors are logged.
    tracing::error_span!(
        target: "trace.root", "request",
        request_id = %id, user = Empty, workspace = Empty, dataset = Empty, package = Empty,
        method = Empty, route = Empty, status = Empty, statements = Empty,
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
    )
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

fn finish(response: &mut Response, id: &RequestId, challenge: HeaderValue) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        problem.write(response, id.as_str(), challenge);
        problem.refusal().into_iter().for_each(audit::refusal);
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

/// What is told of a request when this is dropped: also if the client hangs up before the answer.
struct Line {
    span: Span,
    method: &'static str,
    /// The route and not the path, which is the client's; never the query, which may hold a link.
    route: Option<MatchedPath>,
    begun: Instant,
    status: Option<StatusCode>,
    statements: Option<u64>,
}

impl Line {
    fn begin(span: Span, request: &Request) -> Self {
        let line = Self {
            span,
            method: method(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            begun: Instant::now(),
            status: None,
            statements: None,
        };
        line.span.record("method", line.method).record("route", line.route());
        line
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("none", MatchedPath::as_str)
    }

    fn count(&self) {
        let route = self.route().to_owned();
        let status = self.status.map_or_else(|| "none".to_owned(), |status| status.as_u16().to_string());
        metrics::histogram!("request_seconds", "route" => route.clone()).record(self.begun.elapsed());
        metrics::counter!("statements_total").increment(self.statements.unwrap_or_default());
        metrics::counter!("requests_total", "route" => route, "method" => self.method, "status" => status)
            .increment(1);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.count();
        let duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (span, status) = (&self.span, self.status.map(|status| status.as_u16()));
        span.record("status", status).record("statements", self.statements);
        if status.is_some() {
            tracing::info!(parent: span, duration_ms, "answered");
        } else {
            tracing::info!(parent: span, duration_ms, "the client hung up");
        }
    }
}

/// The method, unless it is a client's invention: those would be without number.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use http::HeaderMap;
    use storage::ObjectHead;
    use telemetry::emf::Emf;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };
    use tower::ServiceExt;

    use super::*;

    fn wrapped(router: Router) -> Router {
        wrap(router, HeaderValue::from_static("Bearer"))
    }

    async fn get_from(router: Router, headers: &[(&str, &str)]) -> (Response, serde_json::Value) {
        let request =
            headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
        let response = wrapped(router).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
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

    const ROOT: &str = "Root=1-67891233-abcdef012345678912345678";

    /// The trace that whoever is called for a request is told of.
    async fn trace_of(headers: &[(&str, &str)]) -> String {
        let handler = get(async || axum::Json(aws::trace::current_header()));
        let (_, header) = get_from(Router::new().route("/", handler), headers).await;
        header.as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_trace_goes_on_from_header_to_header() {
        for sampled in ["0", "1"] {
            let given = format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled={sampled}");
            let told = trace_of(&[("x-amzn-trace-id", &given)]).await;
            let parts: Vec<&str> = told.split(';').collect();
            assert_eq!((parts[0], parts[2]), (ROOT, &*format!("Sampled={sampled}")));
            assert!(parts[1].starts_with("Parent=") && parts[1] != "Parent=53995c3f42cd8ad8");
        }
        for headers in [&[][..], &[("x-amzn-trace-id", "Root=hunter2")]] {
            let told = trace_of(headers).await;
            assert!(told.starts_with("Root=1-") && !told.contains("hunter2"), "{told}");
        }
    }

    #[tokio::test]
    async fn requests_are_counted_by_route_and_never_by_what_the_client_wrote() {
        let emf = Emf::new("test", "dev");
        let guard = metrics::set_default_local_recorder(&emf);
        let handler = get(async || Problem::forbidden("no"));
        let router = wrapped(Router::new().route("/{name}", handler).fallback(async || Problem::no_route()));
        for (method, path) in
            [("GET", "/hunter2"), ("GET", "/hunter3"), ("HUNTER2", "/"), ("GET", "/a/hunter2")]
        {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap();
        }
        drop(guard);
        let mut out = Vec::new();
        emf.flush(&mut out, Duration::ZERO).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.to_lowercase().contains("hunter"), "{text}");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let counted = |method: &str, route: &str, status: &str| {
            let mut of = lines.iter().filter(|line| line["method"] == method && line["route"] == route);
            of.find(|line| line["status"] == status).map(|line| line["requests_total"].as_f64().unwrap())
        };
        assert_eq!(counted("GET", "/{name}", "403"), Some(2.0));
        assert_eq!(counted("GET", "none", "404"), Some(1.0));
        assert_eq!(counted("other", "none", "404"), Some(1.0));
        let refusals = lines.iter().find(|line| line["reason"] == "forbidden").unwrap();
        assert_eq!(refusals["refusals_total"], 2.0);
        assert!(
            lines.iter().any(|line| line["request_seconds"].as_array().is_some_and(|all| all.len() == 2))
        );
    }

    /// What hyper puts on the wire, in lower case.
    async fn on_the_wire(router: Router, request: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, wrapped(router)).await });
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
            crate::head::answer(ObjectHead { length: 1_234_567, headers: HeaderMap::new() }, &headers)
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
