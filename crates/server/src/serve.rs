//! The HTTP/1.1 server: an accept loop with limits on connections and request heads, and a graceful shutdown.

mod activity;
mod limits;
mod malformed_heads;
mod overload;
mod request_head;
mod timed_stream;

use std::{convert::Infallible, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, response::IntoResponse as _};
use futures_util::FutureExt as _;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tower::ServiceExt;

pub use limits::ConnectionLimits;

use activity::{Activity, RunningRequest};
use malformed_heads::HttpErrorStream;
use overload::Refusals;
use request_head::{MAX_HEAD_BYTES, check_head};
use timed_stream::{ResponseBody, TimedStream};

/// How many bytes of a response the kernel may keep for a client. Without a limit it would take some megabytes from each
/// client that does not read, and would report progress only after hundreds of kilobytes.
const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// Serves requests until `stop` completes, then finishes running requests.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    stop: impl Future<Output = ()>,
) {
    // Accepted sockets inherit it (socket(7)). If the system refuses, its own sizes apply.
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&listener, SEND_BUFFER_BYTES);
    let connections = GracefulShutdown::new();
    let (places, refusals) = (Arc::new(Semaphore::new(limits.connections.get())), Refusals::default());
    let http = http1_builder();
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = accept_connection(&listener) => accepted,
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            refusals.refuse(stream);
            continue;
        };
        let activity = Activity::new(limits);
        let stream = TokioIo::new(HttpErrorStream::new(TimedStream::new(stream, Arc::clone(&activity))));
        let (router, shared) = (router.clone(), Arc::clone(&activity));
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            handle_request(router.clone(), Arc::clone(&shared), request)
        });
        // `watch` finishes the current request on shutdown, then closes the connection.
        let connection = connections.watch(http.serve_connection(stream, service));
        tokio::spawn(async move {
            run_connection(connection, &activity).await;
            drop(place);
        });
    }
    // New connections are refused from here on, so a load balancer tries another host.
    drop(listener);
    if tokio::time::timeout(limits.shutdown, connections.shutdown()).await.is_err() {
        tracing::warn!("running requests were cancelled: they did not finish in time");
    }
}

fn http1_builder() -> http1::Builder {
    let mut http = http1::Builder::new();
    // A client may close its sending side after the request and still read the response.
    http.half_close(true)
        // `Activity` limits the head. hyper's limit would also count the time between two requests.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES);
    http
}

/// Runs a connection to its end, or until one of its phases takes too long.
async fn run_connection(connection: impl Future<Output = hyper::Result<()>>, activity: &Activity) {
    tokio::select! {
        // The connection first: it changes the phase that the other branch looks at.
        biased;
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection failed");
            }
        }
        phase = activity.wait_until_overdue() => {
            let phase = phase.name();
            metrics::counter!(metric_names::CONNECTIONS_TIMED_OUT_TOTAL.name, "phase" => phase).increment(1);
            tracing::debug!(phase, "a connection took too long");
        }
    }
}

/// Accepts the next connection. After an error, for example when the process has no free file descriptor, it waits
/// before the next attempt, to avoid a busy loop.
async fn accept_connection(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small responses must not wait for an acknowledgement (Nagle's algorithm).
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn handle_request(
    router: Router,
    activity: Arc<Activity>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let running = RunningRequest::start(activity);
    let response = match check_head(&request) {
        Ok(()) => call_router(router, request).await,
        Err(status) => bare_response(status),
    };
    Ok(response.map(|body| ResponseBody::new(body, running)))
}

/// The layer around the API's routes catches their panics. This is for the routes beside them.
async fn call_router(router: Router, request: Request<Incoming>) -> Response<Body> {
    match AssertUnwindSafe(router.oneshot(request.map(Body::new))).catch_unwind().await {
        Ok(Ok(response)) => response,
        Err(_) => bare_response(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Bare, like hyper's own: `HttpErrorStream` adds the body.
fn bare_response(status: StatusCode) -> Response<Body> {
    (status, [(CONNECTION, HeaderValue::from_static("close"))]).into_response()
}
