//! The clients: a process of its own, so that its work is not taken for the server's.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How many requests are under way at once.
const CONNECTIONS: usize = 8;

/// Requests to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoadRequest {
    pub(crate) address: SocketAddr,
    pub(crate) method: String,
    /// The path; `{n}` is another number in each request.
    pub(crate) path: String,
    /// A bearer token, or nothing.
    pub(crate) token: String,
    pub(crate) body: String,
    pub(crate) status: u16,
    pub(crate) seconds: f64,
    /// Requests per second, of all connections together; as many as possible if it is absent.
    pub(crate) rate: Option<f64>,
}

/// What came back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoadReport {
    pub(crate) seconds: f64,
    pub(crate) latencies_us: Vec<u32>,
}

/// Reads a [`LoadRequest`] from standard input, and writes a [`LoadReport`] to standard output.
pub(crate) async fn run_client() {
    let request: LoadRequest = serde_json::from_reader(io::stdin()).unwrap();
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(request.seconds);
    let connections =
        (0..CONNECTIONS).map(|number| tokio::spawn(run_connection(request.clone(), number, end)));
    let mut latencies_us = Vec::new();
    for connection in connections.collect::<Vec<_>>() {
        latencies_us.extend(connection.await.unwrap());
    }
    let report = LoadReport { seconds: begun.elapsed().as_secs_f64(), latencies_us };
    io::stdout().write_all(&serde_json::to_vec(&report).unwrap()).unwrap();
}

/// Sends one request after the other. Returns how long each took, in microseconds.
async fn run_connection(request: LoadRequest, number: usize, end: Instant) -> Vec<u32> {
    let mut stream = TcpStream::connect(request.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut latencies, mut buffer) = (Vec::new(), Vec::with_capacity(1 << 20));
    let interval = request.rate.map(|rate| Duration::from_secs_f64(CONNECTIONS as f64 / rate));
    let mut due = tokio::time::Instant::now();
    // Another number in each turn, too.
    let mut n = u64::from(std::process::id()) * 100_000_000 + number as u64 * 10_000_000;
    while Instant::now() < end {
        if let Some(interval) = interval {
            due += interval;
            tokio::time::sleep_until(due).await;
        }
        n += 1;
        let head = build_head(&request, n);
        let begun = Instant::now();
        stream.write_all(head.as_bytes()).await.unwrap();
        let status = read_response(&mut stream, &mut buffer).await;
        latencies.push(u32::try_from(begun.elapsed().as_micros()).unwrap());
        assert_eq!(status, request.status, "{}", String::from_utf8_lossy(&buffer));
    }
    latencies
}

fn build_head(LoadRequest { method, path, token, body, .. }: &LoadRequest, n: u64) -> String {
    let path = path.replace("{n}", &n.to_string());
    let token = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: bench.test\r\n{token}content-length: {length}\r\n\r\n{body}")
}

/// Reads one response into the buffer, and returns its status. Every response has a `content-length`.
async fn read_response(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    buffer.clear();
    let mut expected = None;
    loop {
        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "the server closed the connection");
        if expected.is_none() {
            expected = find_length(buffer);
        }
        if expected.is_some_and(|length| buffer.len() >= length) {
            return std::str::from_utf8(&buffer[9..12]).unwrap().parse().unwrap();
        }
    }
}

/// The length of head and body; `None` before the head is complete.
fn find_length(response: &[u8]) -> Option<usize> {
    let head = response.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&response[..head]).unwrap().to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    Some(head + length.trim().parse::<usize>().unwrap())
}
