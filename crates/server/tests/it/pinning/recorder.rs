//! What the service says to Postgres ("Message Formats" in PostgreSQL's manual).

use std::sync::{Arc, Mutex};

use crate::wire::{self, Flow, Listener};

/// A message of the service to Postgres, as far as it matters to who shares connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// The first message: names and values.
    Startup(Vec<(String, String)>),
    /// A statement to prepare, under a name or none.
    Parse { name: String, sql: String },
    /// Parameters for a prepared statement, for a portal.
    Bind { portal: String, statement: String },
    /// A statement, or several, to run at once.
    Query(String),
    /// That a statement of another connection is to be cancelled.
    Cancel,
}

/// What a request to cancel begins with, where others have the protocol's version.
const CANCEL: [u8; 4] = 80_877_102_u32.to_be_bytes();

/// Hands everything on to the server, but requests to cancel, which RDS Proxy takes none of.
pub(super) struct Recorder {
    pub(super) port: u16,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log(Mutex<Vec<Said>>);

impl Recorder {
    pub(super) async fn start(server: String) -> Self {
        let log = Arc::<Log>::default();
        Self { port: wire::listen(server, Arc::clone(&log)).await, log }
    }

    pub(super) fn said(&self) -> Vec<Said> {
        self.log.0.lock().unwrap().clone()
    }
}

impl Listener for Log {
    fn request(&self, _: usize, tag: u8, body: &[u8]) -> Flow {
        let is_cancel = tag == 0 && body.starts_with(&CANCEL);
        let said = if is_cancel { Some(Said::Cancel) } else { read(tag, body) };
        self.0.lock().unwrap().extend(said);
        if is_cancel { Flow::Cut } else { Flow::Pass }
    }
}

fn read(tag: u8, body: &[u8]) -> Option<Said> {
    let mut texts = body.split(|&byte| byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    let mut text = || texts.next().unwrap();
    match tag {
        0 => Some(Said::Startup(pairs(body))),
        b'P' => Some(Said::Parse { name: text(), sql: text() }),
        b'B' => Some(Said::Bind { portal: text(), statement: text() }),
        b'Q' => Some(Said::Query(text())),
        _ => None,
    }
}

/// What stands behind the protocol's version, which is not a request for TLS.
fn pairs(startup: &[u8]) -> Vec<(String, String)> {
    let (version, rest) = startup.split_at(4);
    assert_eq!(version, [0, 3, 0, 0], "protocol 3.0");
    let texts: Vec<&[u8]> = rest.split(|&byte| byte == 0).take_while(|text| !text.is_empty()).collect();
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).unwrap();
    texts.chunks(2).map(|pair| (text(pair[0]), text(pair[1]))).collect()
}
