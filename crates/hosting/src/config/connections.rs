//! What a server grants its clients.

use std::{num::NonZeroUsize, time::Duration};

use api::RequestLimits;

use crate::config::{
    reader::Reader,
    variables::{
        BODY_TIMEOUT_SECONDS, HEAD_TIMEOUT_SECONDS, IDLE_TIMEOUT_SECONDS, MAX_CONNECTIONS,
        REQUEST_TIMEOUT_SECONDS, SHUTDOWN_TIMEOUT_SECONDS, WRITE_TIMEOUT_SECONDS,
    },
};

/// What a server grants its clients.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionsConfig {
    /// The most connections, if that does not follow from the process's file limit.
    pub connections: Option<NonZeroUsize>,
    /// How long a connection may wait for its next request.
    pub idle: Duration,
    /// How long a request's head may take.
    pub head: Duration,
    /// How long a request may take, and its body.
    pub request: RequestLimits,
    /// How long a client may take no byte of its response.
    pub write: Duration,
    /// How long running requests may take after the signal to stop.
    pub shutdown: Duration,
}

impl ConnectionsConfig {
    pub(super) fn read_part(env: &mut Reader<'_>) -> Option<Self> {
        let connections = env.read(&MAX_CONNECTIONS);
        let (idle, head) = (env.read(&IDLE_TIMEOUT_SECONDS), env.read(&HEAD_TIMEOUT_SECONDS));
        let (body, answer) = (env.read(&BODY_TIMEOUT_SECONDS), env.read(&REQUEST_TIMEOUT_SECONDS));
        let (write, shutdown) = (env.read(&WRITE_TIMEOUT_SECONDS), env.read(&SHUTDOWN_TIMEOUT_SECONDS));
        Some(Self {
            connections,
            idle: idle?,
            head: head?,
            request: RequestLimits { answer: answer?, body: body? },
            write: write?,
            shutdown: shutdown?,
        })
    }
}
