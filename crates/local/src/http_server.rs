//! A small HTTP/1.1 server: one listener, one task per connection, graceful shutdown.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::http_host::request_authority;

/// Time for a client to send the head of a request. Also the time that an idle connection is kept.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for open requests to end after the server was told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after an error of `accept`, such as too many open files.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// What the server does with a request.
pub(crate) enum Reply {
    Response(Response<Body>),
    /// Closes the connection without a response.
    Disconnect,
}

/// A running server. Dropping it stops it as [`HttpServer::shutdown`] does, without waiting.
#[derive(Debug)]
pub(crate) struct HttpServer {
    address: SocketAddr,
    stop: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl HttpServer {
    /// Listens on this address. Port 0 means any free port.
    pub(crate) async fn start<H, F>(address: SocketAddr, handler: H) -> io::Result<Self>
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        Ok(Self { address, stop, accepting: tokio::spawn(accept_connections(listener, handler, stopped)) })
    }

    /// The origin that clients use, such as `http://127.0.0.1:4566`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Accepts no more requests. Returns when the open ones have ended, or after five seconds.
    pub(crate) async fn shutdown(self) {
        drop(self.stop);
        // An error means that the task panicked. Then it has ended too.
        let _ = self.accepting.await;
    }
}

async fn accept_connections<H, F>(listener: TcpListener, handler: H, mut stopped: watch::Receiver<()>)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // The sender never sends. Dropping it ends this wait.
            _ = stopped.changed() => break,
            // Frees the connections that have ended.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, handler.clone(), stopped.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await,
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, all_ended).await;
}

async fn serve_connection<H, F>(stream: TcpStream, handler: H, mut stopped: watch::Receiver<()>)
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Reply>,
{
    // Responses are written in one piece. Nagle's algorithm would only delay them.
    let _ = stream.set_nodelay(true);
    let port = stream.local_addr().map(|address| address.port()).ok();
    let service = service_fn(move |request: Request<Incoming>| {
        let method = request.method().clone();
        let reply = request_authority(&request).is_some().then(|| handler(request));
        async move {
            let reply = match reply {
                Some(reply) => reply.await,
                None => Reply::Response(invalid_host()),
            };
            match reply {
                Reply::Response(response) => {
                    log_response(port, &method, &response);
                    Ok(response)
                }
                // hyper closes the connection when the service returns an error.
                Reply::Disconnect => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            }
        }
    });
    let mut builder = http1::Builder::new();
    // Without a timer hyper ignores the timeout.
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // A connection that the client breaks is no error of the server, so results are ignored.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn invalid_host() -> Response<Body> {
    let mut response =
        Response::new(Body::from("the request needs one Host, as host or host:port".to_owned()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Tests of clients count these lines. They have no URL, which may be a working link.
fn log_response(port: Option<u16>, method: &Method, response: &Response<Body>) {
    let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let bytes: Option<u64> = length.or_else(|| response.body().size_hint().exact());
    tracing::debug!(port, %method, status = response.status().as_u16(), bytes, "answered");
}
