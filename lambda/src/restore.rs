//! The restore worker, called by the queue of restore orders and by a schedule.
//!
//! The orders are in Postgres. A message names a package and so a dataset; the function does all that is on record for that
//! dataset. If time runs out, or work has to wait, the function continues later: it sends itself a message. A failed message
//! is in the response, and SQS delivers it again (AWS Lambda Developer Guide, "Reporting batch item failures"), up to the
//! queue's `maxReceiveCount`. Then it is in the dead-letter queue as evidence. SQS would deliver it only after the queue's
//! visibility timeout of hours: a run may take long. So the function shortens the timeout of that message.
//!
//! A schedule sends `{"task": "resume"}` every few minutes, which continues what no message does, and `{"task": "maintain"}`
//! once a day, which maintains all workspaces.

use std::time::Duration;

use aws::{SqsQueue, trace};
use futures_util::{StreamExt, stream};
use lambda_runtime::{Error, LambdaEvent};
use restore::{
    self, MessageDelivery, MessageOutcome, Restorer, RunWindow, db::queue::list_overdue_datasets,
    deliver_outbox, process_dataset, process_message, queue::WorkerQueue, run_maintenance,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use telemetry::{SegmentKind, TraceContext};
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};

use crate::{deadline::time_left, event::or_default};

/// How long the queue may take to change a message's visibility timeout.
const CHANGE_VISIBILITY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a dataset waits for its message before a schedule continues it.
const OVERDUE_DELAY: Duration = Duration::from_mins(1);

/// Datasets that one schedule continues, at most.
const MAX_RESUMED_DATASETS: i64 = 100;

/// What processes the messages of a queue.
#[derive(Debug)]
pub struct Worker {
    /// What a restore works with.
    pub restorer: Restorer,
    /// Where the messages come from.
    pub queue: SqsQueue,
    /// How long a package may be RESTORING without an order.
    pub stray_max_age: Duration,
}

/// What a schedule sends.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ScheduledTask {
    /// Continue the datasets that are due, and deliver the outbox.
    Resume,
    /// Maintain all workspaces.
    Maintain,
}

#[derive(Debug, Deserialize)]
struct ScheduledEvent {
    task: ScheduledTask,
}

/// Messages from a queue (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS"): the members that are used.
#[derive(Debug, Deserialize)]
struct SqsEvent {
    #[serde(rename = "Records")]
    records: Vec<SqsRecord>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SqsRecord {
    message_id: String,
    #[serde(default, deserialize_with = "or_default")]
    receipt_handle: String,
    #[serde(default, deserialize_with = "or_default")]
    body: String,
    #[serde(default, deserialize_with = "or_default")]
    attributes: RecordAttributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RecordAttributes {
    /// How often the message was received, this time included.
    #[serde(deserialize_with = "or_default")]
    approximate_receive_count: String,
    #[serde(rename = "AWSTraceHeader")]
    trace: Option<String>,
}

impl SqsRecord {
    /// A count that does not fit the number is a large one, and not the first attempt.
    fn attempt(&self) -> u32 {
        let count = self.attributes.approximate_receive_count.as_str();
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        count.parse().unwrap_or(if is_number { u32::MAX } else { 1 })
    }
}

/// Which messages are to be delivered again.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<BatchItemFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: String,
}

/// Processes the messages of one event, as time allows, or a schedule's task. An error means that the event is of an unknown
/// shape. SQS then delivers all of its messages again.
pub async fn handle_event(worker: &Worker, event: LambdaEvent<Value>) -> Result<BatchResponse, Error> {
    let deadline = Instant::now() + time_left(&event.context, worker.restorer.clock);
    if let Ok(ScheduledEvent { task }) = ScheduledEvent::deserialize(&event.payload) {
        run_task(worker, task, deadline).await?;
        return Ok(BatchResponse { batch_item_failures: Vec::new() });
    }
    let event: SqsEvent = serde_json::from_value(event.payload)
        .map_err(|_| "unknown event: expected SQS messages or a schedule's task")?;
    let failed = stream::iter(event.records).filter_map(async |record| {
        let trace = TraceContext::from_header(record.attributes.trace.as_deref());
        let work = process_record(worker, &record, deadline).instrument(build_span(&record, &trace));
        let is_done = trace::with_header(Some(trace.to_header()), work).await;
        (!is_done).then_some(BatchItemFailure { item_identifier: record.message_id })
    });
    Ok(BatchResponse { batch_item_failures: failed.collect().await })
}

/// Does a schedule's task, as time allows.
async fn run_task(worker: &Worker, task: ScheduledTask, deadline: Instant) -> Result<(), Error> {
    let restorer = &worker.restorer;
    match task {
        ScheduledTask::Resume => {
            for key in list_overdue_datasets(&restorer.db, OVERDUE_DELAY, MAX_RESUMED_DATASETS).await? {
                let Some(window) = RunWindow::before_stop(Instant::now(), deadline) else { break };
                let (workspace, dataset) = (key.workspace.0, key.dataset.0);
                tracing::warn!(workspace, dataset, "continuing a restore that no message has continued");
                // A failure is recorded and logged; the next schedule continues.
                let _ = process_dataset(restorer, key, window).await;
            }
            deliver_outbox(restorer, None).await?;
        }
        ScheduledTask::Maintain => {
            let report = run_maintenance(restorer, worker.stray_max_age).await?;
            tracing::info!(released = report.released, broken = report.broken, "maintenance done");
        }
    }
    Ok(())
}

/// A segment of its own in the trace of the order, and no part of the invocation's trace: an invocation has a batch of
/// orders. Every log line of the message has these fields.
fn build_span(record: &SqsRecord, trace: &TraceContext) -> Span {
    tracing::error_span!(
        target: "trace.root", "restore", kind = SegmentKind::Segment.as_str(), message_id = record.message_id,
        attempt = record.attempt(), workspace = Empty, dataset = Empty, package = Empty,
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
    )
}

/// False: the message is to be delivered again.
async fn process_record(worker: &Worker, record: &SqsRecord, deadline: Instant) -> bool {
    let queue = WorkerQueue::Sqs(worker.queue.clone());
    let delivery = MessageDelivery { body: &record.body, attempt: record.attempt() };
    match process_message(&worker.restorer, &queue, delivery, deadline).await {
        MessageOutcome::Done => true,
        MessageOutcome::Retry(delay) => {
            change_visibility(&worker.queue, record, delay).await;
            false
        }
    }
}

/// Makes a failed message visible again after this time, instead of after the queue's visibility timeout.
async fn change_visibility(queue: &SqsQueue, record: &SqsRecord, delay: Duration) {
    let changed = queue.change_visibility(&record.receipt_handle, delay);
    let error = match tokio::time::timeout(CHANGE_VISIBILITY_TIMEOUT, changed).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(
        error,
        "the visibility timeout was not changed; the message is delivered again after the queue's own timeout"
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(attributes: &Value) -> SqsRecord {
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
    fn a_count_may_be_larger_than_the_number_type() {
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
