//! A client for AWS's services that speak JSON: SQS, DynamoDB, SSM and Lambda. Each call is one signed `POST`.
//!
//! The protocol is AWS JSON 1.0 and 1.1 (Smithy, "AWS JSON protocols"): the operation's name in a header, JSON in and
//! out. Lambda's `Invoke` has the function's name in the path instead. AWS's own crate signs. Why not the SDK's clients: `docs/decisions/0004-signed-json-calls.md`.

mod response;

use std::{fmt, sync::Arc};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;
use serde_json::Value;
use tracing::{Instrument, Span, info_span};

use crate::{
    Clock, HttpClient, SigningScope,
    attempts::{AttemptError, CallLimits, CallName, Error, send_attempts},
    credentials::CachedCredentials,
    error_chain, sign_request,
};
use signing::{percent, s3::Region};

/// How to reach a service.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The service's region.
    pub region: Region,
    /// The credentials that sign.
    pub credentials: SharedCredentialsProvider,
    /// A server in place of AWS's own, as in `http://127.0.0.1:4566`.
    pub endpoint: Option<String>,
    /// The time in signatures.
    pub clock: Clock,
}

impl ClientConfig {
    /// The configured endpoint, else AWS's own (AWS General Reference, "Service endpoints and quotas").
    pub(crate) fn service_endpoint(&self, service: &str) -> Result<Uri, InvalidEndpoint> {
        let regional = || format!("https://{}", self.region.service_host(service));
        let endpoint = self.endpoint.clone().unwrap_or_else(regional);
        let parsed: Option<Uri> = endpoint.parse().ok();
        let valid = parsed.filter(|uri| uri.scheme().is_some() && uri.query().is_none());
        valid.ok_or(InvalidEndpoint(endpoint))
    }
}

/// An endpoint that is not an absolute URL without a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid endpoint URL: {0}")]
pub struct InvalidEndpoint(String);

/// A client for one service. Clones share credentials and connections.
#[derive(Clone)]
pub struct JsonClient {
    inner: Arc<Inner>,
    limits: CallLimits,
}

struct Inner {
    service: Service,
    region: Region,
    endpoint: Uri,
    credentials: CachedCredentials<Credentials>,
    clock: Clock,
    http: HttpClient,
}

impl fmt::Debug for JsonClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonClient").field("service", &self.inner.service.name()).finish_non_exhaustive()
    }
}

impl JsonClient {
    /// A client for Amazon SQS.
    pub fn sqs(config: &ClientConfig, http: HttpClient) -> Result<Self, InvalidEndpoint> {
        Self::new(Service::Sqs, config, http)
    }

    /// A client for Amazon DynamoDB.
    pub fn dynamodb(config: &ClientConfig, http: HttpClient) -> Result<Self, InvalidEndpoint> {
        Self::new(Service::DynamoDb, config, http)
    }

    /// A client for AWS Systems Manager, whose Parameter Store is used.
    pub fn ssm(config: &ClientConfig, http: HttpClient) -> Result<Self, InvalidEndpoint> {
        Self::new(Service::Ssm, config, http)
    }

    /// A client for AWS Lambda.
    pub fn lambda(config: &ClientConfig, http: HttpClient) -> Result<Self, InvalidEndpoint> {
        Self::new(Service::Lambda, config, http)
    }

    fn new(service: Service, config: &ClientConfig, http: HttpClient) -> Result<Self, InvalidEndpoint> {
        let inner = Inner {
            service,
            region: config.region.clone(),
            endpoint: config.service_endpoint(service.name())?,
            credentials: CachedCredentials::new(config.credentials.clone(), Credentials::clone),
            clock: config.clock,
            http,
        };
        Ok(Self { inner: Arc::new(inner), limits: CallLimits::default() })
    }

    /// The same client with other limits.
    #[must_use]
    pub fn with_limits(self, limits: CallLimits) -> Self {
        Self { limits, ..self }
    }

