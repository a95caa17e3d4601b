//! The queue of restore orders with its dead letters, the changelog's queue, and the table of delete records. Nothing is
//! sent and nothing received.

use std::time::Duration;

use aws::{self, CallLimits, JsonClient};
use restore::MAX_ATTEMPTS;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::report::Check;

/// For calls that somebody waits for, and that may be repeated by hand.
const LIMITS: CallLimits = CallLimits {
    attempts: 1,
    attempt_timeout: Duration::from_secs(5),
    total_timeout: Duration::from_secs(5),
};

/// A message that is being worked on must stay hidden for as long as a function may run, six times (AWS Lambda Developer
/// Guide, "Using Lambda with Amazon SQS").
const MIN_VISIBILITY_SECONDS: u64 = 6 * 900;

/// The attributes of a queue that are of interest (Amazon SQS API Reference, `GetQueueAttributes`). All are texts.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct QueueAttributes {
    approximate_number_of_messages: String,
    approximate_number_of_messages_not_visible: String,
    visibility_timeout: String,
    redrive_policy: String,
}

/// What becomes of messages that were received in vain.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
    /// A number, or a text with one.
    max_receive_count: Value,
}

/// A table (Amazon DynamoDB API Reference, `TableDescription`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Description {
    table_status: String,
    key_schema: Vec<KeyElement>,
    attribute_definitions: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyElement {
    attribute_name: String,
    key_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

/// Looks at the queue of restore orders, and at its dead letters.
pub(crate) async fn check_orders(sqs: &JsonClient, url: &str) -> Vec<Check> {
    let name = "restore orders";
    let attributes = match load_attributes(sqs, url).await {
        Ok(attributes) => attributes,
        Err(error) => return vec![explain_refusal(name, &error)],
    };
    let mut checks = vec![check_visibility(name, &attributes)];
    let Ok(policy) = serde_json::from_str::<RedrivePolicy>(&attributes.redrive_policy) else {
        let advice = format!("give the queue a redrive policy with maxReceiveCount {MAX_ATTEMPTS}");
        checks.push(Check::warning(
            "dead letters",
            "the queue has none: what fails comes again for days",
            advice,
        ));
        return checks;
    };
    let attempts = policy.max_receive_count.to_string().replace('"', "");
    if attempts.parse() != Ok(MAX_ATTEMPTS) {
        let found = format!("maxReceiveCount is {attempts}");
        let advice = format!("set it to {MAX_ATTEMPTS}: the service gives an order up at that attempt");
        checks.push(Check::warning("attempts", found, advice));
    }
    let dead_letters = policy.dead_letter_target_arn.rsplit(':').next().unwrap_or_default();
    checks.push(check_dead_letters(load_attributes(sqs, &sibling_url(url, dead_letters)).await));
    checks
}

fn check_visibility(name: &str, attributes: &QueueAttributes) -> Check {
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    let waiting = number(&attributes.approximate_number_of_messages);
    let under_way = number(&attributes.approximate_number_of_messages_not_visible);
    let found = format!("{waiting} wait, {under_way} are under way");
    match attributes.visibility_timeout.parse::<u64>() {
        Ok(seconds) if seconds < MIN_VISIBILITY_SECONDS => Check::warning(
            name,
            format!("{found}; a message that is being worked on is hidden for {seconds} s only"),
            format!("set VisibilityTimeout to {MIN_VISIBILITY_SECONDS}: else a long restore is begun twice"),
        ),
        _ => Check::ok(name, found),
    }
}

fn check_dead_letters(attributes: Result<QueueAttributes, aws::Error>) -> Check {
    let name = "dead letters";
    match attributes {
        Ok(attributes) => match attributes.approximate_number_of_messages.parse::<u64>().unwrap_or(0) {
            0 => Check::ok(name, "none"),
            count => {
                let found = format!("{count} orders were given up");
                Check::warning(name, found, "docs/operations.md: Drain the dead letters")
            }
        },
        Err(error) => explain_refusal(name, &error),
    }
}

/// Looks at the queue that the changelog is told through.
pub(crate) async fn check_changelog(sqs: &JsonClient, url: &str) -> Check {
    let name = "changelog";
    match load_attributes(sqs, url).await {
        Ok(_) => Check::ok(name, "the queue is there"),
        Err(error) => explain_refusal(name, &error),
    }
}

/// Looks at the table of delete records.
pub(crate) async fn check_delete_records(dynamodb: JsonClient, table: &str) -> Check {
    let name = "delete records";
    let answer = dynamodb.with_limits(LIMITS).call("DescribeTable", &json!({"TableName": table})).await;
    let table: Description = match answer {
        Ok(mut answer) => read_member(&mut answer, "Table"),
        Err(error) => return explain_refusal(name, &error),
    };
    if !matches!(table.table_status.as_str(), "" | "ACTIVE" | "UPDATING") {
        return Check::failure(
            name,
            format!("the table is {}", table.table_status),
            "wait until it is ACTIVE",
        );
    }
    let partition = table.key_schema.iter().find(|key| key.key_type == "HASH");
    let partition = partition.map_or("", |key| key.attribute_name.as_str());
    let kind = table.attribute_definitions.iter().find(|one| one.attribute_name == partition);
    if kind.is_some_and(|kind| kind.attribute_type == "S") {
        return Check::ok(name, format!("the table is there, by {partition}"));
    }
    let advice = "DELETE_RECORD_DYNAMODB_TABLE_NAME is to name the table whose key is a package's node id";
    Check::failure(name, format!("the table's key {partition} is no text"), advice)
}

async fn load_attributes(sqs: &JsonClient, url: &str) -> Result<QueueAttributes, aws::Error> {
    let asked = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let mut answer = sqs.clone().with_limits(LIMITS).call("GetQueueAttributes", &asked).await?;
    Ok(read_member(&mut answer, "Attributes"))
}

fn read_member<T: DeserializeOwned + Default>(answer: &mut Value, name: &str) -> T {
    let member = answer.get_mut(name).map(Value::take).unwrap_or_default();
    serde_json::from_value(member).unwrap_or_default()
}

fn explain_refusal(name: &str, error: &aws::Error) -> Check {
    let aws::Error::Refused { code, .. } = error else {
        return Check::failure(name, error.to_string(), "run this again");
    };
    match code.as_str() {
        "AccessDenied" | "AccessDeniedException" => {
            let found = "needs sqs:GetQueueAttributes or dynamodb:DescribeTable, which this role lacks";
            Check::skipped(name, found)
        }
        "QueueDoesNotExist" | "NonExistentQueue" | "AWS.SimpleQueueService.NonExistentQueue" => {
            let advice = "correct RESTORE_PACKAGE_QUEUE_URL or JOBS_QUEUE_ID: each is a queue's URL";
            Check::failure(name, "there is no such queue", advice)
        }
        "ResourceNotFoundException" => {
            let advice = "correct DELETE_RECORD_DYNAMODB_TABLE_NAME, or say none";
            Check::failure(name, "there is no such table", advice)
        }
        _ => Check::failure(
            name,
            error.to_string(),
            "are credentials, region and variable right, and the clock?",
        ),
    }
}

/// The URL of another queue of the same account.
fn sibling_url(url: &str, name: &str) -> String {
    url.rsplit_once('/').map_or_else(|| name.to_owned(), |(account, _)| format!("{account}/{name}"))
}
