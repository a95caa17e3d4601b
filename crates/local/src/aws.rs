//! AWS for tests: ministack, which checks signatures and IAM policies.
//!
//! [`Account::root`] may do everything and makes what a test needs; [`Account::user`] is somebody who may do what one
//! policy says and nothing else, so that a permission which the policy forgets fails the test.
//!
//! One server serves all the tests of a process and ends with it. Names are to be chosen so that tests do not meet.
//! `TEST_AWS_ENDPOINT_URL`, `TEST_AWS_ENDPOINT_URL_S3` and `TEST_AWS_ENDPOINT_URL_DYNAMODB` name other servers to use
//! instead, with the keys in `TEST_AWS_KEY` and `TEST_AWS_SECRET`; policies hold only for what ministack serves.

mod buckets;
mod iam;
mod policies;
mod queues;
pub mod scripted;
mod server;
mod tables;

use std::io;

use aws::{ClientConfig, Clock, HttpClient, JsonClient, SigningScope, sign_request};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use signing::s3::CustomEndpoint;
use signing::s3::Region;
use storage::{self, ObjectStore};

pub use iam::render;
pub use policies::Resources;
use server::Server;

/// The region of everything.
pub const REGION: &str = "us-east-1";

/// The account that everything belongs to, as it stands in ARNs.
pub const ACCOUNT: &str = "000000000000";

/// Somebody with access keys. It belongs to the runtime of the test that made it.
#[derive(Debug, Clone)]
pub struct Account {
    server: &'static Server,
    http: HttpClient,
    keys: Credentials,
}

/// A service, by the name it has in signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    DynamoDb,
    Iam,
    S3,
    Sqs,
    Ssm,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Iam => "iam",
            Self::S3 => "s3",
            Self::Sqs => "sqs",
            Self::Ssm => "ssm",
        }
    }
}

impl Account {
    /// Who may do everything.
    ///
    /// # Panics
    /// Where no server can be started: a test can do nothing then.
    pub fn root() -> io::Result<Self> {
        let server = Server::shared();
        Ok(Self { server, http: HttpClient::new().map_err(io::Error::other)?, keys: server.root() })
    }

    /// The access keys.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.keys
    }

    /// The same servers, with other keys.
    #[must_use]
    pub fn with_keys(&self, keys: Credentials) -> Self {
        Self { keys, ..self.clone() }
    }

    /// SQS, as this account.
    pub fn sqs(&self) -> io::Result<JsonClient> {
        JsonClient::sqs(&self.settings(Service::Sqs)?, self.http.clone()).map_err(io::Error::other)
    }

    /// DynamoDB, as this account.
    pub fn dynamodb(&self) -> io::Result<JsonClient> {
        JsonClient::dynamodb(&self.settings(Service::DynamoDb)?, self.http.clone()).map_err(io::Error::other)
    }

    /// SSM, as this account.
    pub fn ssm(&self) -> io::Result<JsonClient> {
        JsonClient::ssm(&self.settings(Service::Ssm)?, self.http.clone()).map_err(io::Error::other)
    }

    /// S3, as this account.
    pub fn objects(&self) -> io::Result<ObjectStore> {
        let endpoint = CustomEndpoint::parse(self.server.endpoint(Service::S3)).map_err(io::Error::other)?;
        let settings = storage::StorageConfig {
            endpoint: Some(endpoint),
            region: region()?,
            credentials: SharedCredentialsProvider::new(self.keys(Service::S3)),
        };
        Ok(ObjectStore::new(settings, self.http.clone()))
    }

    /// Sets a parameter of this type (`String`, `SecureString`), whether or not there was one.
    pub async fn put_parameter(&self, name: &str, kind: &str, value: &str) -> io::Result<()> {
        let parameter = json!({"Name": name, "Type": kind, "Value": value, "Overwrite": true});
        self.ssm()?.call("PutParameter", &parameter).await.map(drop).map_err(io::Error::other)
    }

    /// The variables by which a program finds the same servers, with the same keys.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", self.keys.access_key_id().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.keys.secret_access_key().to_owned()),
            ("AWS_ENDPOINT_URL", self.server.endpoint(Service::Sqs).to_owned()),
        ];
        for (name, service) in
            [("AWS_ENDPOINT_URL_S3", Service::S3), ("AWS_ENDPOINT_URL_DYNAMODB", Service::DynamoDb)]
        {
            variables.push((name, self.server.endpoint(service).to_owned()));
        }
        variables
    }

    fn settings(&self, service: Service) -> io::Result<ClientConfig> {
        Ok(ClientConfig {
            region: region()?,
            credentials: SharedCredentialsProvider::new(self.keys(service)),
            endpoint: Some(self.server.endpoint(service).to_owned()),
            clock: Clock::System,
        })
    }

    /// A server that was given knows only the keys that were given with it.
    fn keys(&self, service: Service) -> Credentials {
        self.server.given_keys(service).unwrap_or_else(|| self.keys.clone())
    }

    /// Sends a signed request; the path is to need no encoding.
    async fn send(&self, service: Service, request: Request<Bytes>) -> io::Result<(StatusCode, Bytes)> {
        let now = Clock::System.now();
        let region = region()?;
        let scope = SigningScope { service: service.name(), region: &region };
        let signed = sign_request(request, scope, &self.keys(service), now);
        let answer = self.http.send(signed.map_err(io::Error::other)?).await.map_err(io::Error::other)?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes()))
    }

    async fn call(&self, service: JsonClient, operation: &str, input: Value) -> io::Result<Value> {
        service.call(operation, &input).await.map_err(io::Error::other)
    }
}

fn region() -> io::Result<Region> {
    Region::new(REGION).map_err(io::Error::other)
}
