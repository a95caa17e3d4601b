//! A way to Postgres on which what both sides say can be heard, and be stopped ("Message Formats" in PostgreSQL's manual).

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_postgres::{Config, config::Host};

/// What hears the messages. The first message of a connection has no tag, and is given the tag 0.
pub(crate) trait Listener: Send + Sync + 'static {
    /// The service says something.
    fn request(&self, _connection: usize, _tag: u8, _body: &[u8]) -> Flow {
        Flow::Pass
    }

    /// Postgres says something.
    fn answer(&self, _connection: usize, _tag: u8, _body: &[u8]) -> Flow {
        Flow::Pass
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It goes on.
    Pass,
    /// It is lost.
    Lose,
    /// It is lost, and the connection ends.
    Cut,
}

/// Listens on a port of this machine for connections to a server.
pub(crate) async fn listen<L: Listener>(server: String, listener: Arc<L>) -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        for connection in 0.. {
            let Ok((client, _)) = socket.accept().await else { break };
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(carry(connection, client, server, Arc::clone(&listener)));
        }
    });
    port
}

/// The test database by way of a listener.
pub(crate) async fn database_through<L: Listener>(listener: Arc<L>) -> Config {
    let config: Config = local::testing::database_url().await.parse().unwrap();
    let Host::Tcp(host) = &config.get_hosts()[0] else { panic!("TCP") };
    let server = format!("{host}:{}", config.get_ports().first().copied().unwrap_or(5432));
    let mut through = Config::new();
    through.host("127.0.0.1").port(listen(server, listener).await);
    through.user(config.get_user().unwrap()).dbname(config.get_dbname().unwrap());
    through.password(config.get_password().unwrap_or_default());
    through
}

/// Ends when either side does.
async fn carry<L: Listener>(connection: usize, client: TcpStream, server: TcpStream, listener: Arc<L>) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let ((mut requests, mut back), (mut answers, mut to)) = (client.into_split(), server.into_split());
    let there = async {
        let startup = body(&mut requests).await?;
        hand_on(&mut to, listener.request(connection, 0, &startup), None, &startup).await?;
        loop {
            let tag = requests.read_u8().await?;
            let body = body(&mut requests).await?;
            hand_on(&mut to, listener.request(connection, tag, &body), Some(tag), &body).await?;
        }
    };
    let and_back = async {
        loop {
            let tag = answers.read_u8().await?;
            let body = body(&mut answers).await?;
            hand_on(&mut back, listener.answer(connection, tag, &body), Some(tag), &body).await?;
        }
    };
    let _: io::Result<()> = tokio::select! { ended = there => ended, ended = and_back => ended };
}

async fn body(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(from.read_u32().await?).unwrap();
    let mut body = vec![0; length - 4];
    from.read_exact(&mut body).await?;
    Ok(body)
}

async fn hand_on(
    to: &mut (impl AsyncWrite + Unpin),
    flow: Flow,
    tag: Option<u8>,
    body: &[u8],
) -> io::Result<()> {
    match flow {
        Flow::Pass => {
            let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
            let tag: &[u8] = &tag.map_or(vec![], |tag| vec![tag]);
            to.write_all(&[tag, &length, body].concat()).await
        }
        Flow::Lose => Ok(()),
        Flow::Cut => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}
