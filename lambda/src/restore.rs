//! The restore worker, woken by the queue of restore orders, and by a schedule.
//!
//! The orders are in Postgres. A message names a package and so a dataset; the function does all that is on record for that
//! dataset. What time does not allow, or what has to wait, is gone on with by a message that the function sends itself. A
//! message whose run failed is named in the answer and comes again (AWS Lambda Developer Guide, "Reporting batch item
//! failures"), up to the queue's `maxReceiveCount`; then it lies in the dead-letter queue as evidence. It would come only
//! after the queue's visibility timeout, which must be hours since a run may take long; so the queue is asked to show it
//! again soon.
//!
//! A schedule sends `{"task": "resume"}` every few minutes, which does what no message woke anybody for, and
//! `{"task": "maintain"}` once a day, which looks through all workspaces.

mod time;

use std::time::Duration;

use aws::{SqsQueue, trace};
use futures_util::{StreamExt, stream};
use lambda_runtime::{Error, LambdaEvent};
use packages::id::DatasetKey;
use restore::{
    self, MAX_ATTEMPTS, RestoreMessage, Restorer, RunOutcome, RunStatus, db::queue::list_overdue_datasets,
    deliver_outbox, queue::WorkerQueue, run_maintenance,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use telemetry::{SegmentKind, TraceContext};
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};

pub use time::Deadline;

use crate::event::or_default;

/// When a message comes again whose first attempt failed; four times that after the second.
const RETRY_DELAY: Duration = Duration::from_secs(30);

/// How long the queue may take to be told so.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a dataset waits for the message that is to come for it, before a schedule goes on with it instead.
const OVERDUE: Duration = Duration::from_mins(1);

/// Datasets that a schedule goes on with in one invocation, at most.
const MAX_RESUMED: i64 = 100;

/// What carries out the messages of a queue.
#[derive(Debug)]
pub struct Worker {
    /// What a restore works with.
    pub restorer: Restorer,
    /// Where the messages come from.
    pub queue: SqsQueue,
    /// How long a package may be RESTORING without an order.
    pub stray_max_age: Duration,
}

/// What a schedule asks for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Task {
    /// To go on with what is due, and to deliver what is to be told.
    Resume,
    /// To look through all workspaces.
    Maintain,
}

#[derive(Debug, Deserialize)]
struct Scheduled {
    task: Task,
}

/// Messages from a queue (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS"), as far as they are of interest.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    #[serde(default, deserialize_with = "or_default")]
    receipt_handle: String,
    #[serde(default, deserialize_with = "or_default")]
    body: String,
    #[serde(default, deserialize_with = "or_default")]
    attributes: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Attributes {
    /// How often the message was received, this time included.
    #[serde(deserialize_with = "or_default")]
    approximate_receive_count: String,
    #[serde(rename = "AWSTraceHeader")]
    trace: Option<String>,
}

impl Record {
    /// A count that is larger than any number we know is a large one, and not the first attempt.
    fn attempt(&self) -> u32 {
        let count = self.attributes.approximate_receive_count.as_str();
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        count.parse().unwrap_or(if is_number { u32::MAX } else { 1 })
    }
}

/// Which messages are to come again.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// Carries out the messages of one event, as far as time allows, or a schedule's task. An error hands all messages back: the
/// event is of an unknown shape.
pub async fn handle(worker: &Worker, event: LambdaEvent<Value>) -> Result<BatchResponse, Error> {
    let deadline = Deadline::from_context(&event.context, worker.restorer.clock);
    if let Ok(Scheduled { task }) = Scheduled::deserialize(&event.payload) {
        run_task(worker, task, deadline).await?;
        return Ok(BatchResponse { batch_item_failures: Vec::new() });
    }
    let event: Event =
        serde_json::from_value(event.payload).map_err(|_| "the event is neither of SQS nor of a schedule")?;
    let failed = stream::iter(event.records).filter_map(async |record| {
        let trace = TraceContext::from_header(record.attributes.trace.as_deref());
        let work = process_record(worker, &record, deadline).instrument(span(&record, &trace));
        let done = trace::scope(Some(trace.to_header()), work).await;
        (!done).then_some(Failure { item_identifier: record.message_id })
    });
    Ok(BatchResponse { batch_item_failures: failed.collect().await })
}

/// Does a schedule's task, as far as time allows.
async fn run_task(worker: &Worker, task: Task, deadline: Deadline) -> Result<(), Error> {
    let restorer = &worker.restorer;
    match task {
        Task::Resume => {
            for key in list_overdue_datasets(&restorer.db, OVERDUE, MAX_RESUMED).await? {
                let Some(until) = deadline.for_run(Instant::now()) else { break };
                let (workspace, dataset) = (key.workspace.0, key.dataset.0);
                tracing::warn!(
                    workspace,
                    dataset,
                    "going on with a restore that nothing has woken a worker for"
                );
                // A failure is logged and on record where it happens; the next schedule goes on.
                let _ = restore::process_dataset(restorer, key, until, Some(deadline.for_stopping())).await;
            }
            deliver_outbox(restorer, None).await?;
        }
        Task::Maintain => {
            let maintained = run_maintenance(restorer, worker.stray_max_age).await?;
            tracing::info!(released = maintained.released, broken = maintained.broken, "maintenance done");
        }
    }
    Ok(())
}

