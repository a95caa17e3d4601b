//! A place that drops packets, as one without a route or behind a security group does.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

/// A connection that takes longer is taken for one that is not answered.
const TIMEOUT: Duration = Duration::from_millis(300);

/// Connections that the queue takes at most: `listen` may round its length up.
const MAX_WAITING: usize = 10;

/// A socket whose queue of connections is full: nobody takes one off, so the kernel drops whatever else arrives, until this
/// is dropped.
#[derive(Debug)]
pub struct FullSocket {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl FullSocket {
    /// Listens on a free port of this machine, and fills the queue.
    pub async fn start() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut waiting = Vec::new();
        while let Ok(connected) = timeout(TIMEOUT, TcpStream::connect(address)).await {
            waiting.push(connected?);
            if waiting.len() > MAX_WAITING {
                return Err(io::Error::other("the queue of connections does not fill"));
            }
        }
        Ok(Self { listener, _waiting: waiting })
    }

    /// Where it is.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
