//! Sending to a queue of Amazon SQS, in batches.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use crate::{Error, JsonClient, backoff_delay, trace};

/// Messages in one batch (Amazon SQS API Reference, `SendMessageBatch`).
const MAX_BATCH_MESSAGES: usize = 10;

/// Bytes of a batch's messages together. AWS accepts 1 MiB since August 2025. Stand-ins, and older queues, accept this.
const MAX_BATCH_BYTES: usize = 256 * 1024;

/// Batches in flight at once.
const MAX_CONCURRENT_BATCHES: usize = 4;

/// How long sending may take in all. The caller still has to answer a gateway that waits 30 seconds.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// Attempts for a message that the queue did not accept, but may accept later.
const MAX_ATTEMPTS: u32 = 2;

/// The longest delay of a message (Amazon SQS API Reference, `SendMessageBatch`, `DelaySeconds`).
const MAX_DELAY: Duration = Duration::from_mins(15);

/// A queue.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    /// A [`JsonClient::sqs`] in the queue's region.
    pub client: JsonClient,
    /// The queue's URL.
    pub url: String,
}

/// A message and its index in the caller's list. The index is its id in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BatchEntry<'a> {
    index: usize,
    body: &'a str,
}

/// What all messages of a batch have in common.
#[derive(Clone, Copy)]
struct SendOptions<'a> {
    trace_header: Option<&'a str>,
    delay: Duration,
    deadline: Instant,
}

impl SqsQueue {
    /// Sends messages, each a JSON text, at least once and in any order. Returns the indexes of the messages that the
    /// queue did not accept, after 20 seconds at most. Messages carry the caller's [trace] on.
    pub async fn send(&self, messages: &[String]) -> Vec<usize> {
        self.send_delayed(messages, Duration::ZERO).await
    }

    /// Sends messages that become visible after a delay of 15 minutes at most.
    pub async fn send_delayed(&self, messages: &[String], delay: Duration) -> Vec<usize> {
        self.send_until(Instant::now() + SEND_TIMEOUT, messages, delay.min(MAX_DELAY)).await
    }

    async fn send_until(&self, deadline: Instant, messages: &[String], delay: Duration) -> Vec<usize> {
        let header = trace::current_header();
        let options = SendOptions { trace_header: header.as_deref(), delay, deadline };
        // The calls are collected, not mapped: the compiler cannot prove that such a closure's future is `Send`.
        let mut calls = Vec::new();
        for batch in split_batches(messages) {
            calls.push(self.send_batch(batch, options));
        }
        stream::iter(calls).buffer_unordered(MAX_CONCURRENT_BATCHES).concat().await
    }

    /// Makes a received message visible after this time in place of the queue's visibility timeout. Whole seconds, 12
    /// hours at most (Amazon SQS API Reference, `ChangeMessageVisibility`).
    pub async fn change_visibility(&self, receipt_handle: &str, timeout: Duration) -> Result<(), Error> {
        let input = json!({
            "QueueUrl": self.url, "ReceiptHandle": receipt_handle, "VisibilityTimeout": timeout.as_secs(),
        });
        self.client.call("ChangeMessageVisibility", &input).await.map(drop)
    }

    async fn send_batch(&self, batch: Vec<BatchEntry<'_>>, options: SendOptions<'_>) -> Vec<usize> {
        let mut open = batch;
        let mut unsent = Vec::new();
        for attempt in 1..=MAX_ATTEMPTS {
            if open.is_empty() || Instant::now() >= options.deadline {
                break;
            }
            let late = |_| Err(Error::Unavailable("no time left".to_owned()));
            let sent =
                timeout_at(options.deadline, self.call_send(&open, options)).await.unwrap_or_else(late);
            let failures = match sent {
                Ok(output) => BatchFailures::from_output(&output, open),
                Err(error) => {
                    tracing::error!(messages = open.len(), %error, "a queue did not take a batch of messages");
                    BatchFailures { rejected: open, unconfirmed: Vec::new() }
                }
            };
            unsent.extend(message_indexes(&failures.rejected));
            open = failures.unconfirmed;
            if !open.is_empty() && attempt < MAX_ATTEMPTS {
                tokio::time::sleep(backoff_delay(attempt)).await;
            }
        }
        unsent.extend(message_indexes(&open));
        unsent
    }

