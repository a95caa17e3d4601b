//! A stand-in for the CDN in front of the viewer assets: Amazon CloudFront as far as clients can tell.
//!
//! Nothing is served unsigned. A signature may be in the query or, where there is none, in cookies; it is checked
//! against the URL that the client asked for, with the scheme `http`, since there is no TLS here. What is served is
//! the newest version of the object that the path names. The origin sees no query string, as the distribution
//! forwards none, so parameters beside the signature change nothing.
//!
//! Like CloudFront it refuses methods other than GET, HEAD and OPTIONS with 403, and answers a HEAD as if it had no
//! `Range`. Unlike CloudFront it has no cache, so a new version is seen at once.

mod answer;
mod path;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use packages::clock::Clock;
use s3s::Body;
use signing::cloudfront::{Refused, Verifier};

use crate::cors;
use crate::listen::{Reply, Server};
use crate::s3::S3;

/// How to serve a bucket through the edge.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// The store that holds the bucket.
    pub store: S3,
    /// The bucket that keys are looked up in.
    pub bucket: String,
    /// Where to listen; port 0 means any free one.
    pub address: SocketAddr,
    /// The keys whose signatures are good.
    pub verifier: Verifier,
    /// What signatures expire by.
    pub clock: Clock,
}

/// A running edge. Dropping it stops it.
#[derive(Debug)]
pub struct Edge {
    server: Server,
}

impl Edge {
    /// Starts to serve.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on.
    pub async fn start(config: EdgeConfig) -> io::Result<Self> {
        let address = config.address;
        let config = Arc::new(config);
        let handler = move |request| handle(Arc::clone(&config), request);
        Ok(Self { server: Server::start(address, handler).await? })
    }

    /// The origin to make URLs with, such as `http://127.0.0.1:4567`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Takes no more requests, and returns when those under way have ended, or after five seconds.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

async fn handle(config: Arc<EdgeConfig>, request: Request<Incoming>) -> Reply {
    if cors::is_preflight(request.method()) {
        return Reply::Answer(cors::preflight(request.headers(), "GET, HEAD, OPTIONS"));
    }
    let mut answer = respond(&config, &request).await;
    if request.method() == Method::HEAD {
        *answer.body_mut() = Body::empty();
    }
    cors::allow(answer.headers_mut());
    Reply::Answer(answer)
}

async fn respond(config: &EdgeConfig, request: &Request<Incoming>) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return answer::error(StatusCode::FORBIDDEN, "InvalidRequest", "This method is not allowed here");
    }
    if let Err(refused) = verify(config, request) {
        return refusal(refused);
    }
    match path::key(request.uri().path()) {
        Some(key) => answer::object(config, &key, request).await,
        None => answer::error(StatusCode::BAD_REQUEST, "InvalidURI", "Couldn't parse the specified URI."),
    }
}

/// Looks for a signature in the query and, if there is not even a part of one, in the cookies.
fn verify(config: &EdgeConfig, request: &Request<Incoming>) -> Result<(), Refused> {
    let headers = request.headers();
    let host =
        headers.get(header::HOST).and_then(|host| host.to_str().ok()).ok_or(Refused::Malformed("Host"))?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let url = format!("http://{host}{target}");
    let now = config.clock.now();
    let verified = match config.verifier.verify(&url, now, None) {
        Err(Refused::NotSigned) => config.verifier.verify_cookies(&url, &cookies(headers), now, None),
        in_query => in_query,
    };
    verified.map(|_| ())
}

/// RFC 6265, section 4.2.1: pairs of one or more `Cookie` headers.
fn cookies(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')).collect()
}

fn refusal(refused: Refused) -> Response<Body> {
    let (code, message) = match refused {
        Refused::NotSigned | Refused::Missing("Key-Pair-Id") => {
            ("MissingKey", "Missing Key-Pair-Id query parameter or cookie value")
        }
        Refused::UnknownKey => ("InvalidKey", "Unknown Key"),
        Refused::InvalidPolicy | Refused::Malformed("Policy") => ("MalformedPolicy", "Malformed Policy"),
        _ => ("AccessDenied", "Access denied"),
    };
    answer::error(StatusCode::FORBIDDEN, code, message)
}
