//! Sending to a queue of Amazon SQS, in batches.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use crate::{Error, JsonClient, backoff, trace};

/// Messages in one batch (Amazon SQS API Reference, `SendMessageBatch`).
const BATCH: usize = 10;

/// Bytes of a batch's messages together. AWS takes a mebibyte since August 2025; stand-ins, and queues that were made
/// before, take this.
const BATCH_BYTES: usize = 256 * 1024;

/// Batches in flight at once.
const BATCHES_AT_ONCE: usize = 4;

/// How long sending may take in all: what the queue did not take goes back before whoever asked, behind a gateway that
/// waits 30 seconds, is told to try again.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a message is sent that the queue did not take, but might.
const TRIES: u32 = 2;

/// A queue, as one who may send to it.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    /// [`JsonClient::sqs`], in the queue's region.
    pub service: JsonClient,
    /// The queue's URL.
    pub url: String,
}

/// A message, and its place among those that are to be sent.
type Entry<'a> = (usize, &'a str);

/// What is said of a message: the trace that it carries on, and how long nobody receives it.
type Delivery<'a> = (Option<&'a str>, Duration);

/// The longest delay that SQS takes.
const MAX_DELAY: Duration = Duration::from_mins(15);

impl SqsQueue {
    /// Sends messages, each a JSON text, at least once and in any order; answers the places of those that the queue did
    /// not take, after 20 seconds at most. They carry the caller's [trace] on to whoever receives them.
    pub async fn send(&self, messages: &[String]) -> Vec<usize> {
        self.send_delayed(messages, Duration::ZERO).await
    }

    /// The same, but nobody receives them before `delay` is over, 15 minutes at most (Amazon SQS API Reference,
    /// `SendMessageBatch`, `DelaySeconds`).
    pub async fn send_delayed(&self, messages: &[String], delay: Duration) -> Vec<usize> {
        self.send_until(Instant::now() + PATIENCE, messages, delay.min(MAX_DELAY)).await
    }

    async fn send_until(&self, end: Instant, messages: &[String], delay: Duration) -> Vec<usize> {
        let header = trace::header();
        // A list and not a closure over the batches: the compiler cannot tell that such a closure may change threads.
        let mut work = Vec::new();
        for batch in batches(messages) {
            work.push(self.send_batch(batch, (header.as_deref(), delay), end));
        }
        stream::iter(work).buffer_unordered(BATCHES_AT_ONCE).concat().await
    }

    /// Lets a message that was received come again sooner, or later, than the queue's visibility timeout has it: after
    /// this long, to the second, and twelve hours at most (Amazon SQS API Reference, `ChangeMessageVisibility`).
    pub async fn show_again(&self, receipt_handle: &str, after: Duration) -> Result<(), Error> {
        let asked = json!({
            "QueueUrl": self.url, "ReceiptHandle": receipt_handle, "VisibilityTimeout": after.as_secs(),
        });
        self.service.call("ChangeMessageVisibility", &asked).await.map(drop)
    }

    async fn send_batch(&self, batch: Vec<Entry<'_>>, how: Delivery<'_>, end: Instant) -> Vec<usize> {
        let mut open = batch;
        let mut unsent = Vec::new();
        for tried in 1..=TRIES {
            if open.is_empty() || Instant::now() >= end {
                break;
            }
            let late = |_| Err(Error::Unavailable("no time left".to_owned()));
            let left = match timeout_at(end, self.ask(&open, how)).await.unwrap_or_else(late) {
                Ok(answer) => Left::read(&answer, open),
                Err(error) => {
                    tracing::error!(messages = open.len(), %error, "a queue did not take a batch of messages");
                    Left { refused: open, put_off: Vec::new() }
                }
            };
            unsent.extend(places(&left.refused));
            open = left.put_off;
            if !open.is_empty() && tried < TRIES {
                tokio::time::sleep(backoff(tried)).await;
            }
        }
        unsent.extend(places(&open));
        unsent
    }

