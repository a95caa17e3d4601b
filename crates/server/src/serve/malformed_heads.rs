//! Words for the answers that hyper gives by itself.
//!
//! A head that cannot be read never becomes a request: hyper answers it with a bare status, and has no hook for that.
//! Such an answer can be told by what it lacks, since each of the service's own has an `X-Request-Id`.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use api::ProblemDetails;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use uuid::Uuid;

/// A connection on which a bare answer to a head that cannot be read becomes a problem (RFC 9457).
pub(super) struct Explained<S> {
    stream: S,
    /// What is to be written in place of a bare answer, and how much of it was.
    instead: (Vec<u8>, usize),
}

impl<S: AsyncWrite + Unpin> Explained<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, instead: (Vec::new(), 0) }
    }

    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (bytes, written) = &mut self.instead;
        while let Some(rest) = bytes.get(*written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Explained<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

/// Not vectored: hyper then writes a head with as much of its body as it has, which is all that the service needs.
impl<S: AsyncWrite + Unpin> AsyncWrite for Explained<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(cx))?;
        let Some(problem) = explain(bytes) else { return Pin::new(&mut self.stream).poll_write(cx, bytes) };
        self.instead = (problem, 0);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A bare answer with a problem for its body; `None` for any other bytes.
fn explain(bytes: &[u8]) -> Option<Vec<u8>> {
    let head = bytes.strip_suffix(b"\r\n\r\n").filter(|head| head.starts_with(b"HTTP/1."))?;
    let mut lines = str::from_utf8(head).ok()?.split("\r\n");
    let first = lines.next()?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let problem = words(status)?;
    let is =
        |line: &str, name: &str| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if lines.clone().any(|line| is(line, "x-request-id:")) {
        return None;
    }
    let id = Uuid::new_v4().to_string();
    tracing::info!(request_id = id, status, "a request could not be read");
    let body = problem.to_json(&id);
    let kept: String =
        lines.filter(|line| !is(line, "content-length:")).flat_map(|line| [line, "\r\n"]).collect();
    let answer = format!(
        "{first}\r\n{kept}content-type: application/problem+json\r\ncontent-length: {}\r\n\
         access-control-allow-origin: *\r\nx-request-id: {id}\r\n\r\n{body}",
        body.len()
    );
    Some(answer.into_bytes())
}

/// The problem of a request head that cannot be parsed, by the status that hyper chose.
fn words(status: u16) -> Option<ProblemDetails<'static>> {
    let (name, title, detail) = match status {
        400 => (
            "invalid-request",
            "The request is not valid",
            "the request head is not valid HTTP/1.1 (RFC 9112)",
        ),
        414 => {
            ("head-too-large", "The request head is too large", "the request target is longer than 64 KiB")
        }
        431 => (
            "head-too-large",
            "The request head is too large",
            "the request head has more than 64 KiB or 100 fields",
        ),
        _ => return None,
    };
    Some(ProblemDetails { name, title, status, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\nContent-Length: 0\r\ndate: now\r\n\r\n";

    #[test]
    fn a_bare_answer_gets_a_body_and_keeps_its_head() {
        let text = String::from_utf8(explain(BARE.as_bytes()).unwrap()).unwrap();
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
    fn other_bytes_stay_as_they_are() {
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
            assert_eq!(explain(bytes.as_bytes()), None, "{bytes}");
        }
        assert_eq!(explain(b"HTTP/1.1 400 \xff\r\n\r\n"), None);
    }
}
