//! A stand-in for AWS Lambda: its Runtime API, and the environment of a function's process.
//!
//! The function under test polls for events and posts the results (AWS Lambda Developer Guide, "Using the Lambda runtime
//! API for custom runtimes"). Each event goes to the first poll that waits for one. A client may hold any number of
//! connections.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io,
    net::Ipv4Addr,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
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

use crate::http_server::{HttpServer, Reply};

/// The prefix of all paths of the API.
const BASE_PATH: &str = "/2018-06-01/runtime/";

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");

/// A Runtime API on its own port, for one function. Dropping it stops it.
#[derive(Debug)]
pub struct RuntimeApi {
    server: HttpServer,
    events: mpsc::UnboundedSender<PendingEvent>,
    state: Arc<RuntimeState>,
}

/// The context of one invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The time that the function has, from now on.
    pub timeout: Duration,
    /// The tracing header of X-Ray, such as `Root=1-…;Parent=…;Sampled=1`.
    pub trace_header: Option<String>,
    /// The id of the invocation.
    pub request_id: String,
}

impl Default for Invocation {
    /// Thirty seconds, no trace, a new id.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), trace_header: None, request_id: Uuid::new_v4().to_string() }
    }
}

/// An event that waits for the next poll.
#[derive(Debug)]
struct PendingEvent {
    body: Vec<u8>,
    deadline_ms: i128,
    invocation: Invocation,
}

/// The response of the function, or its error as JSON.
type InvocationResult = Result<Value, Value>;

#[derive(Debug)]
struct RuntimeState {
    /// Locked while a poll waits, so that each event goes to one poll.
    events: AsyncMutex<mpsc::UnboundedReceiver<PendingEvent>>,
    /// The callers of [`RuntimeApi::invoke`], by request id.
    waiting: Mutex<HashMap<String, oneshot::Sender<InvocationResult>>>,
    started_at: Mutex<Instant>,
    init_duration: watch::Sender<Option<Duration>>,
    init_error: Mutex<Option<Value>>,
}

impl RuntimeApi {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// If there is no free port.
    pub async fn start() -> io::Result<Self> {
        let (events, receiver) = mpsc::unbounded_channel();
        let state = Arc::new(RuntimeState {
            events: AsyncMutex::new(receiver),
            waiting: Mutex::default(),
            started_at: Mutex::new(Instant::now()),
            init_duration: watch::Sender::new(None),
            init_error: Mutex::default(),
        });
        let handler = {
            let state = Arc::clone(&state);
            move |request| handle_request(Arc::clone(&state), request)
        };
        let server = HttpServer::start((Ipv4Addr::LOCALHOST, 0).into(), handler).await?;
        Ok(Self { server, events, state })
    }

    /// A command that starts a function. Its environment has only the variables that Lambda itself sets ("Defined runtime
    /// environment variables"), so a variable that the function's own configuration lacks is missing here too.
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

    /// Starts a function and the clock of [`RuntimeApi::init_duration`]. Dropping the child kills it.
    ///
    /// # Errors
    ///
    /// If the program does not start.
    pub fn spawn(&self, command: Command) -> io::Result<Child> {
        // A function may be started again, as Lambda does after a timeout.
        self.state.init_duration.send_replace(None);
        *lock(&self.state.started_at) = Instant::now();
        tokio::process::Command::from(command).kill_on_drop(true).spawn()
    }

    /// The time from the start of the process to its first poll. Waits for that poll.
    pub async fn init_duration(&self) -> Duration {
        let mut init_duration = self.state.init_duration.subscribe();
        // The sender lives as long as `self`.
        let measured = init_duration.wait_for(Option::is_some).await;
        measured.ok().and_then(|value| *value).unwrap_or_default()
    }

