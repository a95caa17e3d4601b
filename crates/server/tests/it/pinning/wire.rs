//! A way to Postgres that writes down what the service says ("Message Formats" in PostgreSQL's manual).

use std::{
    io,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

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

/// Listens for the service and hands everything on to the server, but requests to cancel, which RDS Proxy takes none of.
pub(super) struct Recorder {
    pub(super) port: u16,
    said: Arc<Mutex<Vec<Said>>>,
}

impl Recorder {
    pub(super) async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = Arc::<Mutex<Vec<Said>>>::default();
        let log = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let ((from, mut back), (mut answers, to)) = (client.into_split(), server.into_split());
                tokio::spawn(listen(from, to, Arc::clone(&log)));
                tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
            }
        });
        Self { port, said }
    }

    pub(super) fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap().clone()
    }
}

/// Ends when either side does.
async fn listen(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    log: Arc<Mutex<Vec<Said>>>,
) -> io::Result<()> {
    let startup = body(&mut from).await?;
    if startup.starts_with(&CANCEL) {
        log.lock().unwrap().push(Said::Cancel);
        return Ok(());
    }
    log.lock().unwrap().push(Said::Startup(pairs(&startup)));
    send(&mut to, &[], &startup).await?;
    loop {
        let tag = from.read_u8().await?;
        let body = body(&mut from).await?;
        log.lock().unwrap().extend(read(tag, &body));
        send(&mut to, &[tag], &body).await?;
    }
}

async fn body(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let length = usize::try_from(from.read_u32().await?).unwrap();
    let mut body = vec![0; length - 4];
    from.read_exact(&mut body).await?;
    Ok(body)
}

async fn send(to: &mut OwnedWriteHalf, tag: &[u8], body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    to.write_all(&[tag, &length, body].concat()).await
}

fn read(tag: u8, body: &[u8]) -> Option<Said> {
    let mut texts = body.split(|&byte| byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    let mut text = || texts.next().unwrap();
    match tag {
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
