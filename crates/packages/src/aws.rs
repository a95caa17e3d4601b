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
use tracing::{Instrument, Span, info_span};

pub use sign::sign;

pub(crate) use backoff::backoff;

use crate::{causes::with_causes, clock::Clock, credentials::Cached, http::Http, objects::Region};

/// How often a call is tried.
const TRIES: u32 = 3;

/// How long one try may take, to the last byte of its answer.
const TRY: Duration = Duration::from_secs(10);

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
pub struct JsonService(Arc<Inner>);

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
        f.debug_struct("JsonService").field("service", &self.0.kind.name()).finish_non_exhaustive()
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
        let own = || format!("https://{}.{}.amazonaws.com", kind.name(), settings.region);
        let endpoint = settings.endpoint.clone().unwrap_or_else(own);
        let parsed =
            endpoint.parse().ok().filter(|uri: &Uri| uri.scheme().is_some() && uri.query().is_none());
        Ok(Self(Arc::new(Inner {
            kind,
            region: settings.region.clone(),
            endpoint: parsed.ok_or_else(|| format!("the endpoint {endpoint} is not a URL"))?,
            credentials: Cached::new(settings.credentials.clone(), Credentials::clone),
            clock: settings.clock,
            http,
        })))
    }

    /// Calls an operation by the name it has in the service's API reference. Tried up to three times, with pauses: an
    /// operation may be carried out twice.
    pub async fn call(&self, operation: &str, input: &Value) -> Result<Value, Error> {
        let body = Bytes::from(input.to_string());
        let mut tried = 0;
        loop {
            let answer = self.attempt(operation, body.clone()).instrument(self.0.kind.span(operation)).await;
            tried += 1;
            match answer {
                Ok(output) => return Ok(output),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(text)) if tried == TRIES => {
                    return Err(Error::Unavailable(format!("{operation}: {text}")));
                }
                Err(Failure::Passing(text)) => {
                    tracing::debug!(operation, error = text, "asking again");
                    tokio::time::sleep(backoff(tried)).await;
                }
            }
        }
    }

    async fn attempt(&self, operation: &str, body: Bytes) -> Result<Value, Failure> {
        let request = self.request(operation, body).await.map_err(Failure::Passing)?;
        let exchange = async {
            let answer = self.0.http.send(request).await;
            answer::read(answer.map_err(|error| Failure::Passing(with_causes(&error)))?).await
        };
        let late = |_| Failure::Passing(format!("no answer within {} s", TRY.as_secs()));
        tokio::time::timeout(TRY, exchange).await.map_err(late)?
    }

    async fn request(&self, operation: &str, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let Inner { kind, region, endpoint, credentials, clock, .. } = &*self.0;
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
