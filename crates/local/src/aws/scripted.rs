//! A server that answers what it was told to: for what a well-behaved stand-in does not do.

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
use crate::listen::{Reply, Server};

/// One answer.
#[derive(Debug, Clone)]
pub enum Scene {
    /// This status and this body.
    Says(u16, String),
    /// The connection breaks.
    HangsUp,
}

/// A server with answers in store. Dropping it stops it.
#[derive(Debug)]
pub struct Scripted {
    server: Server,
    play: Arc<Mutex<Play>>,
}

#[derive(Debug, Default)]
struct Play {
    scenes: VecDeque<Scene>,
    asked: Vec<(HeaderMap, Value)>,
}

impl Scripted {
    /// Answers requests with these, in this order, and every one after that with a status that no client expects.
    pub async fn start(scenes: impl IntoIterator<Item = Scene>) -> io::Result<Self> {
        let play = Arc::new(Mutex::new(Play { scenes: scenes.into_iter().collect(), asked: Vec::new() }));
        let stage = Arc::clone(&play);
        let server = Server::start(([127, 0, 0, 1], 0).into(), move |request| {
            let stage = Arc::clone(&stage);
            async move { answer(&stage, request).await }
        });
        Ok(Self { server: server.await?, play })
    }

    /// How to reach it, as somebody.
    pub fn settings(&self) -> io::Result<ClientConfig> {
        Ok(ClientConfig {
            region: region()?,
            credentials: SharedCredentialsProvider::new(Credentials::new("AKIA", "key", None, None, "test")),
            endpoint: Some(self.server.endpoint()),
            clock: Clock::System,
        })
    }

    /// What it was asked: headers, and bodies as JSON.
    #[must_use]
    pub fn asked(&self) -> Vec<(HeaderMap, Value)> {
        lock(&self.play).asked.clone()
    }
}

async fn answer(play: &Mutex<Play>, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| serde_json::from_slice(&body.to_bytes()).unwrap_or_default());
    let mut play = lock(play);
    play.asked.push((head.headers, body.unwrap_or_default()));
    let (status, body) = match play.scenes.pop_front() {
        Some(Scene::Says(status, body)) => (status, body),
        Some(Scene::HangsUp) => return Reply::Hangup,
        None => (418, "the play is over".to_owned()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    Reply::Answer(response)
}

fn lock(play: &Mutex<Play>) -> MutexGuard<'_, Play> {
    play.lock().unwrap_or_else(PoisonError::into_inner)
}
