//! Reads a request body within limits of size and time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::{App, Problem};

/// The largest accepted body.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How much of a larger body is read and discarded before the connection is closed.
const MAX_DISCARDED_BYTES: usize = 16 * MAX_BODY_BYTES;

/// Reads the whole body: 413 if it is too large, 408 if it is too slow.
pub(crate) async fn read_body(app: &App, body: Body) -> Result<Bytes, Problem> {
    read_body_within(app.limits.body, body).await
}

async fn read_body_within(timeout: Duration, body: Body) -> Result<Bytes, Problem> {
    // Known from Content-Length: refuse without reading.
    if body.size_hint().lower() > MAX_DISCARDED_BYTES as u64 {
        return Err(body_too_large());
    }
    tokio::time::timeout(timeout, collect_frames(body)).await.map_err(|_| Problem::body_timeout())?
}

/// Collects up to [`MAX_BODY_BYTES`], then discards up to [`MAX_DISCARDED_BYTES`]. Without discarding, a client that is
/// still sending gets a connection reset in place of the 413 response.
async fn collect_frames(mut body: Body) -> Result<Bytes, Problem> {
    let (mut collected, mut received) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::invalid("the body could not be read"))?;
        let data = frame.into_data().unwrap_or_default();
        received += data.len();
        if received <= MAX_BODY_BYTES {
            collected.extend_from_slice(&data);
        } else if received > MAX_DISCARDED_BYTES {
            break;
        }
    }
    if received > MAX_BODY_BYTES { Err(body_too_large()) } else { Ok(collected.freeze()) }
}

fn body_too_large() -> Problem {
    Problem::too_large(format!("the body is larger than {MAX_BODY_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    async fn read_status(body: Body) -> u16 {
        read_body_within(Duration::from_millis(200), body)
            .await
            .map_or_else(|problem| problem.status().as_u16(), |_| 200)
    }

    #[tokio::test]
    async fn reads_a_body_up_to_the_limit() {
        assert_eq!(read_status(Body::empty()).await, 200);
        assert_eq!(read_status(Body::from(vec![b' '; MAX_BODY_BYTES])).await, 200);
        assert_eq!(read_status(Body::from(vec![b' '; MAX_BODY_BYTES + 1])).await, 413);
        assert_eq!(read_status(Body::from(vec![b' '; MAX_DISCARDED_BYTES + 1])).await, 413);
    }

    #[tokio::test]
    async fn reads_a_body_of_unknown_length_up_to_the_limit() {
        let chunk = || Ok::<_, Infallible>(Bytes::from(vec![b' '; MAX_BODY_BYTES / 2 + 1]));
        assert_eq!(read_status(Body::from_stream(stream::iter([chunk()]))).await, 200);
        assert_eq!(read_status(Body::from_stream(stream::iter([chunk(), chunk()]))).await, 413);
    }

    #[tokio::test]
    async fn times_out_on_a_body_that_never_ends() {
        assert_eq!(read_status(Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())).await, 408);
    }
}
