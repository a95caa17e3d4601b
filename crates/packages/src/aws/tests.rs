use std::net::SocketAddr;

use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;

const LIMITS: CallLimits = CallLimits {
    attempts: 3,
    attempt_timeout: Duration::from_millis(400),
    total_timeout: Duration::from_millis(700),
};

async fn call(address: SocketAddr) -> (Error, Duration) {
    let settings = Settings {
        region: Region::new("us-east-1").unwrap(),
        credentials: SharedCredentialsProvider::new(Credentials::new("AKID", "key", None, None, "test")),
        endpoint: Some(format!("http://{address}")),
        clock: Clock::System,
    };
    let service = JsonService::ssm(&settings, Http::new().unwrap()).unwrap().with_limits(LIMITS);
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

/// Without a route or behind a security group packets are dropped: here, since nobody takes connections off a full queue.
#[tokio::test]
async fn a_service_that_drops_packets_is_given_up_in_time() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        waiting.push(connected.unwrap());
        assert!(waiting.len() < 10, "the queue does not fill");
    }
    assert_given_up(address, call(address).await);
}
