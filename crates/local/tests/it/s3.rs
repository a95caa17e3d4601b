//! The embedded S3 over real sockets: with the AWS SDK, or with plain HTTP where the test is about headers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at an unexpected result")]

mod delete_objects;
mod faults;
mod journal;
mod lifecycle;
mod list_objects;
mod model;
mod multipart;
mod objects;
mod presigned;

mod versions;

use std::time::Duration;

use aws::Clock;
use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use local::faults::FaultInjector;
use local::s3::{Credentials, S3Config, S3Server, S3Store};
use tempfile::TempDir;

/// A running server with one bucket, and a client for it.
pub(crate) struct Fixture {
    pub(crate) store: S3Store,
    pub(crate) client: Client,
    pub(crate) faults: FaultInjector,
    pub(crate) server: S3Server,
    _dir: TempDir,
}

pub(crate) const BUCKET: &str = "storage";

impl Fixture {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = S3Store::open(dir.path(), Clock::System).unwrap();
        store.create_bucket(BUCKET).unwrap();
        let faults = FaultInjector::default();
        let config = S3Config { faults: faults.clone(), ..S3Config::new(store.clone()) };
        let server = S3Server::start(config).await.unwrap();
        let client = client(&server.endpoint(), &Credentials::local(), "us-east-1");
        Self { store, client, faults, server, _dir: dir }
    }

    /// Stores an object over the protocol and returns its version id.
    pub(crate) async fn put(&self, key: &str, body: impl Into<Bytes>) -> String {
        let body = ByteStream::from(body.into());
        let put = self.client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
        put.version_id().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, key: &str) -> Vec<u8> {
        let got = self.client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        got.body.collect().await.unwrap().to_vec()
    }

    /// A presigned request, for tests that need the plain response.
    pub(crate) async fn presigned_get(&self, key: &str) -> PresignedRequest {
        self.client.get_object().bucket(BUCKET).key(key).presigned(one_minute()).await.unwrap()
    }
}

pub(crate) fn client(endpoint: &str, credentials: &Credentials, region: &str) -> Client {
    let Credentials { access_key, secret_key, session_token } = credentials.clone();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SdkCredentials::new(access_key, secret_key, session_token, None, "test"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .region(Region::new(region.to_owned()))
        // Tests count requests.
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

pub(crate) fn one_minute() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_mins(1)).unwrap()
}

/// A plain HTTP response.
pub(crate) struct PlainResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl PlainResponse {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Sends a request without changes.
pub(crate) async fn send(
    method: Method,
    uri: &str,
    headers: &[(&str, &str)],
    body: &'static [u8],
) -> PlainResponse {
    let client = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = client.request(request.body(Full::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    PlainResponse {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

pub(crate) async fn get(uri: &str, headers: &[(&str, &str)]) -> PlainResponse {
    send(Method::GET, uri, headers, b"").await
}

pub(crate) async fn head(uri: &str, headers: &[(&str, &str)]) -> PlainResponse {
    send(Method::HEAD, uri, headers, b"").await
}
