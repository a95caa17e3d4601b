//! Problem bodies for responses that hyper sends itself, and for those that the server sends in place of the router.
//!
//! A request head that hyper cannot parse never becomes a request. hyper responds with a bare status, and has no hook
//! for that response. This module recognises it on its way to the client: every response of the service has an
//! `X-Request-Id`, a bare one has none.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use api::ProblemDetails;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use uuid::Uuid;

/// A connection that replaces hyper's bare error responses by problems (RFC 9457).
pub(super) struct HttpErrorStream<S> {
    stream: S,
    /// The response to write in place of a bare one.
    replacement: Replacement,
}

#[derive(Default)]
struct Replacement {
    bytes: Vec<u8>,
    written: usize,
}

impl<S: AsyncWrite + Unpin> HttpErrorStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, replacement: Replacement::default() }
    }

    fn poll_write_replacement(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Replacement { bytes, written } = &mut self.replacement;
        while let Some(rest) = bytes.get(*written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => *written += count,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HttpErrorStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

/// Not vectored: hyper then writes a response's head in a single call, which [`replace_bare_response`] relies on.
impl<S: AsyncWrite + Unpin> AsyncWrite for HttpErrorStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_write_replacement(cx))?;
        let Some(response) = replace_bare_response(bytes) else {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        };
        // Reported as written at once. The next write, flush or shutdown sends the replacement.
        self.replacement = Replacement { bytes: response, written: 0 };
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_replacement(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_replacement(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Adds a problem body to a bare response of hyper. `None` for any other bytes.
fn replace_bare_response(bytes: &[u8]) -> Option<Vec<u8>> {
    // A bare response is a head and nothing else.
    let head = bytes.strip_suffix(b"\r\n\r\n").filter(|head| head.starts_with(b"HTTP/1."))?;
    let mut lines = str::from_utf8(head).ok()?.split("\r\n");
    let status_line = lines.next()?;
    let problem = head_problem(status_line.split(' ').nth(1)?.parse().ok()?)?;
    if lines.clone().any(|line| has_name(line, "x-request-id:")) {
        return None;
    }
    let id = Uuid::new_v4().to_string();
    match problem.status {
        // The panic hook has logged the place.
        500.. => tracing::error!(request_id = id, "a handler outside the API panicked"),
        status => tracing::info!(request_id = id, status, "malformed request head"),
    }
    let body = problem.to_json(&id);
    let kept: String =
        lines.filter(|line| !has_name(line, "content-length:")).flat_map(|line| [line, "\r\n"]).collect();
    let response = format!(
        "{status_line}\r\n{kept}content-type: application/problem+json\r\ncontent-length: {}\r\n\
         access-control-allow-origin: *\r\nx-request-id: {id}\r\n\r\n{body}",
        body.len()
    );
    Some(response.into_bytes())
}

/// Whether a header line has this name. Names are case-insensitive (RFC 9110, section 5.1).
fn has_name(line: &str, name: &str) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// The problem of a malformed request head, by the status that hyper chose.
fn head_problem(status: u16) -> Option<ProblemDetails<'static>> {
    let (name, title, detail) = match status {
        400 => (
            "invalid-request",
            "The request is not valid",
            "the request head is not valid HTTP/1.1 (RFC 9112); it needs one Host, as host or host:port",
        ),
        414 => {
            ("head-too-large", "The request head is too large", "the request target is longer than 64 KiB")
        }
        431 => (
            "head-too-large",
            "The request head is too large",
            "the request head has more than 64 KiB or 100 fields",
        ),
        500 => ("internal", "Internal error", "internal error; the cause is logged under this request's id"),
        _ => return None,
    };
    Some(ProblemDetails { name, title, status, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\nContent-Length: 0\r\ndate: now\r\n\r\n";

    #[test]
    fn adds_a_body_and_keeps_the_other_headers() {
        let text = String::from_utf8(replace_bare_response(BARE.as_bytes()).unwrap()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(
            "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ndate: now\r\n"
        ));
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())) && !head.contains("Length: 0"));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["status"], 431);
        assert!(head.contains(&format!("x-request-id: {}", body["requestId"].as_str().unwrap())));
    }

    #[test]
    fn leaves_other_bytes_unchanged() {
        for bytes in [
            "",
            "\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\nX-Request-Id: 1\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 four hundred\r\n\r\n",
            "400 Bad Request\r\n\r\n",
        ] {
            assert_eq!(replace_bare_response(bytes.as_bytes()), None, "{bytes}");
        }
        assert_eq!(replace_bare_response(b"HTTP/1.1 400 \xff\r\n\r\n"), None);
    }
}
