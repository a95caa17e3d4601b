//! The restore queue with its dead letters, the changelog's queue, and the table of delete records. No message is sent or
//! received.

use std::time::Duration;

use aws::{self, CallLimits, JsonClient};
use restore::MAX_ATTEMPTS;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::report::Check;

/// One attempt: a person waits, and may run the doctor again.
const CALL_LIMITS: CallLimits = CallLimits {
    attempts: 1,
    attempt_timeout: Duration::from_secs(5),
    total_timeout: Duration::from_secs(5),
};

/// The permission that checks of queues need.
const GET_QUEUE_ATTRIBUTES: &str = "sqs:GetQueueAttributes";

/// Six times the function's time limit: AWS recommends that a message in progress is hidden for as long (AWS Lambda
/// Developer Guide, "Using Lambda with Amazon SQS").
const MIN_VISIBILITY_SECONDS: u64 = 6 * 900;

/// The attributes of a queue that are used (Amazon SQS API Reference, `GetQueueAttributes`). All are strings.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct QueueAttributes {
    approximate_number_of_messages: String,
    approximate_number_of_messages_not_visible: String,
    visibility_timeout: String,
    redrive_policy: String,
}

/// Where a queue moves messages that failed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
    /// A number, or a string with one.
    max_receive_count: Value,
}

/// A table (Amazon DynamoDB API Reference, `TableDescription`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TableDescription {
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

/// Checks the restore queue and its dead letters.
pub(crate) async fn check_restore_queue(sqs: &JsonClient, url: &str) -> Vec<Check> {
    let name = "restore orders";
    let attributes = match load_attributes(sqs, url).await {
        Ok(attributes) => attributes,
        Err(error) => return vec![explain_error(name, &error, GET_QUEUE_ATTRIBUTES)],
    };
    let mut checks = vec![check_visibility(name, &attributes)];
    let Ok(policy) = serde_json::from_str::<RedrivePolicy>(&attributes.redrive_policy) else {
        let advice = format!("give the queue a redrive policy with maxReceiveCount {MAX_ATTEMPTS}");
        let found = "the queue has none: failed messages are retried for days";
        checks.push(Check::warning("dead letters", found, advice));
        return checks;
    };
    let attempts = policy.max_receive_count.to_string().replace('"', "");
    if attempts.parse() != Ok(MAX_ATTEMPTS) {
        let found = format!("maxReceiveCount is {attempts}");
        let advice =
            format!("set it to {MAX_ATTEMPTS}: the service gives up a restore order at that attempt");
        checks.push(Check::warning("attempts", found, advice));
    }
    let dead_letters = policy.dead_letter_target_arn.rsplit(':').next().unwrap_or_default();
    checks.push(check_dead_letters(load_attributes(sqs, &sibling_url(url, dead_letters)).await));
    checks
}

fn check_visibility(name: &str, attributes: &QueueAttributes) -> Check {
    let parse_count = |text: &str| text.parse::<u64>().unwrap_or(0);
    let waiting = parse_count(&attributes.approximate_number_of_messages);
    let in_progress = parse_count(&attributes.approximate_number_of_messages_not_visible);
    let found = format!("{waiting} waiting, {in_progress} in progress");
    match attributes.visibility_timeout.parse::<u64>() {
        Ok(seconds) if seconds < MIN_VISIBILITY_SECONDS => Check::warning(
            name,
            format!("{found}; a message in progress is hidden for only {seconds} s"),
            format!(
                "set VisibilityTimeout to {MIN_VISIBILITY_SECONDS}: otherwise a long restore starts twice"
            ),
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
                Check::warning(name, found, "see docs/operations.md, Drain the dead letters")
            }
        },
        Err(error) => explain_error(name, &error, GET_QUEUE_ATTRIBUTES),
    }
}

/// Checks the changelog's queue.
pub(crate) async fn check_changelog(sqs: &JsonClient, url: &str) -> Check {
    let name = "changelog";
    match load_attributes(sqs, url).await {
        Ok(_) => Check::ok(name, "the queue exists"),
        Err(error) => explain_error(name, &error, GET_QUEUE_ATTRIBUTES),
    }
}

/// Checks the table of delete records.
pub(crate) async fn check_delete_records(dynamodb: JsonClient, table: &str) -> Check {
    let name = "delete records";
    let response =
        dynamodb.with_limits(CALL_LIMITS).call("DescribeTable", &json!({"TableName": table})).await;
    let table: TableDescription = match response {
        Ok(mut response) => take_member(&mut response, "Table"),
        Err(error) => return explain_error(name, &error, "dynamodb:DescribeTable"),
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
        return Check::ok(name, format!("the table exists, with the key {partition}"));
    }
    let advice = "set DELETE_RECORD_DYNAMODB_TABLE_NAME to the table whose key is a package's node id";
    Check::failure(name, format!("the table's key {partition} is not a string"), advice)
}

async fn load_attributes(sqs: &JsonClient, url: &str) -> Result<QueueAttributes, aws::Error> {
    let request = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let mut response = sqs.clone().with_limits(CALL_LIMITS).call("GetQueueAttributes", &request).await?;
    Ok(take_member(&mut response, "Attributes"))
}

fn take_member<T: DeserializeOwned + Default>(response: &mut Value, name: &str) -> T {
    let member = response.get_mut(name).map(Value::take).unwrap_or_default();
    serde_json::from_value(member).unwrap_or_default()
}

/// `permission` is what the call needs.
fn explain_error(name: &str, error: &aws::Error, permission: &str) -> Check {
    let aws::Error::Refused { code, .. } = error else {
        return Check::failure(name, error.to_string(), "run this again");
    };
    match code.as_str() {
        "AccessDenied" | "AccessDeniedException" => {
            Check::skipped(name, format!("this role lacks {permission}"))
        }
        "QueueDoesNotExist" | "NonExistentQueue" | "AWS.SimpleQueueService.NonExistentQueue" => {
            let advice = "correct RESTORE_PACKAGE_QUEUE_URL or JOBS_QUEUE_ID: each is a queue's URL";
            Check::failure(name, "the queue does not exist", advice)
        }
        "ResourceNotFoundException" => {
            let advice = "correct DELETE_RECORD_DYNAMODB_TABLE_NAME, or set it to none";
            Check::failure(name, "the table does not exist", advice)
        }
        _ => Check::failure(
            name,
            error.to_string(),
            "check the credentials, the region, the variable and the clock",
        ),
    }
}

/// The URL of another queue in the same account.
fn sibling_url(url: &str, name: &str) -> String {
    url.rsplit_once('/').map_or_else(|| name.to_owned(), |(account, _)| format!("{account}/{name}"))
}
