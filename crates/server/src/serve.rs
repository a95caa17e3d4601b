//! The HTTP/1.1 server: an accept loop with limits on request heads and a graceful shutdown.

mod malformed_heads;

use std::{convert::Infallible, time::Duration};

use axum::{Router, body::Body, response::IntoResponse as _};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use malformed_heads::HttpErrorStream;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long running requests may take after the stop signal.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest request head. A percent-encoded presigned URL with a session token must fit.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Serves requests until `stop` completes, then finishes running requests.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    // A client may close its sending side after the request and still read the response.
    http.half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES);
    tokio::pin!(stop);
    loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = accept_connection(&listener) => accepted,
        };
        let router = router.clone();
        let service = hyper::service::service_fn(move |request| handle_request(router.clone(), request));
        let connection =
            connections.watch(http.serve_connection(TokioIo::new(HttpErrorStream::new(stream)), service));
        // `watch` finishes the current request on shutdown, then closes the connection.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection failed");
            }
        });
    }
    // New connections are refused from here on, so a load balancer tries another host.
    drop(listener);
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, connections.shutdown()).await.is_err() {
        tracing::warn!("running requests were cancelled: they did not finish in time");
    }
}

/// Accepts the next connection. After an error, for example when the process has no free file descriptor, it waits
/// before the next attempt, to avoid a busy loop.
async fn accept_connection(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small responses must not wait for an acknowledgement (Nagle's algorithm).
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn handle_request(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    // hyper limits its read buffer, which one more read may fill beyond the limit. So the head is measured again.
    if head_length(&request) > MAX_HEAD_BYTES {
        let close = [(CONNECTION, HeaderValue::from_static("close"))];
        // Bare, like hyper's own: `HttpErrorStream` adds the body.
        return Ok((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, close).into_response());
    }
    router.oneshot(request.map(Body::new)).await
}

/// The length of a request head in bytes, without optional whitespace: `GET /target HTTP/1.1`, `name: value`, an empty
/// line.
fn head_length<B>(request: &Request<B>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n".len();
    let field = |name: &str, value: &[u8]| name.len() + value.len() + ": \r\n".len();
    let fields: usize =
        request.headers().iter().map(|(name, value)| field(name.as_str(), value.as_bytes())).sum();
    line + fields + "\r\n".len()
}