    /// Sends an event to the function and waits for the result.
    ///
    /// # Errors
    ///
    /// What the function reported, or a timeout: JSON with `errorType` and `errorMessage`.
    pub async fn invoke(&self, event: Value, invocation: Invocation) -> Result<Value, Value> {
        let (sender, receiver) = oneshot::channel();
        let timeout = invocation.timeout;
        let now_ms = aws::Clock::System.now_utc().unix_timestamp_nanos() / 1_000_000;
        // The deadline is a point in time, not a duration.
        let deadline_ms = now_ms + i128::try_from(timeout.as_millis()).unwrap_or(i128::MAX / 2);
        lock(&self.state.waiting).insert(invocation.request_id.clone(), sender);
        // The caller is registered first, because the result may arrive at once.
        let event = PendingEvent { body: event.to_string().into_bytes(), deadline_ms, invocation };
        // The receiver lives as long as `self`.
        let _ = self.events.send(event);
        match tokio::time::timeout(timeout, receiver).await {
            Ok(Ok(result)) => result,
            // The error of Lambda itself. The process of the function keeps running here.
            _ => Err(json!({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"})),
        }
    }

    /// The error that the function posted to `/init/error`, if it did.
    #[must_use]
    pub fn init_error(&self) -> Option<Value> {
        lock(&self.state.init_error).clone()
    }
}

async fn handle_request(state: Arc<RuntimeState>, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().strip_prefix(BASE_PATH).unwrap_or_default().to_owned();
    let method = request.method().clone();
    let status = match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
        (Method::GET, ["invocation", "next"]) => return next_event(&state).await,
        (Method::POST, ["invocation", id, outcome @ ("response" | "error")]) => {
            let Some(value) = read_json(request).await else { return status_reply(StatusCode::BAD_REQUEST) };
            // Both paths acknowledge with 202. The body of an error has `errorType` and `errorMessage`.
            let result = if *outcome == "response" { Ok(value) } else { Err(value) };
            let waiting = lock(&state.waiting).remove(*id);
            // After the timeout the caller is gone. Lambda refuses late results as well.
            match waiting.map(|waiting| waiting.send(result)) {
                Some(Ok(())) => StatusCode::ACCEPTED,
                _ => StatusCode::BAD_REQUEST,
            }
        }
        // A runtime posts here when it cannot start.
        (Method::POST, ["init", "error"]) => {
            *lock(&state.init_error) = read_json(request).await;
            StatusCode::ACCEPTED
        }
        _ => StatusCode::NOT_FOUND,
    };
    status_reply(status)
}

/// Waits for an event without a time limit. The guide asks clients to set no timeout on this call, because Lambda may
/// freeze the process between two events.
async fn next_event(state: &RuntimeState) -> Reply {
    let started_at = *lock(&state.started_at);
    // The first poll ends the initialisation.
    state.init_duration.send_if_modified(|init_duration| {
        let is_first = init_duration.is_none();
        init_duration.get_or_insert_with(|| started_at.elapsed());
        is_first
    });
    let Some(event) = state.events.lock().await.recv().await else { return Reply::Disconnect };
    let id = HeaderValue::try_from(&event.invocation.request_id);
    let trace = event.invocation.trace_header.as_deref().map(HeaderValue::try_from);
    let mut response = Response::new(Body::from(event.body));
    let headers = response.headers_mut();
    let (Ok(id), Ok(trace)) = (id, trace.transpose()) else { return Reply::Disconnect };
    headers.insert(REQUEST_ID, id);
    // Without tracing Lambda sends no header.
    headers.extend(trace.map(|trace| (TRACE_ID, trace)));
    if let Ok(deadline) = HeaderValue::try_from(event.deadline_ms.to_string()) {
        headers.insert(DEADLINE_MS, deadline);
    }
    let arn = HeaderValue::from_static("arn:aws:lambda:us-east-1:000000000000:function:function");
    headers.insert(FUNCTION_ARN, arn);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Reply::Response(response)
}

async fn read_json(request: Request<Incoming>) -> Option<Value> {
    let body = request.into_body().collect().await.ok()?.to_bytes();
    serde_json::from_slice(&body).ok()
}

fn status_reply(status: StatusCode) -> Reply {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    Reply::Response(response)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
