//! A small HTTP/1.1 server: one listener, one task per connection, a graceful end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// For a client to send the head of a request; also how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// For requests under way to end once the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// After an error of `accept`, such as too many open files.
const BREATH: Duration = Duration::from_millis(50);

/// What becomes of a request.
pub(crate) enum Reply {
    Answer(Response<Body>),
    /// The connection breaks without a word.
    Hangup,
}

/// A running server. Dropping it stops it as [`Server::shutdown`] does, without waiting.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on this address; port 0 means any free one.
    pub(crate) async fn start<H, F>(address: SocketAddr, handler: H) -> io::Result<Self>
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        Ok(Self { address, stop, accepting: tokio::spawn(accept(listener, handler, stopped)) })
    }

    /// The origin that clients use, such as `http://127.0.0.1:4566`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more requests, and returns when those under way have ended, or after five seconds.
    pub(crate) async fn shutdown(self) {
        drop(self.stop);
        // An error would mean that the task panicked, and then it has ended too.
        let _ = self.accepting.await;
    }
}

async fn accept<H, F>(listener: TcpListener, handler: H, mut stopped: watch::Receiver<()>)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // The sender says nothing; it only goes.
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, handler.clone(), stopped.clone()));
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn serve<H, F>(stream: TcpStream, handler: H, mut stopped: watch::Receiver<()>)
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Reply>,
{
    // Answers are written whole; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let reply = handler(request);
        async move {
            match reply.await {
                Reply::Answer(answer) => Ok::<_, Hangup>(answer),
                Reply::Hangup => Err(Hangup),
            }
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // How a connection ends is the client's affair: a broken one is not worth a line in the log.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Makes hyper break the connection.
#[derive(Debug)]
struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hang up")
    }
}

impl std::error::Error for Hangup {}
