//! What the three programs share: starting, and a turn for each event.

use std::{panic::AssertUnwindSafe, process::ExitCode, time::Duration};

use aws::Clock;
use doctor::Report;
use futures_util::FutureExt;
use hosting::config::PlatformConfig;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;
use telemetry::{Telemetry, TelemetryConfig};
use tokio::{sync::OnceCell, time::timeout};
use tracing::Instrument;

/// Runs a function until Lambda stops its process, in one thread: there is one event at a time. An error ends the process
/// before it asks for an event; Lambda then starts another, so it says what is wrong with the deployment.
pub fn run(start: impl AsyncFnOnce() -> Result<(), Error>) -> ExitCode {
    let ended =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::from).and_then(
            |runtime| {
                let ended = runtime.block_on(Box::pin(start()));
                // A look-up of a name may still be waiting for an answer in a thread of its own: nobody else waits for that.
                runtime.shutdown_background();
                ended
            },
        );
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Sets up logs, metrics and traces.
#[must_use]
pub fn telemetry(service: &'static str, platform: &PlatformConfig) -> Telemetry {
    telemetry::init(TelemetryConfig {
        filter: &platform.log_filter,
        service,
        environment: &platform.env,
        host: telemetry::Host::Lambda,
        xray_daemon: platform.xray_address.as_deref(),
        catalog: &hosting::telemetry_catalog(),
    })
}

/// Starts, and then asks for events, one after the other, for ever. What was counted is told before each answer: after it
/// the process may be frozen.
///
/// `{"doctor": true}`, which only somebody sends who may invoke the function, is answered by a report; also where the start
/// failed, for that is when somebody asks. Until then each other event tries to start again, and fails with the reason.
pub async fn poll<S, A: Serialize>(
    telemetry: Telemetry,
    check: impl AsyncFn() -> Report,
    start: impl AsyncFn() -> Result<S, Error>,
    handle: impl AsyncFn(&S, LambdaEvent<Value>) -> Result<A, Error>,
) -> Result<(), Error> {
    let started = OnceCell::new();
    if let Err(error) = started.get_or_try_init(|| start()).await {
        if !is_on_demand() {
            return Err(error);
        }
        tracing::error!(%error, "the function could not start; each event tries again");
    }
    let turn = async |event: LambdaEvent<Value>| {
        let span = tracing::error_span!("invocation", invocation = event.context.request_id);
        let answer = async {
            if event.payload.get("doctor") == Some(&Value::Bool(true)) {
                let report = timeout(time_left(&event), Box::pin(check())).await;
                return report
                    .map(Answer::Report)
                    .map_err(|_| "no time left to check all: raise the timeout".into());
            }
            let state = Box::pin(started.get_or_try_init(|| start())).await?;
            Box::pin(handle(state, event)).await.map(Answer::Event)
        };
        let answer = AssertUnwindSafe(answer.instrument(span)).catch_unwind().await;
        telemetry.flush_metrics();
        // The panic hook has said where; the message may hold anything, so it is not repeated.
        answer.unwrap_or_else(|_| Err("a panic".into())).map_err(|error| diagnostic(&error))
    };
    lambda_runtime::Runtime::new(service_fn(turn)).run().await
}

/// Until Lambda ends the process, with a margin to answer in.
fn time_left(event: &LambdaEvent<Value>) -> Duration {
    let milliseconds = event.context.deadline.saturating_sub(Clock::System.now() * 1000);
    Duration::from_millis(milliseconds).saturating_sub(Duration::from_secs(1))
}

/// Whether this process was started for an event that waits. With provisioned concurrency none does, and a deployment goes
/// on only if the start succeeds (AWS Lambda Developer Guide, "Defined runtime environment variables").
fn is_on_demand() -> bool {
    hosting::read_variable("AWS_LAMBDA_INITIALIZATION_TYPE").as_deref() == Some("on-demand")
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer<A> {
    Event(A),
    Report(Report),
}

/// A failed event, as Lambda tells it to whoever sent it.
fn diagnostic(error: &Error) -> Diagnostic {
    Diagnostic { error_type: "Failed".to_owned(), error_message: error.to_string() }
}
