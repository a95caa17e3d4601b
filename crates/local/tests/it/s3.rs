//! The embedded S3 over real sockets: the AWS SDK where it will do, bare HTTP where headers are the point.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should stop")]

mod batch;
mod faults;
mod journal;
mod lifecycle;
mod listings;
mod model;
mod objects;
mod presigned;
mod uploads;
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
use local::faults::Faults;
use local::s3::{Credentials, S3, S3Config, S3Server};
use tempfile::TempDir;

/// A running server with one bucket, a client for it, and the folder that it is in.
pub(crate) struct Fixture {
    pub(crate) store: S3,
    pub(crate) client: Client,
    pub(crate) faults: Faults,
    pub(crate) server: S3Server,
    _dir: TempDir,
}

pub(crate) const BUCKET: &str = "storage";

impl Fixture {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = S3::open(dir.path(), Clock::System).unwrap();
        store.create_bucket(BUCKET).unwrap();
        let faults = Faults::default();
        let config = S3Config { faults: faults.clone(), ..S3Config::new(store.clone()) };
        let server = S3Server::start(config).await.unwrap();
        let client = client(&server.endpoint(), &Credentials::local(), "us-east-1");
        Self { store, client, faults, server, _dir: dir }
    }

    /// Puts an object through the protocol and returns its version id.
    pub(crate) async fn put(&self, key: &str, body: impl Into<Bytes>) -> String {
        let body = ByteStream::from(body.into());
        let put = self.client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
        put.version_id().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, key: &str) -> Vec<u8> {
        let got = self.client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        got.body.collect().await.unwrap().to_vec()
    }

    /// Asks with the SDK's header signature but sees the bare answer.
    pub(crate) async fn presigned_get(&self, key: &str) -> PresignedRequest {
        self.client.get_object().bucket(BUCKET).key(key).presigned(for_a_minute()).await.unwrap()
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
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

pub(crate) fn for_a_minute() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_mins(1)).unwrap()
}

/// A bare HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Sends a request as it is.
pub(crate) async fn send(method: Method, uri: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Answer {
    let client = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = client.request(request.body(Full::from(body)).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
}

pub(crate) async fn get(uri: &str, headers: &[(&str, &str)]) -> Answer {
    send(Method::GET, uri, headers, b"").await
}

pub(crate) async fn head(uri: &str, headers: &[(&str, &str)]) -> Answer {
    send(Method::HEAD, uri, headers, b"").await
}
