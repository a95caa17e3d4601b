//! A client for AWS's services that speak JSON: SQS, DynamoDB and SSM. Each call is one signed `POST`.
//!
//! The protocol is AWS JSON 1.0 and 1.1 (Smithy, "AWS JSON protocols"): the operation's name in a header, JSON in and
//! out. AWS's own crate signs. Why not the SDK's clients: `docs/decisions/0004-signed-json-calls.md`.

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
use signing::s3::Region;

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
        let body = Bytes::from(input.to_string());
        let call = CallName { service: self.inner.service.name(), endpoint: self.authority(), operation };
        send_attempts(call, self.limits, || {
            let span = self.inner.service.attempt_span(operation);
            // Boxed: the future of one attempt is large, and every caller's future would hold it.
            Box::pin(self.send_attempt(operation, body.clone()).instrument(span))
        })
        .await
    }

    async fn send_attempt(&self, operation: &str, body: Bytes) -> Result<Value, AttemptError> {
        let request = self.build_request(operation, body).await.map_err(AttemptError::Transient)?;
        let response = self.inner.http.send(request).await;
        let response = response.map_err(|error| AttemptError::Transient(error_chain(&error)))?;
        response::read_output(response).await
    }

    async fn build_request(&self, operation: &str, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let Inner { service, region, endpoint, credentials, clock, .. } = &*self.inner;
        let now = clock.now();
        let credentials =
            credentials.get(now).await.map_err(|error| format!("no credentials to sign with: {error}"))?;
        let request = Request::post(endpoint)
            .header(header::CONTENT_TYPE, service.content_type())
            .header("x-amz-target", format!("{}.{operation}", service.target_prefix()))
            .body(body)
            .map_err(|error| error.to_string())?;
        let scope = SigningScope { service: service.name(), region };
        sign_request(request, scope, &credentials, now).map_err(|error| error.to_string())
    }
}

#[derive(Debug, Clone, Copy)]
enum Service {
    Sqs,
    DynamoDb,
    Ssm,
}

impl Service {
    /// The name in host names and in signatures.
    fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::DynamoDb => "dynamodb",
            Self::Ssm => "ssm",
        }
    }

    /// The prefix of an operation's name in `X-Amz-Target`: the name of the service in its Smithy model.
    fn target_prefix(self) -> &'static str {
        match self {
            Self::Sqs => "AmazonSQS",
            Self::DynamoDb => "DynamoDB_20120810",
            Self::Ssm => "AmazonSSM",
        }
    }

    /// SSM speaks AWS JSON 1.1, the others 1.0.
    fn content_type(self) -> &'static str {
        match self {
            Self::Sqs | Self::DynamoDb => "application/x-amz-json-1.0",
            Self::Ssm => "application/x-amz-json-1.1",
        }
    }

    /// The span of one attempt. A span's name must be a literal.
    fn attempt_span(self, operation: &str) -> Span {
        match self {
            Self::Sqs => info_span!(target: "trace", "sqs", operation),
            Self::DynamoDb => info_span!(target: "trace", "dynamodb", operation),
            Self::Ssm => info_span!(target: "trace", "ssm", operation),
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
        let request = client.build_request("GetParameter", Bytes::from_static(b"{}")).await.unwrap();
        assert_eq!(request.uri(), "https://ssm.cn-north-1.amazonaws.com.cn/");
        assert_eq!(request.headers()["x-amz-target"], "AmazonSSM.GetParameter");
        assert_eq!(request.headers()["content-type"], "application/x-amz-json-1.1");
        let signature = request.headers()["authorization"].to_str().unwrap();
        assert!(signature.contains("Credential=AKID/20150830/cn-north-1/ssm/aws4_request"), "{signature}");
    }
}
