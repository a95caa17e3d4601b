//! Serves a store over S3's protocol, on its own port.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Error, S3Result, s3_error};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;
use uuid::Uuid;

use super::delete_objects;
use super::operations::S3Operations;
use super::signature::{self, SignatureValidator};
use super::store::S3Store;
use crate::cors;
use crate::faults::{FaultAction, FaultInjector};
use crate::http_server::{HttpServer, Reply};

/// The region of all buckets. Signatures must name it.
pub const REGION: &str = "us-east-1";

/// What a page in a browser may do.
const READ_METHODS: &str = "GET, HEAD";

/// Access keys whose signatures are valid.
#[derive(Clone)]
pub struct Credentials {
    /// The access key id.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: String,
    /// The session token of temporary credentials. Every request must then have it.
    pub session_token: Option<String>,
}

impl Credentials {
    /// Fixed access keys, for tests. The stack has keys of its own in each state directory.
    #[must_use]
    pub fn local() -> Self {
        Self {
            access_key: "LOCALACCESSKEY".to_owned(),
            secret_key: "local-secret-key".to_owned(),
            session_token: None,
        }
    }
}

impl Credentials {
    /// Random access keys.
    #[must_use]
    pub fn generate() -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        Self {
            access_key: format!("LOCAL{}", random().to_uppercase()),
            secret_key: random() + &random(),
            session_token: None,
        }
    }

    /// The text of access keys in a file: the access key id and the secret, a line each.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n", self.access_key, self.secret_key)
    }

    /// Parses [`Credentials::to_text`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (access_key, secret_key) = text.trim_end().split_once('\n')?;
        let (access_key, secret_key) = (access_key.to_owned(), secret_key.to_owned());
        Some(Self { access_key, secret_key, session_token: None })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// How to serve a store.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// The store to serve.
    pub store: S3Store,
    /// The address to listen on. Port 0 means any free port.
    pub address: SocketAddr,
    /// The accepted access keys. There is no anonymous access.
    pub credentials: Vec<Credentials>,
    /// The faults to inject.
    pub faults: FaultInjector,
}

impl S3Config {
    /// Any free port of the loopback interface, [`Credentials::local`], no faults.
    #[must_use]
    pub fn new(store: S3Store) -> Self {
        Self {
            store,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            credentials: vec![Credentials::local()],
            faults: FaultInjector::default(),
        }
    }
}

/// A running S3 server. Dropping it stops it.
#[derive(Debug)]
pub struct S3Server {
    server: HttpServer,
}

impl S3Server {
    /// Starts the server.
    ///
    /// # Errors
    ///
    /// If the server cannot listen on the address.
    pub async fn start(config: S3Config) -> io::Result<Self> {
        let S3Config { store, address, credentials, faults } = config;
        let validator = Arc::new(SignatureValidator::new(&credentials));
        let mut builder = S3ServiceBuilder::new(S3Operations { store, faults: faults.clone() });
        builder.set_auth(SecretKeys::new(credentials));
        builder.set_access(FaultingAccess { faults });
        let service = builder.build();
        let handler = move |request| handle_request(service.clone(), Arc::clone(&validator), request);
        Ok(Self { server: HttpServer::start(address, handler).await? })
    }

