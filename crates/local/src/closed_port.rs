//! A port that refuses connections.

use std::io;

use tokio::net::TcpSocket;

/// Binds a free port of the loopback interface. As long as the socket does not listen, the port refuses connections, and nobody
/// else can bind it: after the end of a listener another process may get its port.
pub fn bind_closed_port() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    Ok(socket)
}