/// A segment of its own in the trace of whoever ordered, and no part of the invocation's: that has a batch of orders.
/// Whatever is logged for the message has these fields.
fn span(record: &Record, trace: &TraceContext) -> Span {
    tracing::error_span!(
        target: "trace.root", "restore", kind = SegmentKind::Segment.as_str(), message_id = record.message_id,
        attempt = record.attempt(), workspace = Empty, dataset = Empty, package = Empty,
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
    )
}

/// Does what a message asks for. False: it is to come again.
async fn process_record(worker: &Worker, record: &Record, deadline: Deadline) -> bool {
    let done = Box::pin(process_message(worker, record, deadline)).await;
    if !done {
        retry_soon(&worker.queue, record).await;
    }
    done
}

async fn process_message(worker: &Worker, record: &Record, deadline: Deadline) -> bool {
    let attempt = record.attempt();
    let Ok(message) = serde_json::from_str::<RestoreMessage>(&record.body) else {
        tracing::error!("malformed restore message");
        return false;
    };
    Span::current()
        .record("workspace", message.workspace.0)
        .record("dataset", message.dataset.0)
        .record("package", message.package.id.0);
    match run_dataset(worker, &message, deadline).await {
        Ok(RunOutcome { restored, failed, status }) => {
            tracing::info!(restored, failed, "packages restored");
            match status {
                RunStatus::Continues(delay) => continue_later(worker, &message, delay).await,
                // Whoever put it off has sent a message of their own, or was a schedule, which looks again. One that comes
                // again after a failure is that message.
                RunStatus::Postponed(delay) if attempt > 1 => continue_later(worker, &message, delay).await,
                RunStatus::Finished | RunStatus::LeasedElsewhere | RunStatus::Postponed(_) => true,
            }
        }
        Err(error) => {
            tracing::warn!(error, "restore stopped");
            false
        }
    }
}

async fn run_dataset(
    worker: &Worker,
    message: &RestoreMessage,
    deadline: Deadline,
) -> Result<RunOutcome, String> {
    let restorer = &worker.restorer;
    restore::ensure_order(&restorer.db, message).await.map_err(|error| error.to_string())?;
    let Some(until) = deadline.for_run(Instant::now()) else {
        return Err("no time left to begin".to_owned());
    };
    let key = DatasetKey { workspace: message.workspace, dataset: message.dataset };
    let run = Box::pin(restore::process_dataset(restorer, key, until, Some(deadline.for_stopping())));
    run.await.map_err(|error| error.to_string())
}

/// Lets the message come anew, to go on. As a new message it has all its attempts before it: there was progress.
async fn continue_later(worker: &Worker, message: &RestoreMessage, delay: Duration) -> bool {
    WorkerQueue::Sqs(worker.queue.clone()).wake_worker(message, delay).await
}

/// Lets a failed message come again soon and, after its last attempt, go to the dead-letter queue at once.
async fn retry_soon(queue: &SqsQueue, record: &Record) {
    let attempt = record.attempt();
    let is_last = attempt >= MAX_ATTEMPTS;
    let after =
        if is_last { Duration::ZERO } else { RETRY_DELAY * 4_u32.pow(attempt.saturating_sub(1).min(4)) };
    let asked = queue.change_visibility(&record.receipt_handle, after);
    let error = match tokio::time::timeout(VISIBILITY_TIMEOUT, asked).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(error, "the message comes again, but only after the queue's visibility timeout");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(attributes: &Value) -> Record {
        let record = json!({
            "messageId": "1", "receiptHandle": null, "body": null, "attributes": attributes,
            "messageAttributes": null, "md5OfBody": null, "eventSource": null,
        });
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn members_that_are_null_are_as_if_they_were_absent() {
        let null = json!({"ApproximateReceiveCount": null, "AWSTraceHeader": null, "SentTimestamp": null});
        for attributes in [json!(null), json!({}), null] {
            let record = record(&attributes);
            assert_eq!((record.attempt(), record.body.as_str()), (1, ""));
        }
    }

    #[test]
    fn a_count_may_be_larger_than_any_number_we_know() {
        for (count, attempt) in [
            ("1", 1),
            ("4294967295", u32::MAX),
            ("4294967296", u32::MAX),
            ("99999999999999999999999", u32::MAX),
            ("", 1),
            ("-1", 1),
            ("x", 1),
        ] {
            let attributes = json!({"ApproximateReceiveCount": count});
            assert_eq!(record(&attributes).attempt(), attempt, "{count}");
        }
    }
}