    /// Host and port of the endpoint.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.inner.endpoint.authority().map_or("", |authority| authority.as_str())
    }

    /// The endpoint's URL.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        self.inner.endpoint.to_string()
    }

    /// Calls an operation by its name in the service's API reference. A transient failure is retried after a delay, so
    /// the service may carry out the operation more than once.
    pub async fn call(&self, operation: &str, input: &Value) -> Result<Value, Error> {
        self.send(Operation::Named(operation), input).await
    }

    /// Calls a function by its ARN, waits for its result and returns it (AWS Lambda API Reference, `Invoke`). A function
    /// that fails is [`Error::Unavailable`]. It may run more than once.
    pub async fn invoke(&self, function_arn: &str, input: &Value) -> Result<Value, Error> {
        self.send(Operation::Invoke { function_arn }, input).await
    }

    async fn send(&self, operation: Operation<'_>, input: &Value) -> Result<Value, Error> {
        let body = Bytes::from(input.to_string());
        let (service, name) = (self.inner.service, operation.name());
        let call = CallName { service: service.name(), endpoint: self.authority(), operation: name };
        send_attempts(call, self.limits, || {
            let span = service.attempt_span(name);
            // Boxed: the future of one attempt is large, and every caller's future would hold it.
            Box::pin(self.send_attempt(operation, body.clone()).instrument(span))
        })
        .await
    }

    async fn send_attempt(&self, operation: Operation<'_>, body: Bytes) -> Result<Value, AttemptError> {
        let request = self.build_request(operation, body).await.map_err(AttemptError::Transient)?;
        let response = self.inner.http.send(request).await;
        let response = response.map_err(|error| AttemptError::Transient(error_chain(&error)))?;
        response::read_output(response).await
    }

    async fn build_request(
        &self,
        operation: Operation<'_>,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, String> {
        let Inner { service, region, endpoint, credentials, clock, .. } = &*self.inner;
        let now = clock.now();
        let credentials =
            credentials.get(now).await.map_err(|error| format!("no credentials to sign with: {error}"))?;
        let request = match operation {
            Operation::Named(name) => {
                Request::post(endpoint).header("x-amz-target", format!("{}.{name}", service.target_prefix()))
            }
            Operation::Invoke { function_arn } => {
                let base = endpoint.to_string();
                let (base, function) = (base.trim_end_matches('/'), percent::encode(function_arn));
                Request::post(format!("{base}/2015-03-31/functions/{function}/invocations"))
            }
        };
        let request = request.header(header::CONTENT_TYPE, service.content_type()).body(body);
        let request = request.map_err(|error| error.to_string())?;
        let scope = SigningScope { service: service.name(), region };
        sign_request(request, scope, &credentials, now).map_err(|error| error.to_string())
    }
}