    async fn call_send(&self, batch: &[BatchEntry<'_>], options: SendOptions<'_>) -> Result<Value, Error> {
        let entries: Vec<Value> = batch.iter().map(|entry| entry.to_json(options)).collect();
        self.client.call("SendMessageBatch", &json!({"QueueUrl": self.url, "Entries": entries})).await
    }
}

impl BatchEntry<'_> {
    /// A `SendMessageBatchRequestEntry`.
    fn to_json(self, options: SendOptions<'_>) -> Value {
        let mut entry = Map::new();
        if !options.delay.is_zero() {
            // Whole seconds, rounded up: a message is never visible too early.
            let seconds = options.delay.as_secs() + u64::from(options.delay.subsec_nanos() > 0);
            entry.insert("DelaySeconds".to_owned(), json!(seconds));
        }
        entry.insert("Id".to_owned(), json!(self.index.to_string()));
        entry.insert("MessageBody".to_owned(), json!(escape_noncharacters(self.body)));
        if let Some(header) = options.trace_header {
            let header = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": header}});
            entry.insert("MessageSystemAttributes".to_owned(), header);
        }
        Value::Object(entry)
    }

    /// Whether a result of SQS is about this message.
    fn is_subject_of(self, result: &Value) -> bool {
        result.get("Id").and_then(Value::as_str).and_then(|id| id.parse().ok()) == Some(self.index)
    }
}

/// Escapes the two characters that SQS refuses and that JSON leaves as they are. A name may have them (Amazon SQS API
/// Reference, `SendMessage`: the characters of XML 1.0).
fn escape_noncharacters(json: &str) -> String {
    json.replace('\u{fffe}', r"\ufffe").replace('\u{ffff}', r"\uffff")
}

fn message_indexes<'a>(entries: &'a [BatchEntry<'_>]) -> impl Iterator<Item = usize> + 'a {
    entries.iter().map(|entry| entry.index)
}

/// Splits messages into as few batches as the queue accepts. A message that is too large for any batch goes alone: SQS
/// refuses it alone.
fn split_batches(messages: &[String]) -> Vec<Vec<BatchEntry<'_>>> {
    let mut batches: Vec<Vec<BatchEntry<'_>>> = Vec::new();
    let mut batch_bytes = 0;
    for (index, body) in messages.iter().map(String::as_str).enumerate() {
        let entry = BatchEntry { index, body };
        match batches.last_mut() {
            Some(batch)
                if batch.len() < MAX_BATCH_MESSAGES && batch_bytes + body.len() <= MAX_BATCH_BYTES =>
            {
                batch.push(entry);
                batch_bytes += body.len();
            }
            _ => {
                batches.push(vec![entry]);
                batch_bytes = body.len();
            }
        }
    }
    batches
}

/// The messages of a batch that SQS did not accept. Its status is 200 even if it accepted none (Amazon SQS API
/// Reference, `BatchResultErrorEntry`).
struct BatchFailures<'a> {
    /// The sender's fault: another attempt does not help.
    rejected: Vec<BatchEntry<'a>>,
    /// The queue's fault, or not in the output at all.
    unconfirmed: Vec<BatchEntry<'a>>,
}

