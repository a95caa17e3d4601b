//! The accept loop, tested with raw bytes.

use std::{num::NonZeroUsize, time::Duration};

use axum::{Router, routing::get};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use server::serve::ConnectionLimits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::app::TestResponse;

/// The limits of a server with the default configuration.
pub(crate) fn connection_limits() -> ConnectionLimits {
    ConnectionLimits {
        idle: Duration::from_secs(75),
        head: Duration::from_secs(10),
        write: Duration::from_secs(30),
        shutdown: Duration::from_secs(30),
        connections: NonZeroUsize::new(1000).unwrap(),
    }
}

/// Connects to a service with one route.
async fn connect_to_service() -> TcpStream {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(async || ([("x-request-id", "1")], "hello")));
    tokio::spawn(server::serve::serve(listener, router, connection_limits(), std::future::pending()));
    TcpStream::connect(address).await.unwrap()
}

/// Sends bytes that get one response before the connection ends.
async fn send_bytes(bytes: &[u8]) -> TestResponse {
    let mut stream = connect_to_service().await;
    // The response may arrive, and the connection end, before all is sent.
    let _ = stream.write_all(bytes).await;
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut text));
    let _ = read.await.expect("the service must respond");
    let mut responses = parse_responses(&String::from_utf8(text).unwrap());
    assert_eq!(responses.len(), 1, "{responses:?}");
    responses.remove(0)
}

pub(crate) fn parse_responses(mut text: &str) -> Vec<TestResponse> {
    let mut responses = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers: HeaderMap = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect();
        let length = headers["content-length"].to_str().unwrap().parse().unwrap();
        let (body, rest) = rest.split_at(length);
        let status = StatusCode::from_bytes(status.as_bytes()).unwrap();
        responses.push(TestResponse { status, headers, body: body.to_owned().into() });
        text = rest;
    }
    assert_eq!(text, "");
    responses
}

/// A head of `length` bytes with `fields` long fields.
fn build_head(length: usize, fields: usize) -> String {
    let mut head = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_owned();
    let each = (length - head.len() - 2) / fields;
    for n in 0..fields {
        let name = format!("x-{n}: ");
        let last = if n + 1 == fields { length - head.len() - 2 } else { each };
        let value = "v".repeat(last - name.len() - 2);
        head.extend([&name, &value, "\r\n"]);
    }
    head + "\r\n"
}

#[tokio::test]
async fn malformed_heads_are_problems() {
    for bytes in [
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        // RFC 9112, section 3.2.
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost:\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: user@a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a:b\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\n\r\n",
        "G\u{7f}T / HTTP/1.1\r\n\r\n",
        "GET /\u{1} HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ] {
        let response = send_bytes(bytes.as_bytes()).await;
        response.assert_problem(400);
        assert_eq!(response.header("connection"), "close", "{bytes}");
    }
}

#[tokio::test]
async fn a_head_may_have_64_kib() {
    for (length, fields) in [(60_000, 1), (65_536, 1), (65_536, 40)] {
        assert_eq!(send_bytes(build_head(length, fields).as_bytes()).await.status, 200, "{length}");
    }
    for (length, fields) in [(65_537, 1), (65_537, 40), (100_000, 1), (130_000, 10), (500_000, 50)] {
        send_bytes(build_head(length, fields).as_bytes()).await.assert_problem(431);
    }
    send_bytes(build_head(5000, 101).as_bytes()).await.assert_problem(431);
    let response = send_bytes(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(65_600)).as_bytes()).await;
    assert!(matches!(response.status.as_u16(), 414 | 431));
    response.assert_problem(response.status.as_u16());
}

#[tokio::test]
async fn a_good_request_before_a_bad_one_is_answered() {
    let mut stream = connect_to_service().await;
    let mut buffer = vec![0; 4096];
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let length = stream.read(&mut buffer).await.unwrap();
    let good = parse_responses(std::str::from_utf8(&buffer[..length]).unwrap());
    assert_eq!((good[0].status.as_u16(), &good[0].body[..]), (200, &b"hello"[..]));

    stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    parse_responses(&text)[0].assert_problem(400);
}