    async fn ask(&self, batch: &[Entry<'_>], how: Delivery<'_>) -> Result<Value, Error> {
        let entries: Vec<Value> = batch.iter().map(|(place, body)| entry(*place, body, how)).collect();
        self.service.call("SendMessageBatch", &json!({"QueueUrl": self.url, "Entries": entries})).await
    }
}

fn entry(place: usize, body: &str, (header, delay): Delivery<'_>) -> Value {
    let mut entry = Map::new();
    if !delay.is_zero() {
        // Whole seconds, and never too early.
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        entry.insert("DelaySeconds".to_owned(), json!(seconds));
    }
    entry.insert("Id".to_owned(), json!(place.to_string()));
    entry.insert("MessageBody".to_owned(), json!(sendable(body)));
    if let Some(header) = header {
        let header = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": header}});
        entry.insert("MessageSystemAttributes".to_owned(), header);
    }
    Value::Object(entry)
}

/// The same JSON without the two characters that SQS takes in no message and that JSON need not escape; a name may hold
/// them (Amazon SQS API Reference, `SendMessage`: the characters of XML 1.0).
fn sendable(json: &str) -> String {
    json.replace('\u{fffe}', r"\ufffe").replace('\u{ffff}', r"\uffff")
}

fn places<'a>(entries: &'a [Entry<'_>]) -> impl Iterator<Item = usize> + 'a {
    entries.iter().map(|(place, _)| *place)
}

/// Messages in as few batches as a queue takes. One that is too large for any goes alone, to be refused alone.
fn batches(messages: &[String]) -> Vec<Vec<Entry<'_>>> {
    let mut batches: Vec<Vec<Entry<'_>>> = Vec::new();
    let mut size = 0;
    for entry in messages.iter().map(String::as_str).enumerate() {
        let length = entry.1.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && size + length <= BATCH_BYTES => {
                batch.push(entry);
                size += length;
            }
            _ => {
                batches.push(vec![entry]);
                size = length;
            }
        }
    }
    batches
}

/// What a batch left: SQS answers 200 even if it took nothing (`BatchResultErrorEntry`).
struct Left<'a> {
    /// By a fault of ours.
    refused: Vec<Entry<'a>>,
    /// By a fault of the queue's, or without a word.
    put_off: Vec<Entry<'a>>,
}

impl<'a> Left<'a> {
    fn read(answer: &Value, batch: Vec<Entry<'a>>) -> Self {
        let list = |name: &str| answer.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let (taken, failed) = (list("Successful"), list("Failed"));
        for failure in failed {
            let (code, ours) = (failure["Code"].as_str(), failure["SenderFault"].as_bool());
            tracing::warn!(code, sender_fault = ours, "a queue did not take a message");
        }
        let open = batch.into_iter().filter(|entry| !taken.iter().any(|taken| is(taken, entry.0)));
        let is_ours = |entry: &Entry<'_>| {
            failed.iter().any(|failure| is(failure, entry.0) && failure["SenderFault"] == true)
        };
        let (refused, put_off) = open.partition(is_ours);
        Self { refused, put_off }
    }
}

/// Whether a result is about the message at this place.
fn is(result: &Value, place: usize) -> bool {
    result.get("Id").and_then(Value::as_str).and_then(|id| id.parse().ok()) == Some(place)
}

#[cfg(test)]
mod tests {
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{ClientConfig, Clock, HttpClient};
    use signing::s3::Region;

    #[tokio::test]
    async fn a_queue_that_does_not_answer_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = ClientConfig {
            region: Region::new("us-east-1").unwrap(),
            credentials: SharedCredentialsProvider::new(Credentials::new("AKID", "key", None, None, "test")),
            endpoint: Some(format!("http://{}", silent.local_addr().unwrap())),
            clock: Clock::System,
        };
        let service = JsonClient::sqs(&settings, HttpClient::new().unwrap()).unwrap();
        let queue = SqsQueue { service, url: "http://queue.test/1/orders".to_owned() };
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
            batches(&messages).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&[1; 25]), [10, 10, 5]);
        assert_eq!(sizes(&[100 * 1024; 5]), [2, 2, 1]);
        assert_eq!(sizes(&[1, 300 * 1024, 1, 1]), [1, 1, 2]);
    }

    #[test]
    fn every_name_can_be_sent() {
        let name = "a\u{ffff}b\u{fffe}\u{1}";
        let sent = sendable(&serde_json::to_string(name).unwrap());
        assert_eq!(sent, r#""a\uffffb\ufffe\u0001""#);
        assert_eq!(serde_json::from_str::<String>(&sent).unwrap(), name);
    }

    #[test]
    fn only_what_was_taken_counts_as_sent() {
        let batch = vec![(7, "a"), (8, "b"), (9, "c"), (10, "d")];
        let answer = json!({
            "Successful": [{"Id": "8", "MessageId": "m"}],
            "Failed": [
                {"Id": "7", "SenderFault": true, "Code": "InvalidMessageContents"},
                {"Id": "9", "SenderFault": false, "Code": "InternalError"},
            ],
        });
        let left = Left::read(&answer, batch.clone());
        assert_eq!(left.refused, [(7, "a")]);
        assert_eq!(left.put_off, [(9, "c"), (10, "d")], "no word is no receipt");
        assert_eq!(Left::read(&json!([]), batch.clone()).put_off, batch);
    }
}
