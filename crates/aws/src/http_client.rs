//! The HTTP client for AWS's services and for the objects behind links.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use crate::tls;

/// How long a TCP connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the pool keeps an idle connection: not as long as AWS does, so that it is we who close it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The TLS library refused its configuration.
#[derive(Debug, thiserror::Error)]
#[error("TLS setup failed: {0}")]
pub struct TlsSetupError(rustls::Error);

/// A client that follows no redirects and pools connections. Clones share the pool. The pool belongs to the runtime that
/// uses it first.
#[derive(Clone)]
pub struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpClient {
    /// Creates a client. It opens no connection yet, but it reads the system's certificate authorities, which takes some
    /// milliseconds: a host creates one client and clones it.
    pub fn new() -> Result<Self, TlsSetupError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        // A request is written in one piece: Nagle's algorithm would only delay it.
        tcp.set_nodelay(true);
        let tls = tls::client_config_builder().map_err(TlsSetupError)?;
        let tls = tls.with_root_certificates(tls::system_roots().clone()).with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_idle_timeout(IDLE_TIMEOUT).pool_timer(TokioTimer::new());
        Ok(Self(client.build(connector)))
    }

    /// Sends a request. The response's body is not read yet. An error names hosts, never paths or queries.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        self.0.request(request).await
    }

    /// Sends an idempotent request. If a pooled connection breaks, the request is sent once more: the server may have
    /// closed the connection, or the process may have been frozen (Lambda) past the idle timeout.
    pub async fn send_with_retry(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        match self.send(request.clone()).await {
            Err(error) if !error.is_connect() => self.send(request).await,
            response => response,
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}