    /// The endpoint for SDKs, such as `http://127.0.0.1:4566`. Buckets are addressed in the path.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Accepts no more requests. Returns when the open ones have ended, or after five seconds.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

async fn handle_request(
    service: S3Service,
    validator: Arc<SignatureValidator>,
    mut request: Request<Incoming>,
) -> Reply {
    if cors::is_preflight(request.method()) {
        return Reply::Response(cors::preflight_response(request.headers(), READ_METHODS));
    }
    let method = request.method().clone();
    // Browsers send `Origin` with every write (WHATWG Fetch, section 3.2). Programs have no origin.
    if !matches!(method, Method::GET | Method::HEAD) && request.headers().contains_key(header::ORIGIN) {
        return finish_response(&method, write_of_a_page().to_http_response());
    }
    match validator.validate(&method, request.uri(), request.headers()) {
        Ok(signed_headers) => remove_unsupported_range(request.headers_mut(), &signed_headers),
        Err(error) => return finish_response(&method, error.to_http_response()),
    }
    // The access check sets it. It has no other way to reach this function.
    let disconnect = DisconnectFlag::default();
    request.extensions_mut().insert(disconnect.clone());
    let request = match delete_objects::verify_body(request).await {
        Ok(request) => request,
        Err(error) => return finish_response(&method, error.to_http_response()),
    };
    // The protocol crate traces whole requests. Presigned URLs are secrets and must not get into a log.
    let response = service.call(request).with_subscriber(Dispatch::none()).await;
    match response {
        Ok(response) if !disconnect.is_set() => finish_response(&method, Ok(response)),
        _ => Reply::Disconnect,
    }
}

fn write_of_a_page() -> S3Error {
    s3_error!(AccessDenied, "A page in a browser may read from this server, and not write to it")
}

fn finish_response(method: &Method, response: S3Result<Response<Body>>) -> Reply {
    let Ok(mut response) = response else { return Reply::Disconnect };
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    // The protocol crate writes an XML body for every error. A 304 and the response to a HEAD must not have one.
    if response.status() == StatusCode::NOT_MODIFIED || (method == Method::HEAD && is_error) {
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::empty();
    }
    // The protocol crate answers a HEAD with a range with 200, S3 with 206.
    if response.status() == StatusCode::OK && response.headers().contains_key(header::CONTENT_RANGE) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    cors::add_headers(response.headers_mut());
    Reply::Response(response)
}

/// S3 sends the whole object for a malformed range or for several ranges. The protocol crate would refuse them, so the
/// header is removed. A signed header has to stay, because the signature covers it.
fn remove_unsupported_range(headers: &mut HeaderMap, signed_headers: &str) {
    let range = headers.get(header::RANGE);
    let is_supported = |text: &str| s3s::dto::Range::parse(text).is_ok();
    let is_unsupported = range.is_some_and(|range| !range.to_str().is_ok_and(is_supported));
    if is_unsupported && !signed_headers.split(';').any(|name| name == "range") {
        headers.remove(header::RANGE);
    }
}

/// A request extension. If it is set, the server closes the connection instead of sending the response.
#[derive(Debug, Clone, Default)]
struct DisconnectFlag(Arc<AtomicBool>);

impl DisconnectFlag {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct SecretKeys(BTreeMap<String, SecretKey>);

impl SecretKeys {
    fn new(credentials: Vec<Credentials>) -> Self {
        Self(credentials.into_iter().map(|one| (one.access_key, SecretKey::from(one.secret_key))).collect())
    }
}

#[async_trait]
impl S3Auth for SecretKeys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.0.get(access_key).cloned().ok_or_else(signature::unknown_access_key)
    }
}

/// Allows every signed request, and injects the faults.
struct FaultingAccess {
    faults: FaultInjector,
}

#[async_trait]
impl S3Access for FaultingAccess {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        // The protocol crate passes anonymous requests to this check.
        if request.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let operation = request.s3_op().name();
        let outcome = self.faults.record_request(operation);
        // Counted before it waits, so that a test can see that the request has arrived.
        self.faults.wait_for_release(operation).await;
        if let Some(delay) = outcome.delay {
            tokio::time::sleep(delay).await;
        }
        match outcome.action {
            FaultAction::Serve => Ok(()),
            FaultAction::Fail(error) => Err(error),
            FaultAction::DropResponse => {
                set_disconnect(request);
                Ok(())
            }
            // The error keeps the operation from running. The client never sees it.
            FaultAction::DropRequest => {
                set_disconnect(request);
                Err(S3Error::new(s3s::S3ErrorCode::ServiceUnavailable))
            }
        }
    }
}

fn set_disconnect(request: &mut S3AccessContext<'_>) {
    if let Some(DisconnectFlag(flag)) = request.extensions_mut().get::<DisconnectFlag>() {
        flag.store(true, Ordering::Relaxed);
    }
}
