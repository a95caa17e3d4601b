//! A stand-in for the CDN in front of the viewer assets. Clients see what Amazon CloudFront shows them.
//!
//! Every request needs a signature: in the query or, where the query has none, in cookies. It is checked against the URL
//! that the client requested, with the scheme `http`, since there is no TLS here. The response is the newest version of
//! the object that the path names. The distribution forwards no query string to its origin, so other parameters change
//! nothing.
//!
//! Like CloudFront, the edge refuses methods other than GET, HEAD and OPTIONS with 403, and ignores `Range` in a HEAD.
//! Unlike CloudFront, it has no cache: a new version is visible at once.

mod path;
mod response;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aws::Clock;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use s3s::Body;
use signing::cloudfront::{Verifier, VerifyError};

use crate::cors;
use crate::http_host::request_authority;
use crate::http_server::{HttpServer, Reply};
use crate::s3::S3Store;

/// How to serve a bucket through the edge.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// The store that holds the bucket.
    pub store: S3Store,
    /// The bucket to serve.
    pub bucket: String,
    /// The address to listen on. Port 0 means any free port.
    pub address: SocketAddr,
    /// The keys of accepted signatures.
    pub verifier: Verifier,
    /// The clock for the expiry of signatures.
    pub clock: Clock,
}

/// A running edge. Dropping it stops it.
#[derive(Debug)]
pub struct EdgeServer {
    server: HttpServer,
}

impl EdgeServer {
    /// Starts the server.
    ///
    /// # Errors
    ///
    /// If the server cannot listen on the address.
    pub async fn start(config: EdgeConfig) -> io::Result<Self> {
        let address = config.address;
        let config = Arc::new(config);
        let handler = move |request| handle_request(Arc::clone(&config), request);
        Ok(Self { server: HttpServer::start(address, handler).await? })
    }

    /// The origin of all URLs, such as `http://127.0.0.1:4567`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Accepts no more requests. Returns when the open ones have ended, or after five seconds.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

async fn handle_request(config: Arc<EdgeConfig>, request: Request<Incoming>) -> Reply {
    // Before the signature check, because a preflight has no cookies.
    if cors::is_preflight(request.method()) {
        return Reply::Response(cors::preflight_response(request.headers(), "GET, HEAD, OPTIONS"));
    }
    let mut response = respond(&config, &request).await;
    // The headers of a HEAD are those of the GET, `Content-Length` included.
    if request.method() == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    cors::add_headers(response.headers_mut());
    // As the distribution's response headers policy sets it. S3 itself has no such setting.
    let policy = HeaderValue::from_static("cross-origin");
    response.headers_mut().insert("cross-origin-resource-policy", policy);
    Reply::Response(response)
}

async fn respond(config: &EdgeConfig, request: &Request<Incoming>) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        // CloudFront answers 403 where S3 would answer 405.
        return response::error(StatusCode::FORBIDDEN, "InvalidRequest", "This method is not allowed here");
    }
    if let Err(refused) = verify_signature(config, request) {
        return signature_error(refused);
    }
    match path::parse_key(request.uri().path()) {
        Some(key) => response::object(config, &key, request).await,
        None => response::error(StatusCode::BAD_REQUEST, "InvalidURI", "Couldn't parse the specified URI."),
    }
}

/// Checks the signature in the query. CloudFront reads cookies only if the query has no part of a signature.
fn verify_signature(config: &EdgeConfig, request: &Request<Incoming>) -> Result<(), VerifyError> {
    let headers = request.headers();
    // Nothing but a host and a port: the rest of the verified URL is what is served.
    let host = request_authority(request).ok_or(VerifyError::MalformedParameter("Host"))?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let url = format!("http://{host}{target}");
    let now = config.clock.now();
    let verified = match config.verifier.verify_url(&url, now, None) {
        Err(VerifyError::NotSigned) => {
            config.verifier.verify_cookies(&url, &parse_cookies(headers), now, None)
        }
        in_query => in_query,
    };
    verified.map(|_| ())
}

/// RFC 6265, section 4.2.1: pairs in one or more `Cookie` headers.
fn parse_cookies(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')).collect()
}

fn signature_error(refused: VerifyError) -> Response<Body> {
    // The codes that CloudFront shows. All other reasons look alike to the client.
    let (code, message) = match refused {
        VerifyError::NotSigned | VerifyError::MissingParameter("Key-Pair-Id") => {
            ("MissingKey", "Missing Key-Pair-Id query parameter or cookie value")
        }
        VerifyError::UnknownKey => ("InvalidKey", "Unknown Key"),
        VerifyError::InvalidPolicy | VerifyError::MalformedParameter("Policy") => {
            ("MalformedPolicy", "Malformed Policy")
        }
        _ => ("AccessDenied", "Access denied"),
    };
    response::error(StatusCode::FORBIDDEN, code, message)
}
