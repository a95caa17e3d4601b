//! The time limits for a service that does not respond.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use aws::{CallLimits, ClientConfig, Clock, Error, HttpClient, JsonClient};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use local::full_backlog::FullBacklogListener;
use serde_json::json;
use signing::s3::Region;
use tokio::net::TcpListener;

const LIMITS: CallLimits = CallLimits {
    attempts: 3,
    attempt_timeout: Duration::from_millis(400),
    total_timeout: Duration::from_millis(700),
};

async fn assert_timeout(address: SocketAddr) {
    let settings = ClientConfig {
        region: Region::new("us-east-1").unwrap(),
        credentials: SharedCredentialsProvider::new(Credentials::new("AKID", "key", None, None, "test")),
        endpoint: Some(format!("http://{address}")),
        clock: Clock::System,
    };
    let service = JsonClient::ssm(&settings, HttpClient::new().unwrap()).unwrap().with_limits(LIMITS);
    let started_at = Instant::now();
    let error = service.call("GetParameter", &json!({"Name": "secret-name"})).await.unwrap_err();
    let elapsed = started_at.elapsed();
    let expected = format!("GetParameter at {address}: no answer in time");
    assert_eq!(error, Error::Unavailable(expected));
    // Two attempts. The total timeout ends the second one. Without a timeout this would take minutes.
    assert!(elapsed > LIMITS.attempt_timeout && elapsed < Duration::from_mins(2), "{elapsed:?}");
}

#[tokio::test]
async fn a_service_that_accepts_and_never_responds_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert_timeout(listener.local_addr().unwrap()).await;
}

#[tokio::test]
async fn a_service_that_drops_packets_times_out() {
    let listener = FullBacklogListener::start().await.unwrap();
    assert_timeout(listener.local_addr().unwrap()).await;
}
