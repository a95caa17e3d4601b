//! A server that publishes keys, with faults on demand, and records its requests.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// How the server responds.
#[derive(Clone)]
pub(crate) enum ServerReply {
    /// With this status and this body.
    Status(u16, String),
    /// With this body, each byte after a delay.
    Slow(String, Duration),
    /// With a redirect to itself.
    Redirect,
    /// With nothing, while the connection stays open.
    NoResponse,
    /// With a closed connection.
    Disconnect,
}

struct State {
    reply: ServerReply,
    delay: Duration,
    requests: Vec<String>,
}

pub(crate) struct KeyServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl KeyServer {
    pub(crate) async fn start(reply: ServerReply) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { reply, delay: Duration::ZERO, requests: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(respond(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets how it responds from now on.
    pub(crate) fn set_reply(&self, reply: ServerReply) {
        self.state.lock().unwrap().reply = reply;
    }

    /// Sets how long it waits before each response from now on.
    pub(crate) fn set_delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// The request lines so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The number of requests so far.
    pub(crate) fn request_count(&self) -> usize {
        self.requests().len()
    }
}

async fn respond(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let (reply, delay) = {
        let mut state = state.lock().unwrap();
        let first = String::from_utf8(head).unwrap().lines().next().unwrap().to_owned();
        state.requests.push(first);
        (state.reply.clone(), state.delay)
    };
    tokio::time::sleep(delay).await;
    match reply {
        ServerReply::Status(status, body) => {
            let head = format!("HTTP/1.1 {status} S\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
        ServerReply::Slow(body, delay) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).await;
            for byte in body.bytes() {
                tokio::time::sleep(delay).await;
                let _ = stream.write_u8(byte).await;
            }
        }
        ServerReply::Redirect => {
            let head = "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(head.as_bytes()).await;
        }
        ServerReply::NoResponse => std::future::pending().await,
        ServerReply::Disconnect => {}
    }
}
