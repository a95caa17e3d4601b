//! The answer to a connection beyond the limit: 503, at once, whatever the client sends.

use std::{io::Write as _, net::Shutdown, sync::Arc, time::Duration};

use api::ProblemDetails;
use tokio::{io::AsyncReadExt as _, net::TcpStream, sync::Semaphore};
use uuid::Uuid;

/// How long a refused client may take to receive its answer.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(1);

/// Refused connections that are open at once. Beyond that they are closed without waiting for the client.
const MAX_REFUSED_CONNECTIONS: usize = 16;

const OVERLOADED: ProblemDetails<'static> = ProblemDetails {
    name: "unavailable",
    title: "The service is unavailable",
    status: 503,
    detail: "the server has too many connections; try again in a few seconds",
};

/// Refuses connections.
#[derive(Debug)]
pub(super) struct Refusals {
    places: Arc<Semaphore>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(MAX_REFUSED_CONNECTIONS)) }
    }
}

impl Refusals {
    /// Answers a connection with 503 and closes it. It never waits for the client.
    pub(super) fn refuse(&self, stream: TcpStream) {
        metrics::counter!(metric_names::CONNECTIONS_REFUSED_TOTAL.name).increment(1);
        // Not through tokio, which does not know yet that the socket is ready. Its buffer is empty: the answer fits.
        let Ok(mut socket) = stream.into_std() else { return };
        if socket.write(&overload_response()).is_err() || socket.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let Ok(stream) = TcpStream::from_std(socket) else { return };
            let _ = tokio::time::timeout(RECEIVE_TIMEOUT, discard_request(stream)).await;
            drop(place);
        });
    }
}

/// Reads until the client closes. A socket that is closed with unread bytes is reset, and its client may lose the answer
/// (RFC 9112, section 9.6).
async fn discard_request(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer).await, Ok(length) if length > 0) {}
}

fn overload_response() -> Vec<u8> {
    let id = Uuid::new_v4().to_string();
    let body = OVERLOADED.to_json(&id);
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\ncache-control: no-store\r\n\
         content-type: application/problem+json\r\ncontent-length: {}\r\naccess-control-allow-origin: *\r\n\
         x-request-id: {id}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}
