//! What the three programs share: the start, and the loop over events.

use std::{panic::AssertUnwindSafe, process::ExitCode, time::Duration};

use aws::Clock;
use doctor::Report;
use futures_util::FutureExt;
use hosting::config::PlatformConfig;
use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;
use telemetry::{Telemetry, TelemetryConfig};
use tokio::{sync::OnceCell, time::timeout};
use tracing::Instrument;

use crate::deadline::time_left;

/// Runs a function until Lambda stops its process. One thread is enough: Lambda sends one event at a time. An error
/// ends the process; Lambda reports it and starts another one.
pub fn run_function(start: impl AsyncFnOnce() -> Result<(), Error>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(Error::from).and_then(|runtime| {
        let result = runtime.block_on(Box::pin(start()));
        // A DNS look-up that timed out may still block a thread: do not wait for it.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Sets up logs, metrics and traces.
#[must_use]
pub fn init_telemetry(service: &'static str, platform: &PlatformConfig) -> Telemetry {
    telemetry::init(TelemetryConfig {
        filter: &platform.log_filter,
        service,
        environment: &platform.env,
        host: telemetry::Host::Lambda,
        xray_daemon: platform.xray_address.as_deref(),
        catalog: &hosting::telemetry_catalog(),
    })
}

/// Calls `start` once, then handles events one after the other.
///
/// `{"doctor": true}` returns the report of `check`. Only principals with permission to invoke the function can send
/// it. It works after a failed start too, which is when an operator needs it. Other events then call `start` again, and
/// fail with its error until it succeeds.
pub async fn poll_events<S, R: Serialize>(
    telemetry: Telemetry,
    check: impl AsyncFn() -> Report,
    start: impl AsyncFn() -> Result<S, Error>,
    handle: impl AsyncFn(&S, LambdaEvent<Value>) -> Result<R, Error>,
) -> Result<(), Error> {
    let started = OnceCell::new();
    if let Err(error) = Box::pin(started.get_or_try_init(|| start())).await {
        if !is_on_demand() {
            return Err(error);
        }
        tracing::error!(%error, "the function could not start; each event tries again");
    }
    let handle_event = async |event: LambdaEvent<Value>| {
        let span = tracing::error_span!("invocation", invocation = event.context.request_id);
        let response = async {
            if event.payload.get("doctor") == Some(&Value::Bool(true)) {
                let report = timeout(time_for_checks(&event.context), Box::pin(check())).await;
                return report.map(InvocationResponse::Report).map_err(|_| {
                    "the checks did not finish in time; raise the timeout of the function".into()
                });
            }
            let state = Box::pin(started.get_or_try_init(|| start())).await?;
            Box::pin(handle(state, event)).await.map(InvocationResponse::Event)
        };
        let response = AssertUnwindSafe(response.instrument(span)).catch_unwind().await;
        // Before the response: Lambda may freeze the process right after it.
        telemetry.flush_metrics();
        // The panic hook has logged the place. The message may contain request data, so it is not repeated.
        response
            .unwrap_or_else(|_| Err("the function panicked".into()))
            .map_err(|error| to_diagnostic(&error))
    };
    lambda_runtime::Runtime::new(service_fn(handle_event)).run().await
}

/// The time until Lambda ends the process, less a second for the response.
fn time_for_checks(context: &Context) -> Duration {
    time_left(context, Clock::System).saturating_sub(Duration::from_secs(1))
}

/// Whether this process was started for a waiting event. With provisioned concurrency there is none, and a failed start
/// must end the process, so that the deployment fails (AWS Lambda Developer Guide, "Defined runtime environment
/// variables").
fn is_on_demand() -> bool {
    hosting::read_variable("AWS_LAMBDA_INITIALIZATION_TYPE").as_deref() == Some("on-demand")
}

#[derive(Serialize)]
#[serde(untagged)]
enum InvocationResponse<R> {
    Event(R),
    Report(Report),
}

/// The error that Lambda returns to the sender of the event.
fn to_diagnostic(error: &Error) -> Diagnostic {
    Diagnostic { error_type: "Failed".to_owned(), error_message: error.to_string() }
}
