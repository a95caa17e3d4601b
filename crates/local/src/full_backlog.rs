//! An address that drops packets, as one without a route or behind a security group does.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

/// A connection attempt that takes longer counts as unanswered.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);

/// Upper limit for the accept queue. `listen` may round the requested length up.
const MAX_QUEUED: usize = 10;

/// A listener whose accept queue is full. Nothing accepts connections, so the kernel drops every further packet until
/// this value is dropped.
#[derive(Debug)]
pub struct FullBacklogListener {
    listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl FullBacklogListener {
    /// Listens on a free port of the loopback interface and fills the accept queue.
    pub async fn start() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut queued = Vec::new();
        while let Ok(connected) = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            queued.push(connected?);
            if queued.len() > MAX_QUEUED {
                return Err(io::Error::other("the accept queue does not fill up"));
            }
        }
        Ok(Self { listener, _queued: queued })
    }

    /// The address that does not answer.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
