//! Queues of SQS, and what arrives in them.

use std::io;

use aws::SqsQueue;
use serde_json::{Value, json};

use super::{ACCOUNT, Account, REGION};

impl Account {
    /// Makes a queue with these attributes, by the names of `CreateQueue`.
    pub async fn create_queue(&self, name: &str, attributes: Value) -> io::Result<SqsQueue> {
        let service = self.sqs()?;
        let request = json!({"QueueName": name, "Attributes": attributes});
        let answer = self.call(service.clone(), "CreateQueue", request).await?;
        let url = answer.get("QueueUrl").and_then(Value::as_str);
        let url = url.ok_or_else(|| io::Error::other("SQS gave no URL"))?;
        Ok(SqsQueue { client: service, url: url.to_owned() })
    }

    /// A queue's ARN.
    #[must_use]
    pub fn queue_arn(name: &str) -> String {
        format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
    }

    /// Receives what can be seen in a queue now, ten messages at most: as `ReceiveMessage` gives them, with their
    /// attributes.
    pub async fn receive(&self, queue: &SqsQueue) -> io::Result<Vec<Value>> {
        let request = json!({
            "QueueUrl": queue.url,
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": 0,
            "MessageSystemAttributeNames": ["All"],
            "AttributeNames": ["All"],
        });
        let mut answer = self.call(self.sqs()?, "ReceiveMessage", request).await?;
        match answer.get_mut("Messages").map(Value::take) {
            Some(Value::Array(received)) => Ok(received),
            _ => Ok(Vec::new()),
        }
    }

    /// Receives and deletes all that is in a queue.
    pub async fn drain_queue(&self, queue: &SqsQueue) -> io::Result<Vec<Value>> {
        let mut messages = Vec::new();
        loop {
            let received = self.receive(queue).await?;
            if received.is_empty() {
                return Ok(messages);
            }
            for message in &received {
                let delete = json!({"QueueUrl": queue.url, "ReceiptHandle": message["ReceiptHandle"]});
                self.call(self.sqs()?, "DeleteMessage", delete).await?;
            }
            messages.extend(received);
        }
    }
}
