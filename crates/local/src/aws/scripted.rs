//! A server with prepared replies, for cases that ministack cannot produce.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws::{ClientConfig, Clock};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use s3s::Body;
use serde_json::Value;

use super::region;
use crate::http_server::{HttpServer, Reply};

/// One reply.
#[derive(Debug, Clone)]
pub enum ScriptedReply {
    /// A response with this status and this body.
    Response(u16, String),
    /// A response with this status, this body, and this header.
    WithHeader(u16, String, (&'static str, String)),
    /// The connection breaks.
    Disconnect,
}

/// A request that the server received.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// Method and target, as in `HEAD /bucket/`.
    pub line: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. Null if it is not JSON.
    pub body: Value,
}

/// A server with prepared replies. Dropping it stops it.
#[derive(Debug)]
pub struct ScriptedServer {
    server: HttpServer,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    replies: VecDeque<ScriptedReply>,
    requests: Vec<RecordedRequest>,
}

impl ScriptedServer {
    /// Replies to the requests in this order. Every further request gets the status 418, which no client expects.
    pub async fn start(replies: impl IntoIterator<Item = ScriptedReply>) -> io::Result<Self> {
        let script = Script { replies: replies.into_iter().collect(), requests: Vec::new() };
        let script = Arc::new(Mutex::new(script));
        let shared = Arc::clone(&script);
        let server = HttpServer::start(([127, 0, 0, 1], 0).into(), move |request| {
            let script = Arc::clone(&shared);
            async move { next_reply(&script, request).await }
        });
        Ok(Self { server: server.await?, script })
    }

    /// The settings of a client for this server.
    pub fn settings(&self) -> io::Result<ClientConfig> {
        Ok(ClientConfig {
            region: region()?,
            credentials: SharedCredentialsProvider::new(Credentials::new("AKIA", "key", None, None, "test")),
            endpoint: Some(self.server.endpoint()),
            clock: Clock::System,
        })
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.script).requests.clone()
    }
}

async fn next_reply(script: &Mutex<Script>, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| serde_json::from_slice(&body.to_bytes()).unwrap_or_default());
    // Locked only now: a lock must not be held across an await.
    let mut script = lock(script);
    let line = format!("{} {}", head.method, head.uri);
    script.requests.push(RecordedRequest { line, headers: head.headers, body: body.unwrap_or_default() });
    let (status, body, header) = match script.replies.pop_front() {
        Some(ScriptedReply::Response(status, body)) => (status, body, None),
        Some(ScriptedReply::WithHeader(status, body, header)) => (status, body, Some(header)),
        Some(ScriptedReply::Disconnect) => return Reply::Disconnect,
        None => (418, "the script has no more replies".to_owned(), None),
    };
    let mut response = Response::new(Body::from(body));
    if let Some((name, value)) = header.and_then(|(name, value)| Some((name, value.parse().ok()?))) {
        response.headers_mut().insert(name, value);
    }
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    Reply::Response(response)
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}
