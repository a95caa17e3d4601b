//! The HTTP client that everything shares which is asked over HTTP: AWS's services, and the objects behind links.

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

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection is kept that nobody uses: less than AWS keeps it.
const IDLE: Duration = Duration::from_secs(20);

/// A client that follows no redirect and keeps connections; clones share them. It belongs to the runtime in which it is
/// first used.
#[derive(Clone)]
pub struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpClient {
    /// Opens no connection yet. It reads the system's certificate authorities, which takes a millisecond or two: a host
    /// makes one. An error is in words for the operator.
    pub fn new() -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        // A request is written whole; waiting to fill a packet only delays it.
        tcp.set_nodelay(true);
        let tls = tls::config_builder().map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let tls = tls.with_root_certificates(tls::system_roots().clone()).with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_idle_timeout(IDLE).pool_timer(TokioTimer::new());
        Ok(Self(client.build(connector)))
    }

    /// Sends a request; the answer's body is still to be read. An error names hosts, never paths or queries.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        self.0.request(request).await
    }

    /// Sends a request that may be answered twice. Where the connection breaks it is sent once more: the server may just
    /// have closed a connection that was kept, or the process have slept longer than it was.
    pub async fn send_again(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        match self.send(request.clone()).await {
            Err(error) if !error.is_connect() => self.send(request).await,
            answer => answer,
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}
