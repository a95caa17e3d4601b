//! A server that publishes keys, well or badly, and counts how often it is asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// How the server answers.
#[derive(Clone)]
pub(crate) enum Reply {
    /// With this status and this body.
    With(u16, String),
    /// With these bytes, each after a pause.
    Slowly(String, Duration),
    /// With a redirect to itself.
    Elsewhere,
    /// Not at all.
    Never,
    /// By hanging up.
    HangUp,
}

struct State {
    reply: Reply,
    pause: Duration,
    requests: Vec<String>,
}

pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { reply, pause: Duration::ZERO, requests: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it answers so.
    pub(crate) fn reply(&self, reply: Reply) {
        self.state.lock().unwrap().reply = reply;
    }

    /// From now on it thinks this long first.
    pub(crate) fn pause(&self, pause: Duration) {
        self.state.lock().unwrap().pause = pause;
    }

    /// The first lines of the requests until now.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// How many requests there were until now.
    pub(crate) fn count(&self) -> usize {
        self.requests().len()
    }
}

async fn answer(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let (reply, pause) = {
        let mut state = state.lock().unwrap();
        let first = String::from_utf8(head).unwrap().lines().next().unwrap().to_owned();
        state.requests.push(first);
        (state.reply.clone(), state.pause)
    };
    tokio::time::sleep(pause).await;
    match reply {
        Reply::With(status, body) => {
            let head = format!("HTTP/1.1 {status} S\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
        Reply::Slowly(body, pause) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).await;
            for byte in body.bytes() {
                tokio::time::sleep(pause).await;
                let _ = stream.write_u8(byte).await;
            }
        }
        Reply::Elsewhere => {
            let head = "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(head.as_bytes()).await;
        }
        Reply::Never => std::future::pending().await,
        Reply::HangUp => {}
    }
}
