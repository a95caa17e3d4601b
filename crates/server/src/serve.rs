//! The accept loop: HTTP/1.1 with limits on a request's head, and an orderly end.

mod explained;

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

use explained::Explained;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests that are under way may take after the service was told to stop.
const GRACE: Duration = Duration::from_secs(30);

/// The largest head of a request, in bytes: a presigned URL with its session token, percent-encoded, must fit.
const MAX_HEAD: usize = 64 * 1024;

/// Serves until `stop` is ready; requests that are under way then are finished.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.half_close(true).timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD);
    tokio::pin!(stop);
    loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener) => accepted,
        };
        let router = router.clone();
        let service = hyper::service::service_fn(move |request| answer(router.clone(), request));
        let connection =
            connections.watch(http.serve_connection(TokioIo::new(Explained::new(stream)), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests were still under way and are cut off");
    }
}

/// The next connection. Running out of file descriptors must not end the service, nor spin.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    // The reader's own limit is on its buffer, which may be filled beyond it by one more read.
    if head_length(&request) > MAX_HEAD {
        let close = [(CONNECTION, HeaderValue::from_static("close"))];
        return Ok((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, close).into_response());
    }
    router.oneshot(request.map(Body::new)).await
}

/// How long a request's head is in its plainest spelling, in bytes: `GET /target HTTP/1.1`, `name: value`, an empty line.
fn head_length<B>(request: &Request<B>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n".len();
    let field = |name: &str, value: &[u8]| name.len() + value.len() + ": \r\n".len();
    let fields: usize =
        request.headers().iter().map(|(name, value)| field(name.as_str(), value.as_bytes())).sum();
    line + fields + "\r\n".len()
}
