//! A proxy to Postgres that observes messages and can drop them ("Message Formats" in PostgreSQL's manual).

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_postgres::{Config, config::Host};

/// Sees each message and decides what happens to it. The first message of a connection has no tag; it gets the tag 0.
pub(crate) trait MessageObserver: Send + Sync + 'static {
    /// A message of the service.
    fn on_request(&self, _connection: usize, _tag: u8, _body: &[u8]) -> Flow {
        Flow::Forward
    }

    /// A message of Postgres.
    fn on_response(&self, _connection: usize, _tag: u8, _body: &[u8]) -> Flow {
        Flow::Forward
    }
}

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It is forwarded.
    Forward,
    /// It is dropped.
    Drop,
    /// It is dropped, and the connection is closed.
    Disconnect,
}

/// Accepts connections on a local port and relays them to a server. Returns the port.
pub(crate) async fn start_proxy<L: MessageObserver>(server: String, observer: Arc<L>) -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        for connection in 0.. {
            let Ok((client, _)) = socket.accept().await else { break };
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(relay_connection(connection, client, server, Arc::clone(&observer)));
        }
    });
    port
}

/// The test database through a proxy with this observer.
pub(crate) async fn proxied_database<L: MessageObserver>(observer: Arc<L>) -> Config {
    proxy_to_database(local::testing::database_url().await, observer).await
}

/// A database whose connections go through a proxy.
pub(crate) async fn proxy_to_database<L: MessageObserver>(url: &str, observer: Arc<L>) -> Config {
    let config: Config = url.parse().unwrap();
    let Host::Tcp(host) = &config.get_hosts()[0] else { panic!("TCP") };
    let server = format!("{host}:{}", config.get_ports().first().copied().unwrap_or(5432));
    let mut through = Config::new();
    through.host("127.0.0.1").port(start_proxy(server, observer).await);
    through.user(config.get_user().unwrap()).dbname(config.get_dbname().unwrap());
    through.password(config.get_password().unwrap_or_default());
    through
}

/// Relays both directions until one side closes.
async fn relay_connection<L: MessageObserver>(
    connection: usize,
    client: TcpStream,
    server: TcpStream,
    observer: Arc<L>,
) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let ((mut requests, mut back), (mut responses, mut to)) = (client.into_split(), server.into_split());
    let there = async {
        let startup = read_body(&mut requests).await?;
        forward_message(&mut to, observer.on_request(connection, 0, &startup), None, &startup).await?;
        loop {
            let tag = requests.read_u8().await?;
            let body = read_body(&mut requests).await?;
            forward_message(&mut to, observer.on_request(connection, tag, &body), Some(tag), &body).await?;
        }
    };
    let and_back = async {
        loop {
            let tag = responses.read_u8().await?;
            let body = read_body(&mut responses).await?;
            forward_message(&mut back, observer.on_response(connection, tag, &body), Some(tag), &body)
                .await?;
        }
    };
    let _: io::Result<()> = tokio::select! { ended = there => ended, ended = and_back => ended };
}

async fn read_body(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(from.read_u32().await?).unwrap();
    let mut body = vec![0; length - 4];
    from.read_exact(&mut body).await?;
    Ok(body)
}

async fn forward_message(
    to: &mut (impl AsyncWrite + Unpin),
    flow: Flow,
    tag: Option<u8>,
    body: &[u8],
) -> io::Result<()> {
    match flow {
        Flow::Forward => {
            let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
            let tag: &[u8] = &tag.map_or(vec![], |tag| vec![tag]);
            to.write_all(&[tag, &length, body].concat()).await
        }
        Flow::Drop => Ok(()),
        Flow::Disconnect => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}
