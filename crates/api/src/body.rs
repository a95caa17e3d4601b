//! Reading a request's body, within bounds of size and time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::Problem;

/// The largest body, in bytes.
const MAX: usize = 1024 * 1024;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the whole body: 413 if it is too large, from its announced length where it has one; 408 if it is too slow.
pub(crate) async fn read(body: Body) -> Result<Bytes, Problem> {
    read_within(PATIENCE, body).await
}

async fn read_within(patience: Duration, body: Body) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > MAX as u64 {
        return Err(too_large());
    }
    let read = tokio::time::timeout(patience, Limited::new(body, MAX).collect()).await;
    match read.map_err(|_| Problem::body_timeout())? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::invalid("the body could not be read to its end")),
    }
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
