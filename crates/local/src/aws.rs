//! AWS for tests: ministack, which checks signatures and IAM policies.
//!
//! [`Account::root`] may do everything and creates what a test needs. [`Account::create_user`] returns a user with one
//! policy, so that a permission which the policy lacks fails the test.
//!
//! One server serves all tests of a process and ends with it. Tests share it, so they use unique names.
//! `TEST_AWS_ENDPOINT_URL`, `TEST_AWS_ENDPOINT_URL_S3` and `TEST_AWS_ENDPOINT_URL_DYNAMODB` select other servers, with the
//! access keys in `TEST_AWS_KEY` and `TEST_AWS_SECRET`. Only ministack enforces policies.

mod buckets;
mod iam;
mod policies;
mod queues;
pub mod scripted;
mod server;
mod tables;

use std::io;

use aws::{ClientConfig, Clock, HttpClient, JsonClient, SigningScope, sign_request, sts::StsClient};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use signing::s3::CustomEndpoint;
use signing::s3::Region;
use storage::{self, ObjectStore};
use uuid::Uuid;

pub use policies::FunctionResources;
use server::AwsServer;

/// The region of all resources.
pub const REGION: &str = "us-east-1";

/// The account number in ARNs. ministack has one account.
const ACCOUNT_ID: &str = "000000000000";

/// A name that no other test uses.
#[must_use]
pub fn unique_name(name: &str) -> String {
    format!("{name}-{}", Uuid::new_v4().simple())
}

/// An AWS account as seen by one principal: its access keys decide what it may do. The value belongs to the runtime of the
/// test that created it.
#[derive(Debug, Clone)]
pub struct Account {
    server: &'static AwsServer,
    http: HttpClient,
    credentials: Credentials,
}

/// A service, by its name in signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    DynamoDb,
    Iam,
    S3,
    Sqs,
    Ssm,
    Sts,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Iam => "iam",
            Self::S3 => "s3",
            Self::Sqs => "sqs",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }
}

impl Account {
    /// The root user, which may do everything.
    ///
    /// # Panics
    /// If the server does not start. No test could continue.
    pub fn root() -> io::Result<Self> {
        let server = AwsServer::shared();
        Ok(Self { server, http: HttpClient::new().map_err(io::Error::other)?, credentials: server.root() })
    }

    /// The access keys.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The same servers with other access keys.
    #[must_use]
    pub fn with_credentials(&self, credentials: Credentials) -> Self {
        Self { credentials, ..self.clone() }
    }

    /// A client for SQS.
    pub fn sqs(&self) -> io::Result<JsonClient> {
        JsonClient::sqs(&self.settings(Service::Sqs)?, self.http.clone()).map_err(io::Error::other)
    }

    /// A client for DynamoDB.
    pub fn dynamodb(&self) -> io::Result<JsonClient> {
        JsonClient::dynamodb(&self.settings(Service::DynamoDb)?, self.http.clone()).map_err(io::Error::other)
    }

    /// A client for SSM.
    pub fn ssm(&self) -> io::Result<JsonClient> {
        JsonClient::ssm(&self.settings(Service::Ssm)?, self.http.clone()).map_err(io::Error::other)
    }

    /// A client for S3.
    pub fn objects(&self) -> io::Result<ObjectStore> {
        let endpoint = CustomEndpoint::parse(self.s3_endpoint()).map_err(io::Error::other)?;
        let settings = storage::StorageConfig {
            endpoint: Some(endpoint),
            region: region()?,
            credentials: SharedCredentialsProvider::new(self.service_credentials(Service::S3)),
        };
        Ok(ObjectStore::new(settings, self.http.clone()))
    }

    /// A client for STS.
    pub fn sts(&self) -> io::Result<StsClient> {
        StsClient::new(&self.settings(Service::Sts)?, self.http.clone()).map_err(io::Error::other)
    }

    /// Where objects are, as in `http://127.0.0.1:4566`.
    #[must_use]
    pub fn s3_endpoint(&self) -> &str {
        self.server.endpoint(Service::S3)
    }

    /// Creates or replaces a parameter of this type (`String`, `SecureString`).
    pub async fn put_parameter(&self, name: &str, kind: &str, value: &str) -> io::Result<()> {
        let parameter = json!({"Name": name, "Type": kind, "Value": value, "Overwrite": true});
        self.ssm()?.call("PutParameter", &parameter).await.map(drop).map_err(io::Error::other)
    }

    /// The environment variables that direct a program to the same servers with the same access keys.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", self.credentials.access_key_id().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.credentials.secret_access_key().to_owned()),
            // For all services. S3 and DynamoDB may have servers of their own.
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
            credentials: SharedCredentialsProvider::new(self.service_credentials(service)),
            endpoint: Some(self.server.endpoint(service).to_owned()),
            clock: Clock::System,
        })
    }

    /// An external server knows only the access keys that were configured with it.
    fn service_credentials(&self, service: Service) -> Credentials {
        self.server.external_credentials(service).unwrap_or_else(|| self.credentials.clone())
    }

    /// Sends a signed request. The path must need no encoding.
    async fn send_request(
        &self,
        service: Service,
        request: Request<Bytes>,
    ) -> io::Result<(StatusCode, Bytes)> {
        let now = Clock::System.now();
        let region = region()?;
        let scope = SigningScope { service: service.name(), region: &region };
        let signed = sign_request(request, scope, &self.service_credentials(service), now);
        let response = self.http.send(signed.map_err(io::Error::other)?).await.map_err(io::Error::other)?;
        let status = response.status();
        Ok((status, response.into_body().collect().await.map_err(io::Error::other)?.to_bytes()))
    }
}

async fn call(service: JsonClient, operation: &str, input: Value) -> io::Result<Value> {
    service.call(operation, &input).await.map_err(io::Error::other)
}

fn region() -> io::Result<Region> {
    Region::new(REGION).map_err(io::Error::other)
}
