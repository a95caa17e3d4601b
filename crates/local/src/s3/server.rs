//! The store behind S3's protocol, on a port of its own.

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

use super::batch;
use super::gate::{self, Gate};
use super::service::Operations;
use super::store::S3;
use crate::cors;
use crate::faults::{End, Faults};
use crate::listen::{Reply, Server};

/// The region of all buckets. Signatures must name it.
pub const REGION: &str = "us-east-1";

/// Whose signatures are good.
#[derive(Clone)]
pub struct Credentials {
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Temporary credentials have one, and every request must then carry it.
    pub session_token: Option<String>,
}

impl Credentials {
    /// The fixed pair that everything local uses. It opens nothing but this store.
    #[must_use]
    pub fn local() -> Self {
        Self {
            access_key: "LOCALACCESSKEY".to_owned(),
            secret_key: "local-secret-key".to_owned(),
            session_token: None,
        }
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
    /// What to serve.
    pub store: S3,
    /// Where to listen; port 0 means any free one.
    pub address: SocketAddr,
    /// Whose signatures are good. There is no anonymous access.
    pub credentials: Vec<Credentials>,
    /// Faults on order.
    pub faults: Faults,
}

impl S3Config {
    /// Any free port of the loopback interface, [`Credentials::local`], no faults.
    #[must_use]
    pub fn new(store: S3) -> Self {
        Self {
            store,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            credentials: vec![Credentials::local()],
            faults: Faults::default(),
        }
    }
}

/// A store that is being served. Dropping it stops the server.
#[derive(Debug)]
pub struct S3Server {
    server: Server,
}

impl S3Server {
    /// Starts to serve.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on.
    pub async fn start(config: S3Config) -> io::Result<Self> {
        let S3Config { store, address, credentials, faults } = config;
        let gate = Arc::new(Gate::new(&credentials));
        let mut builder = S3ServiceBuilder::new(Operations { store, faults: faults.clone() });
        builder.set_auth(Keys::new(credentials));
        builder.set_access(Signed { faults });
        let service = builder.build();
        let handler = move |request| handle(service.clone(), Arc::clone(&gate), request);
        Ok(Self { server: Server::start(address, handler).await? })
    }

    /// The endpoint to give to an SDK, such as `http://127.0.0.1:4566`; buckets are addressed in the path.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Takes no more requests, and returns when those under way have ended, or after five seconds.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

async fn handle(service: S3Service, gate: Arc<Gate>, mut request: Request<Incoming>) -> Reply {
    if cors::is_preflight(request.method()) {
        return Reply::Answer(cors::preflight(request.headers(), "GET, HEAD, PUT, POST, DELETE"));
    }
    let method = request.method().clone();
    match gate.check(&method, request.uri(), request.headers()) {
        Ok(signed) => forget_odd_range(request.headers_mut(), &signed),
        Err(error) => return respond(&method, error.to_http_response()),
    }
    let broken = Broken::default();
    request.extensions_mut().insert(broken.clone());
    let request = match batch::check_body(request).await {
        Ok(request) => request,
        Err(error) => return respond(&method, error.to_http_response()),
    };
    // The protocol crate traces whole requests, and a presigned URL in a log is a key under the mat.
    let answer = service.call(request).with_subscriber(Dispatch::none()).await;
    match answer {
        Ok(answer) if !broken.0.load(Ordering::Relaxed) => respond(&method, Ok(answer)),
        _ => Reply::Hangup,
    }
}

fn respond(method: &Method, answer: S3Result<Response<Body>>) -> Reply {
    let Ok(mut answer) = answer else { return Reply::Hangup };
    let failed = answer.status().is_client_error() || answer.status().is_server_error();
    if answer.status() == StatusCode::NOT_MODIFIED || (method == Method::HEAD && failed) {
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        *answer.body_mut() = Body::empty();
    }
    if answer.status() == StatusCode::OK && answer.headers().contains_key(header::CONTENT_RANGE) {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    cors::allow(answer.headers_mut());
    Reply::Answer(answer)
}

/// S3 answers a range that it does not understand, or several at once, with the whole object.
fn forget_odd_range(headers: &mut HeaderMap, signed: &str) {
    let range = headers.get(header::RANGE);
    let understood = |text: &str| s3s::dto::Range::parse(text).is_ok();
    let odd = range.is_some_and(|range| !range.to_str().is_ok_and(understood));
    if odd && !signed.split(';').any(|name| name == "range") {
        headers.remove(header::RANGE);
    }
}

/// Set when the connection is to break instead of the answer being sent.
#[derive(Debug, Clone, Default)]
struct Broken(Arc<AtomicBool>);

struct Keys(BTreeMap<String, SecretKey>);

impl Keys {
    fn new(credentials: Vec<Credentials>) -> Self {
        Self(credentials.into_iter().map(|one| (one.access_key, SecretKey::from(one.secret_key))).collect())
    }
}

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.0.get(access_key).cloned().ok_or_else(gate::unknown_key)
    }
}

/// Lets every signed request through, unless a fault is on order.
struct Signed {
    faults: Faults,
}

#[async_trait]
impl S3Access for Signed {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        if request.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let fate = self.faults.meet(request.s3_op().name());
        self.faults.wait_for_release(request.s3_op().name()).await;
        if let Some(delay) = fate.delay {
            tokio::time::sleep(delay).await;
        }
        match fate.end {
            End::Served => Ok(()),
            End::Failed(error) => Err(error),
            End::Unanswered => {
                hang_up(request);
                Ok(())
            }
            End::Dropped => {
                hang_up(request);
                Err(S3Error::new(s3s::S3ErrorCode::ServiceUnavailable))
            }
        }
    }
}

fn hang_up(request: &mut S3AccessContext<'_>) {
    if let Some(broken) = request.extensions_mut().get::<Broken>() {
        broken.0.store(true, Ordering::Relaxed);
    }
}
