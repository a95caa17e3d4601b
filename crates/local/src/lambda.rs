//! A stand-in for the place in AWS that runs a Lambda function: its Runtime API, and the environment of its process.
//!
//! The program under test polls for events and posts what became of them (AWS Lambda Developer Guide, "Using the Lambda
//! runtime API for custom runtimes"). One event is given out at a time to whoever polls first; a client may hold as many
//! connections as it likes.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io,
    net::Ipv4Addr,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws::Clock;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use s3s::Body;
use serde_json::{Value, json};
use tokio::{
    process::Child,
    sync::{Mutex as AsyncMutex, mpsc, oneshot, watch},
    time::Instant,
};
use uuid::Uuid;

use crate::listen::{Reply, Server};

/// What all paths of the API begin with.
const ROOT: &str = "/2018-06-01/runtime/";

/// A Runtime API on a port of its own, for one function. Dropping it stops it.
#[derive(Debug)]
pub struct RuntimeApi {
    server: Server,
    events: mpsc::UnboundedSender<Event>,
    shared: Arc<Shared>,
}

/// The circumstances of one event.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// How much time the function has, from now on.
    pub time: Duration,
    /// X-Ray's tracing header, as in `Root=1-…;Parent=…;Sampled=1`.
    pub trace: Option<String>,
    /// The invocation's id.
    pub request_id: String,
}

impl Default for Invocation {
    /// Thirty seconds, no trace, a fresh id.
    fn default() -> Self {
        Self { time: Duration::from_secs(30), trace: None, request_id: Uuid::new_v4().to_string() }
    }
}

/// An event on its way to the function.
#[derive(Debug)]
struct Event {
    body: Vec<u8>,
    deadline_ms: i128,
    invocation: Invocation,
}

type Answer = Result<Value, Value>;

#[derive(Debug)]
struct Shared {
    events: AsyncMutex<mpsc::UnboundedReceiver<Event>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    started: Mutex<Instant>,
    initialised: watch::Sender<Option<Duration>>,
    init_error: Mutex<Option<Value>>,
}

impl RuntimeApi {
    /// Listens on any free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub async fn start() -> io::Result<Self> {
        let (events, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            events: AsyncMutex::new(receiver),
            answers: Mutex::default(),
            started: Mutex::new(Instant::now()),
            initialised: watch::Sender::new(None),
            init_error: Mutex::default(),
        });
        let handler = {
            let shared = Arc::clone(&shared);
            move |request| handle(Arc::clone(&shared), request)
        };
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), handler).await?;
        Ok(Self { server, events, shared })
    }

    /// A command that starts a function here: nothing but what Lambda itself sets is in its environment ("Defined runtime
    /// environment variables"), so that it lacks what its own configuration lacks.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let endpoint = self.server.endpoint();
        command.env_clear().envs([
            ("AWS_LAMBDA_RUNTIME_API", endpoint.trim_start_matches("http://")),
            ("AWS_LAMBDA_FUNCTION_NAME", "function"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/function"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
            ("AWS_REGION", "us-east-1"),
            ("TZ", ":UTC"),
        ]);
        command
    }

    /// Starts a function, and the clock of [`RuntimeApi::initialised`]. It is killed when the child is dropped.
    ///
    /// # Errors
    ///
    /// If the program cannot be started.
    pub fn run(&self, command: Command) -> io::Result<Child> {
        self.shared.initialised.send_replace(None);
        *lock(&self.shared.started) = Instant::now();
        tokio::process::Command::from(command).kill_on_drop(true).spawn()
    }

    /// How long it took from the start of the process to its first poll. Waits for that poll.
    pub async fn initialised(&self) -> Duration {
        let mut initialised = self.shared.initialised.subscribe();
        // The sender lives as long as `self`.
        let waited = initialised.wait_for(Option::is_some).await;
        waited.ok().and_then(|value| *value).unwrap_or_default()
    }

    /// Gives the function an event and waits for its answer; an error is what the function reported, or that its time
    /// was over.
    ///
    /// # Errors
    ///
    /// As JSON with `errorType` and `errorMessage`.
    pub async fn invoke(&self, event: Value, invocation: Invocation) -> Result<Value, Value> {
        let (answer, answered) = oneshot::channel();
        let time = invocation.time;
        let now_ms = Clock::System.now_utc().unix_timestamp_nanos() / 1_000_000;
        let deadline_ms = now_ms + i128::try_from(time.as_millis()).unwrap_or(i128::MAX / 2);
        lock(&self.shared.answers).insert(invocation.request_id.clone(), answer);
        let event = Event { body: event.to_string().into_bytes(), deadline_ms, invocation };
        // The receiver lives as long as `self`.
        let _ = self.events.send(event);
        match tokio::time::timeout(time, answered).await {
            Ok(Ok(answer)) => answer,
            _ => Err(json!({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"})),
        }
    }

    /// What the function said about why it cannot start, if it did.
    #[must_use]
    pub fn init_error(&self) -> Option<Value> {
        lock(&self.shared.init_error).clone()
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().strip_prefix(ROOT).unwrap_or_default().to_owned();
    let method = request.method().clone();
    let reply = match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
        (Method::GET, ["invocation", "next"]) => return next(&shared).await,
        (Method::POST, ["invocation", id, outcome @ ("response" | "error")]) => {
            let Some(value) = read(request).await else { return answer(StatusCode::BAD_REQUEST) };
            let result = if *outcome == "response" { Ok(value) } else { Err(value) };
            let waiting = lock(&shared.answers).remove(*id);
            // Nobody waits any more where the time was over: Lambda refuses a late answer, too.
            match waiting.map(|waiting| waiting.send(result)) {
                Some(Ok(())) => StatusCode::ACCEPTED,
                _ => StatusCode::BAD_REQUEST,
            }
        }
        (Method::POST, ["init", "error"]) => {
            *lock(&shared.init_error) = read(request).await;
            StatusCode::ACCEPTED
        }
        _ => StatusCode::NOT_FOUND,
    };
    answer(reply)
}

/// Waits for an event: also for hours, as the real one does.
async fn next(shared: &Shared) -> Reply {
    let started = *lock(&shared.started);
    shared.initialised.send_if_modified(|initialised| {
        let first = initialised.is_none();
        initialised.get_or_insert_with(|| started.elapsed());
        first
    });
    let Some(event) = shared.events.lock().await.recv().await else { return Reply::Hangup };
    let id = HeaderValue::try_from(&event.invocation.request_id);
    let trace = event.invocation.trace.as_deref().map(HeaderValue::try_from);
    let mut response = Response::new(Body::from(event.body));
    let headers = response.headers_mut();
    let (Ok(id), Ok(trace)) = (id, trace.transpose()) else { return Reply::Hangup };
    headers.insert("lambda-runtime-aws-request-id", id);
    headers.extend(trace.map(|trace| (http::HeaderName::from_static("lambda-runtime-trace-id"), trace)));
    if let Ok(deadline) = HeaderValue::try_from(event.deadline_ms.to_string()) {
        headers.insert("lambda-runtime-deadline-ms", deadline);
    }
    let arn = HeaderValue::from_static("arn:aws:lambda:us-east-1:000000000000:function:function");
    headers.insert("lambda-runtime-invoked-function-arn", arn);
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Reply::Answer(response)
}

async fn read(request: Request<Incoming>) -> Option<Value> {
    let body = request.into_body().collect().await.ok()?.to_bytes();
    serde_json::from_slice(&body).ok()
}

fn answer(status: StatusCode) -> Reply {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    Reply::Answer(response)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