impl<'a> BatchFailures<'a> {
    fn from_output(output: &Value, batch: Vec<BatchEntry<'a>>) -> Self {
        let list = |name: &str| output.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let (accepted, failed) = (list("Successful"), list("Failed"));
        for failure in failed {
            let (code, sender_fault) = (failure["Code"].as_str(), failure["SenderFault"].as_bool());
            tracing::warn!(code, sender_fault, "a queue did not take a message");
        }
        let open =
            batch.into_iter().filter(|entry| !accepted.iter().any(|result| entry.is_subject_of(result)));
        let is_rejected = |entry: &BatchEntry<'_>| {
            failed.iter().any(|failure| entry.is_subject_of(failure) && failure["SenderFault"] == true)
        };
        let (rejected, unconfirmed) = open.partition(is_rejected);
        Self { rejected, unconfirmed }
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{ClientConfig, Clock, HttpClient};
    use signing::s3::Region;

    #[tokio::test]
    async fn sending_to_a_silent_queue_ends_at_the_deadline() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = ClientConfig {
            region: Region::new("us-east-1").unwrap(),
            credentials: SharedCredentialsProvider::new(Credentials::new("AKID", "key", None, None, "test")),
            endpoint: Some(format!("http://{}", silent.local_addr().unwrap())),
            clock: Clock::System,
        };
        let client = JsonClient::sqs(&config, HttpClient::new().unwrap()).unwrap();
        let queue = SqsQueue { client, url: "http://queue.test/1/orders".to_owned() };
        let messages = vec!["{}".to_owned(); 1000];
        let begun = Instant::now();
        let mut unsent =
            queue.send_until(begun + Duration::from_millis(200), &messages, Duration::ZERO).await;
        unsent.sort_unstable();
        assert_eq!(unsent, (0..1000).collect::<Vec<_>>());
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    #[test]
    fn batches_are_full_and_fit() {
        let sizes = |lengths: &[usize]| {
            let messages: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            split_batches(&messages).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&[1; 25]), [10, 10, 5]);
        assert_eq!(sizes(&[100 * 1024; 5]), [2, 2, 1]);
        assert_eq!(sizes(&[1, 300 * 1024, 1, 1]), [1, 1, 2]);
        assert_eq!(sizes(&[262_143, 1, 1]), [2, 1]);
    }

    #[test]
    fn an_entry_has_its_delay_in_whole_seconds_and_the_trace() {
        let entry = BatchEntry { index: 7, body: "{}" };
        let options = |trace_header, milliseconds| SendOptions {
            trace_header,
            delay: Duration::from_millis(milliseconds),
            deadline: Instant::now(),
        };
        assert_eq!(entry.to_json(options(None, 0)), json!({"Id": "7", "MessageBody": "{}"}));
        for (milliseconds, seconds) in [(1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(entry.to_json(options(None, milliseconds))["DelaySeconds"], seconds);
        }
        let traced = entry.to_json(options(Some("Root=1-a"), 0));
        let header = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-a"}});
        assert_eq!(traced["MessageSystemAttributes"], header);
    }

    #[test]
    fn every_name_can_be_sent() {
        let name = "a\u{ffff}b\u{fffe}\u{1}";
        let sent = escape_noncharacters(&serde_json::to_string(name).unwrap());
        assert_eq!(sent, r#""a\uffffb\ufffe\u0001""#);
        assert_eq!(serde_json::from_str::<String>(&sent).unwrap(), name);
    }

    #[test]
    fn only_confirmed_messages_count_as_sent() {
        let [a, b, c, d] =
            [(7, "a"), (8, "b"), (9, "c"), (10, "d")].map(|(index, body)| BatchEntry { index, body });
        let output = json!({
            "Successful": [{"Id": "8", "MessageId": "m"}],
            "Failed": [
                {"Id": "7", "SenderFault": true, "Code": "InvalidMessageContents"},
                {"Id": "9", "SenderFault": false, "Code": "InternalError"},
            ],
        });
        let failures = BatchFailures::from_output(&output, vec![a, b, c, d]);
        assert_eq!(failures.rejected, [a]);
        assert_eq!(failures.unconfirmed, [c, d], "a message that the output does not name is not confirmed");
        assert_eq!(BatchFailures::from_output(&json!([]), vec![a, b]).unconfirmed, [a, b]);
    }
}
