//! AWS's services that speak JSON: SQS, DynamoDB and SSM, each call one signed `POST`.
//!
//! The protocol is AWS JSON 1.0 and 1.1 (Smithy, "AWS JSON protocols"): the operation in a header, JSON in and out. The
//! signature is AWS's own crate's. Why not the SDK's clients: `docs/decisions/0004-signed-json-calls.md`.

mod answer;
mod backoff;
mod sign;

use std::{fmt, sync::Arc, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span, info_span};

pub use sign::sign;

pub(crate) use backoff::backoff;

use crate::{causes::with_causes, clock::Clock, credentials::Cached, http::Http, objects::Region};

/// How often a call is tried, and how long that may take.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// Tries at most.
    pub attempts: u32,
    /// One try, to the last byte of its answer.
    pub attempt_timeout: Duration,
    /// All tries, and the pauses between them.
    pub total_timeout: Duration,
}

impl CallLimits {
    /// For a call that a start waits for: Lambda gives a start ten seconds, and what takes longer leaves no log line.
    pub const START: Self =
        Self { attempts: 3, attempt_timeout: Duration::from_secs(4), total_timeout: Duration::from_secs(8) };
}

impl Default for CallLimits {
    fn default() -> Self {
        let attempt_timeout = Duration::from_secs(10);
        Self { attempts: 3, attempt_timeout, total_timeout: Duration::from_secs(35) }
    }
}

/// How to reach a service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The region of what is asked for.
    pub region: Region,
    /// Who asks.
    pub credentials: SharedCredentialsProvider,
    /// Another server than AWS's own, as in `http://127.0.0.1:4566`.
    pub endpoint: Option<String>,
    /// The time that signatures carry.
    pub clock: Clock,
}

/// Why a call did not do what it should. The text is for the log: it holds nothing of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The service will not do it, however often it is asked.
    Refused {
        /// The service's name for the reason, such as `AccessDeniedException`.
        code: String,
        /// The service's words.
        message: String,
    },
    /// Not for now: throttled, out of reach, or not to be understood, as often or as long as it was asked.
    Unavailable(String),
}

impl Error {
    /// Whether the service gave this reason.
    #[must_use]
    pub fn is(&self, reason: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == reason)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message } => write!(f, "{code}: {message}"),
            Self::Unavailable(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

/// What became of one try.
enum Failure {
    Final(Error),
    Passing(String),
}

/// A service that is asked in JSON. Clones share credentials and connections.
#[derive(Clone)]
pub struct JsonService {
    inner: Arc<Inner>,
    limits: CallLimits,
}

struct Inner {
    kind: Kind,
    region: Region,
    endpoint: Uri,
    credentials: Cached<Credentials>,
    clock: Clock,
    http: Http,
}

impl fmt::Debug for JsonService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonService").field("service", &self.inner.kind.name()).finish_non_exhaustive()
    }
}

impl JsonService {
    /// Amazon SQS. An error, here and below, is in words for the operator.
    pub fn sqs(settings: &Settings, http: Http) -> Result<Self, String> {
        Self::new(Kind::Sqs, settings, http)
    }

    /// Amazon DynamoDB.
    pub fn dynamodb(settings: &Settings, http: Http) -> Result<Self, String> {
        Self::new(Kind::DynamoDb, settings, http)
    }

    /// AWS Systems Manager: its Parameter Store.
    pub fn ssm(settings: &Settings, http: Http) -> Result<Self, String> {
        Self::new(Kind::Ssm, settings, http)
    }

    fn new(kind: Kind, settings: &Settings, http: Http) -> Result<Self, String> {
        let own = || format!("https://{}", settings.region.service_host(kind.name()));
        let endpoint = settings.endpoint.clone().unwrap_or_else(own);
        let parsed =
            endpoint.parse().ok().filter(|uri: &Uri| uri.scheme().is_some() && uri.query().is_none());
        let inner = Inner {
            kind,
            region: settings.region.clone(),
            endpoint: parsed.ok_or_else(|| format!("the endpoint {endpoint} is not a URL"))?,
            credentials: Cached::new(settings.credentials.clone(), Credentials::clone),
            clock: settings.clock,
            http,
        };
        Ok(Self { inner: Arc::new(inner), limits: CallLimits::default() })
    }

    /// The same service for somebody who waits so long.
    #[must_use]
    pub fn with_limits(self, limits: CallLimits) -> Self {
        Self { limits, ..self }
    }

    /// Host and port that calls go to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.inner.endpoint.authority().map_or("", |authority| authority.as_str())
    }

    /// The URL that calls go to.
    #[must_use]
    pub fn url(&self) -> String {
        self.inner.endpoint.to_string()
    }

    /// Calls an operation by the name it has in the service's API reference. Tried up to three times, with pauses: an
    /// operation may be carried out twice.
    pub async fn call(&self, operation: &str, input: &Value) -> Result<Value, Error> {
        let body = Bytes::from(input.to_string());
        let end = Instant::now() + self.limits.total_timeout;
        let mut tried = 0;
        loop {
            let try_ends = end.min(Instant::now() + self.limits.attempt_timeout);
            let attempt = self.attempt(operation, body.clone()).instrument(self.inner.kind.span(operation));
            let answer = timeout_at(try_ends, Box::pin(attempt)).await;
            tried += 1;
            let text = match answer.unwrap_or_else(|_| Err(Failure::Passing("no answer in time".to_owned())))
            {
                Ok(output) => return Ok(output),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(text)) => text,
            };
            let (service, endpoint) = (self.inner.kind.name(), self.endpoint());
            tracing::warn!(service, endpoint, operation, tried, error = text, "a call to AWS failed");
            let pause = backoff(tried);
            if tried >= self.limits.attempts || Instant::now() + pause >= end {
                return Err(Error::Unavailable(format!("{operation} at {endpoint}: {text}")));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, operation: &str, body: Bytes) -> Result<Value, Failure> {
        let request = self.request(operation, body).await.map_err(Failure::Passing)?;
        let answer = self.inner.http.send(request).await;
        answer::read(answer.map_err(|error| Failure::Passing(with_causes(&error)))?).await
    }

    async fn request(&self, operation: &str, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let Inner { kind, region, endpoint, credentials, clock, .. } = &*self.inner;
        let now = clock.now();
        let credentials =
            credentials.get(now).await.map_err(|error| format!("no credentials to sign with: {error}"))?;
        let request = Request::post(endpoint)
            .header(header::CONTENT_TYPE, kind.content_type())
            .header("x-amz-target", format!("{}.{operation}", kind.target()))
            .body(body)
            .map_err(|error| error.to_string())?;
        sign(request, (kind.name(), region), &credentials, now)
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sqs,
    DynamoDb,
    Ssm,
}

impl Kind {
    /// The name in host names and in signatures.
    fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::DynamoDb => "dynamodb",
            Self::Ssm => "ssm",
        }
    }

    /// What stands before an operation's name.
    fn target(self) -> &'static str {
        match self {
            Self::Sqs => "AmazonSQS",
            Self::DynamoDb => "DynamoDB_20120810",
            Self::Ssm => "AmazonSSM",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Sqs | Self::DynamoDb => "application/x-amz-json-1.0",
            Self::Ssm => "application/x-amz-json-1.1",
        }
    }

    /// One try in a trace. A span's name is fixed where it is written.
    fn span(self, operation: &str) -> Span {
        match self {
            Self::Sqs => info_span!(target: "trace", "sqs", operation),
            Self::DynamoDb => info_span!(target: "trace", "dynamodb", operation),
            Self::Ssm => info_span!(target: "trace", "ssm", operation),
        }
    }
}
