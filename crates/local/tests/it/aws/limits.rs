//! How long a service that does not answer is waited for.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use aws::{CallLimits, ClientConfig, Clock, Error, HttpClient, JsonClient};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use local::full_socket::FullSocket;
use serde_json::json;
use signing::s3::Region;
use tokio::net::TcpListener;

const LIMITS: CallLimits = CallLimits {
    attempts: 3,
    attempt_timeout: Duration::from_millis(400),
    total_timeout: Duration::from_millis(700),
};

async fn call(address: SocketAddr) -> (Error, Duration) {
    let settings = ClientConfig {
        region: Region::new("us-east-1").unwrap(),
        credentials: SharedCredentialsProvider::new(Credentials::new("AKID", "key", None, None, "test")),
        endpoint: Some(format!("http://{address}")),
        clock: Clock::System,
    };
    let service = JsonClient::ssm(&settings, HttpClient::new().unwrap()).unwrap().with_limits(LIMITS);
    let begun = Instant::now();
    let error = service.call("GetParameter", &json!({"Name": "secret-name"})).await.unwrap_err();
    (error, begun.elapsed())
}

fn assert_given_up(address: SocketAddr, (error, took): (Error, Duration)) {
    let expected = format!("GetParameter at {address}: no answer in time");
    assert_eq!(error, Error::Unavailable(expected));
    // Two tries, and the second is cut short.
    assert!(took > LIMITS.attempt_timeout && took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_service_that_accepts_and_never_answers_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    assert_given_up(address, call(address).await);
}

#[tokio::test]
async fn a_service_that_drops_packets_is_given_up_in_time() {
    let full = FullSocket::start().await.unwrap();
    let address = full.address().unwrap();
    assert_given_up(address, call(address).await);
}
