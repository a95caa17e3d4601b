//! Records the messages of the service to Postgres ("Message Formats" in PostgreSQL's manual).

use std::sync::{Arc, Mutex};

use crate::postgres_proxy::{self, Flow, MessageObserver};

/// A message of the service, as far as it matters for sharing connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClientMessage {
    /// The startup message: names and values.
    Startup(Vec<(String, String)>),
    /// A statement to prepare, with or without a name.
    Parse { name: String, sql: String },
    /// Binds parameters of a prepared statement to a portal.
    Bind { portal: String, statement: String },
    /// One or more statements to run at once.
    Query(String),
    /// A request to cancel a statement of another connection.
    Cancel,
}

/// The code of a cancel request, in the place of the protocol version.
const CANCEL_REQUEST_CODE: [u8; 4] = 80_877_102_u32.to_be_bytes();

/// A proxy that forwards all but cancel requests: RDS Proxy does not accept these.
pub(super) struct Recorder {
    pub(super) port: u16,
    log: Arc<MessageLog>,
}

#[derive(Default)]
struct MessageLog(Mutex<Vec<ClientMessage>>);

impl Recorder {
    pub(super) async fn start(server: String) -> Self {
        let log = Arc::<MessageLog>::default();
        Self { port: postgres_proxy::start_proxy(server, Arc::clone(&log)).await, log }
    }

    pub(super) fn messages(&self) -> Vec<ClientMessage> {
        self.log.0.lock().unwrap().clone()
    }
}

impl MessageObserver for MessageLog {
    fn on_request(&self, _: usize, tag: u8, body: &[u8]) -> Flow {
        let is_cancel = tag == 0 && body.starts_with(&CANCEL_REQUEST_CODE);
        let messages = if is_cancel { Some(ClientMessage::Cancel) } else { parse_message(tag, body) };
        self.0.lock().unwrap().extend(messages);
        if is_cancel { Flow::Disconnect } else { Flow::Forward }
    }
}

fn parse_message(tag: u8, body: &[u8]) -> Option<ClientMessage> {
    let mut texts = body.split(|&byte| byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    let mut text = || texts.next().unwrap();
    match tag {
        0 => Some(ClientMessage::Startup(parse_startup(body))),
        b'P' => Some(ClientMessage::Parse { name: text(), sql: text() }),
        b'B' => Some(ClientMessage::Bind { portal: text(), statement: text() }),
        b'Q' => Some(ClientMessage::Query(text())),
        _ => None,
    }
}

/// Parses the parameters after the protocol version. A request for TLS has another version.
fn parse_startup(startup: &[u8]) -> Vec<(String, String)> {
    let (version, rest) = startup.split_at(4);
    assert_eq!(version, [0, 3, 0, 0], "protocol 3.0");
    let texts: Vec<&[u8]> = rest.split(|&byte| byte == 0).take_while(|text| !text.is_empty()).collect();
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).unwrap();
    texts.chunks(2).map(|pair| (text(pair[0]), text(pair[1]))).collect()
}
