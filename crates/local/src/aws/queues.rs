//! SQS queues and their messages.

use std::io;

use aws::SqsQueue;
use serde_json::{Value, json};

use super::{ACCOUNT_ID, Account, REGION, call};

impl Account {
    /// Creates a queue with these attributes of `CreateQueue`.
    pub async fn create_queue(&self, name: &str, attributes: Value) -> io::Result<SqsQueue> {
        let client = self.sqs()?;
        let request = json!({"QueueName": name, "Attributes": attributes});
        let response = call(client.clone(), "CreateQueue", request).await?;
        let url = response.get("QueueUrl").and_then(Value::as_str);
        let url = url.ok_or_else(|| io::Error::other("SQS returned no queue URL"))?;
        Ok(SqsQueue { client, url: url.to_owned() })
    }

    /// The ARN of a queue.
    #[must_use]
    pub fn queue_arn(name: &str) -> String {
        format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}")
    }

    /// Receives up to ten visible messages, in the format of `ReceiveMessage` with all attributes.
    pub async fn receive_messages(&self, queue: &SqsQueue) -> io::Result<Vec<Value>> {
        let request = json!({
            "QueueUrl": queue.url,
            "MaxNumberOfMessages": 10,
            // Short polling: an empty queue answers at once.
            "WaitTimeSeconds": 0,
            "MessageSystemAttributeNames": ["All"],
            // The old name of the field above, for servers that know only that.
            "AttributeNames": ["All"],
        });
        let mut response = call(self.sqs()?, "ReceiveMessage", request).await?;
        // An empty queue returns no `Messages` at all.
        match response.get_mut("Messages").map(Value::take) {
            Some(Value::Array(messages)) => Ok(messages),
            _ => Ok(Vec::new()),
        }
    }

    /// Receives and deletes all visible messages.
    pub async fn drain_queue(&self, queue: &SqsQueue) -> io::Result<Vec<Value>> {
        let mut messages = Vec::new();
        loop {
            let received = self.receive_messages(queue).await?;
            if received.is_empty() {
                return Ok(messages);
            }
            for message in &received {
                let delete = json!({"QueueUrl": queue.url, "ReceiptHandle": message["ReceiptHandle"]});
                call(self.sqs()?, "DeleteMessage", delete).await?;
            }
            messages.extend(received);
        }
    }
}
