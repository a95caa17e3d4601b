//! The restore worker, fed by the queue of restore orders.
//!
//! An event holds some messages, which are carried out one after the other. A message that is done is gone from the queue;
//! one that is named in the answer comes again (AWS Lambda Developer Guide, "Reporting batch item failures"), up to the
//! queue's `maxReceiveCount`, which is [`ATTEMPTS`]. After that the queue moves it to its dead-letter queue. It would come
//! only after the queue's visibility timeout, which must be hours since a run may take long; so the queue is asked to show
//! it again soon.

mod time;

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, stream};
use lambda_runtime::{Error, LambdaEvent};
use packages::{
    queue::Sqs,
    restore::{self, ATTEMPTS, Message, NO_ANSWER, Outcome, Restorer},
    trace,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use telemetry::{Trace, trace::Kind};
use tracing::{Instrument, Span, field::Empty};

pub use time::Deadline;

/// When a message comes again whose first attempt failed; four times that after the second.
const PAUSE: Duration = Duration::from_secs(30);

/// How long the queue may take to be told so.
const TELL: Duration = Duration::from_secs(1);

/// What carries out the messages of a queue.
#[derive(Debug)]
pub struct Worker {
    /// What a restore works with.
    pub restorer: Restorer,
    /// Where the messages come from.
    pub queue: Sqs,
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
    #[serde(default)]
    receipt_handle: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Attributes {
    /// How often the message was received, this time included.
    approximate_receive_count: String,
    #[serde(rename = "AWSTraceHeader")]
    trace: Option<String>,
}

impl Record {
    fn attempt(&self) -> u32 {
        self.attributes.approximate_receive_count.parse().unwrap_or(1)
    }
}

/// Which messages are to come again.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// Carries out the messages of one event, as far as time allows. An error hands all of them back: the event is none of a
/// queue's.
pub async fn handle(worker: &Worker, event: LambdaEvent<Value>) -> Result<Answer, Error> {
    let deadline = Deadline::of(&event.context, worker.restorer.clock);
    let event: Event = serde_json::from_value(event.payload).map_err(|_| "the event is none of SQS's")?;
    let failed = stream::iter(event.records).filter_map(async |record| {
        let trace = Trace::begin(record.attributes.trace.as_deref());
        let turn = turn(worker, &record, deadline).instrument(span(&record, &trace));
        let done = trace::scope(Some(trace.header()), turn).await;
        (!done).then_some(Failure { item_identifier: record.message_id })
    });
    Ok(Answer { batch_item_failures: failed.collect().await })
}

/// A segment of its own in the trace of whoever ordered, and no part of the invocation's: that has a batch of orders.
/// Whatever is logged for the message has these fields.
fn span(record: &Record, trace: &Trace) -> Span {
    tracing::error_span!(
        target: "trace.root", "restore", kind = Kind::Segment.name(), message_id = record.message_id,
        attempt = Empty, workspace = Empty, dataset = Empty, package = Empty,
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
    )
}

/// One message's turn. False: it is to come again.
async fn turn(worker: &Worker, record: &Record, deadline: Deadline) -> bool {
    let done = attempt(&worker.restorer, record, deadline).await;
    if !done {
        show_again(&worker.queue, record).await;
    }
    done
}

/// One attempt at a message and, if that was the last and failed, its end.
async fn attempt(restorer: &Restorer, record: &Record, deadline: Deadline) -> bool {
    Span::current().record("attempt", record.attempt());
    let Ok(message) = serde_json::from_str::<Message>(&record.body) else {
        tracing::error!("a message in the queue of restore orders is none");
        return false;
    };
    Span::current()
        .record("workspace", message.workspace.0)
        .record("dataset", message.dataset.0)
        .record("package", message.package.id.0);
    let done = carry_out(restorer, &message, deadline).await;
    if !done && record.attempt() >= ATTEMPTS {
        give_up(restorer, &message, deadline).await;
    }
    done
}

/// Tries once. A run that is stopped for want of time has lost nothing: each of its steps may be stopped and done again.
async fn carry_out(restorer: &Restorer, message: &Message, deadline: Deadline) -> bool {
    let Some(time) = deadline.for_a_run(Instant::now()) else {
        tracing::warn!("no time left to begin this restore");
        return false;
    };
    // A panic is one message's failure and not the batch's, and its last attempt is a last attempt, too.
    let run = AssertUnwindSafe(Box::pin(restore::run(restorer, message))).catch_unwind();
    let error = match tokio::time::timeout(time, run).await {
        Ok(Ok(Ok(Outcome { restored, failed }))) => {
            tracing::info!(restored, failed, "restore finished");
            return true;
        }
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(_)) => broken_off("a panic"),
        Err(_) => broken_off("no time left"),
    };
    tracing::warn!(error, "restore stopped");
    false
}

fn broken_off(why: &str) -> String {
    restore::count_stopped();
    why.to_owned()
}

/// Lets a failed message come again soon and, after its last attempt, go to the dead-letter queue at once.
async fn show_again(queue: &Sqs, record: &Record) {
    let attempt = record.attempt();
    let after =
        if attempt >= ATTEMPTS { Duration::ZERO } else { PAUSE * 4_u32.pow(attempt.saturating_sub(1)) };
    let error = match tokio::time::timeout(TELL, queue.show_again(&record.receipt_handle, after)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(error, "the message comes again, but only after the queue's visibility timeout");
}

/// Puts back what was claimed: the queue has no attempt left. The message still counts as failed, so that it lies in the
/// dead-letter queue as evidence; sent again from there it finds nothing to do.
async fn give_up(restorer: &Restorer, message: &Message, deadline: Deadline) {
    let given_up = Box::pin(restore::give_up(&restorer.db, message, NO_ANSWER));
    let error = match tokio::time::timeout(deadline.for_giving_up(Instant::now()), given_up).await {
        Ok(Ok(())) => {
            tracing::error!("restore given up: the package is in the trash again");
            return;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no time left".to_owned(),
    };
    tracing::error!(error, "restore given up, but the package is still RESTORING");
}
