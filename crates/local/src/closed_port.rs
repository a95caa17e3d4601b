//! A port that refuses connections.

use std::io;

use tokio::net::TcpSocket;

/// Binds a free port of the loopback interface. Until the socket listens, the port refuses connections. It stays reserved, unlike
/// the port of a listener that was closed, which another process may get.
pub fn bind_closed_port() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    Ok(socket)
}
