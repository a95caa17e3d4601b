//! Reading a request's body, within bounds of size and time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::Problem;

/// The largest body, in bytes.
const MAX: usize = 1024 * 1024;

/// How much of a larger body is read all the same, in bytes.
const MOST_THROWN_AWAY: usize = 16 * MAX;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the whole body: 413 if it is too large, 408 if it is too slow.
pub(crate) async fn read(body: Body) -> Result<Bytes, Problem> {
    read_within(PATIENCE, body).await
}

async fn read_within(patience: Duration, body: Body) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > MOST_THROWN_AWAY as u64 {
        return Err(too_large());
    }
    tokio::time::timeout(patience, collect(body)).await.map_err(|_| Problem::body_timeout())?
}

/// Keeps a body up to [`MAX`]. A larger one is read on and thrown away for a while: a client that is still sending when
/// the connection closes never sees the answer.
async fn collect(mut body: Body) -> Result<Bytes, Problem> {
    let (mut kept, mut seen) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::invalid("the body could not be read to its end"))?;
        let data = frame.into_data().unwrap_or_default();
        seen += data.len();
        if seen <= MAX {
            kept.extend_from_slice(&data);
        } else if seen > MOST_THROWN_AWAY {
            break;
        }
    }
    if seen > MAX { Err(too_large()) } else { Ok(kept.freeze()) }
}

fn too_large() -> Problem {
    Problem::too_large(format!("the body is larger than {MAX} bytes"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    async fn status(body: Body) -> u16 {
        read_within(Duration::from_millis(200), body)
            .await
            .map_or_else(|problem| problem.status().as_u16(), |_| 200)
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read() {
        assert_eq!(status(Body::empty()).await, 200);
        assert_eq!(status(Body::from(vec![b' '; MAX])).await, 200);
        assert_eq!(status(Body::from(vec![b' '; MAX + 1])).await, 413);
        assert_eq!(status(Body::from(vec![b' '; MOST_THROWN_AWAY + 1])).await, 413);
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_read_up_to_the_limit() {
        let chunk = || Ok::<_, Infallible>(Bytes::from(vec![b' '; MAX / 2 + 1]));
        assert_eq!(status(Body::from_stream(stream::iter([chunk()]))).await, 200);
        assert_eq!(status(Body::from_stream(stream::iter([chunk(), chunk()]))).await, 413);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        assert_eq!(status(Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())).await, 408);
    }
}