/// What a service is asked for.
#[derive(Debug, Clone, Copy)]
enum Operation<'a> {
    /// An operation of AWS JSON, by its name.
    Named(&'a str),
    /// Lambda's `Invoke`.
    Invoke { function_arn: &'a str },
}

impl<'a> Operation<'a> {
    fn name(self) -> &'a str {
        match self {
            Self::Named(name) => name,
            Self::Invoke { .. } => "Invoke",
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Service {
    Sqs,
    DynamoDb,
    Ssm,
    Lambda,
}

impl Service {
    /// The name in host names and in signatures.
    fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::DynamoDb => "dynamodb",
            Self::Ssm => "ssm",
            Self::Lambda => "lambda",
        }
    }

    /// The prefix of an operation's name in `X-Amz-Target`: the name of the service in its Smithy model.
    fn target_prefix(self) -> &'static str {
        match self {
            Self::Sqs => "AmazonSQS",
            Self::DynamoDb => "DynamoDB_20120810",
            Self::Ssm => "AmazonSSM",
            Self::Lambda => "AWSLambda",
        }
    }

    /// SSM speaks AWS JSON 1.1, SQS and DynamoDB 1.0.
    fn content_type(self) -> &'static str {
        match self {
            Self::Sqs | Self::DynamoDb => "application/x-amz-json-1.0",
            Self::Ssm => "application/x-amz-json-1.1",
            Self::Lambda => "application/json",
        }
    }

    /// The span of one attempt. A span's name must be a literal.
    fn attempt_span(self, operation: &str) -> Span {
        match self {
            Self::Sqs => info_span!(target: "trace", "sqs", operation),
            Self::DynamoDb => info_span!(target: "trace", "dynamodb", operation),
            Self::Ssm => info_span!(target: "trace", "ssm", operation),
            Self::Lambda => info_span!(target: "trace", "lambda", operation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(region: &str, endpoint: Option<&str>) -> ClientConfig {
        ClientConfig {
            region: Region::new(region).unwrap(),
            credentials: SharedCredentialsProvider::new(Credentials::new("AKID", "key", None, None, "test")),
            endpoint: endpoint.map(str::to_owned),
            clock: Clock::Fixed(1_440_938_160),
        }
    }

    #[test]
    fn aws_is_reached_under_the_regions_host_name() {
        let http = HttpClient::new().unwrap();
        for (region, suffix) in [
            ("us-east-1", "us-east-1.amazonaws.com"),
            ("us-gov-west-1", "us-gov-west-1.amazonaws.com"),
            ("cn-north-1", "cn-north-1.amazonaws.com.cn"),
        ] {
            let config = config(region, None);
            for (client, service) in [
                (JsonClient::sqs(&config, http.clone()), "sqs"),
                (JsonClient::dynamodb(&config, http.clone()), "dynamodb"),
                (JsonClient::ssm(&config, http.clone()), "ssm"),
            ] {
                let client = client.unwrap();
                assert_eq!(client.endpoint_url(), format!("https://{service}.{suffix}/"));
                assert_eq!(client.authority(), format!("{service}.{suffix}"));
            }
        }
    }

    #[test]
    fn an_endpoint_replaces_awss_own_and_must_be_a_url() {
        let http = HttpClient::new().unwrap();
        let client = JsonClient::sqs(&config("cn-north-1", Some("http://127.0.0.1:4566")), http.clone());
        assert_eq!(client.unwrap().authority(), "127.0.0.1:4566");
        for endpoint in ["localhost", "/path", "http://", "not a url", "http://127.0.0.1/?a=b"] {
            let error = JsonClient::sqs(&config("us-east-1", Some(endpoint)), http.clone()).unwrap_err();
            assert_eq!(error.to_string(), format!("invalid endpoint URL: {endpoint}"));
        }
    }

    #[tokio::test]
    async fn a_request_names_and_signs_its_service() {
        let client = JsonClient::ssm(&config("cn-north-1", None), HttpClient::new().unwrap()).unwrap();
        let request =
            client.build_request(Operation::Named("GetParameter"), Bytes::from_static(b"{}")).await.unwrap();
        assert_eq!(request.uri(), "https://ssm.cn-north-1.amazonaws.com.cn/");
        assert_eq!(request.headers()["x-amz-target"], "AmazonSSM.GetParameter");
        assert_eq!(request.headers()["content-type"], "application/x-amz-json-1.1");
        let signature = request.headers()["authorization"].to_str().unwrap();
        assert!(signature.contains("Credential=AKID/20150830/cn-north-1/ssm/aws4_request"), "{signature}");
    }

    #[tokio::test]
    async fn a_functions_arn_is_one_segment_of_the_path() {
        let config = config("us-east-1", Some("http://127.0.0.1:4566/"));
        let client = JsonClient::lambda(&config, HttpClient::new().unwrap()).unwrap();
        let operation = Operation::Invoke { function_arn: "arn:aws:lambda:us-east-1:1:function:a/b" };
        let request = client.build_request(operation, Bytes::from_static(b"{}")).await.unwrap();
        let function = "arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Aa%2Fb";
        let url = format!("http://127.0.0.1:4566/2015-03-31/functions/{function}/invocations");
        assert_eq!(request.uri().to_string(), url);
        assert!(!request.headers().contains_key("x-amz-target"));
        assert!(request.headers()["authorization"].to_str().unwrap().contains("/us-east-1/lambda/"));
    }
}
