//! What is said of a span (AWS X-Ray Developer Guide, "AWS X-Ray segment documents").

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Open;
use crate::{fields::Fields, trace::Kind};

/// The fields that are told, to be searched for. No other: a trace has other readers than a log, and keeps for long.
const ANNOTATIONS: [&str; 6] = ["route", "status", "statements", "operation", "statement", "bucket"];

/// The document of a segment or a subsegment that ended at `end`.
pub(super) fn of(open: &Open, end: Duration) -> Value {
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
    put("name", name(open).into());
    put("id", open.id.as_str().into());
    put("trace_id", open.trace_id.as_str().into());
    put("start_time", open.start.as_secs_f64().into());
    put("end_time", end.max(open.start).as_secs_f64().into());
    if let Some(parent) = &open.parent_id {
        put("parent_id", parent.as_str().into());
    }
    if open.root != Some(Kind::Segment) {
        put("type", "subsegment".into());
    }
    if open.root.is_some() {
        put("http", http(&open.fields));
    } else if is_aws(open.name) {
        put("namespace", "aws".into());
        put("aws", aws(&open.fields));
    } else if open.name == "postgres" {
        put("namespace", "remote".into());
        put("sql", json!({ "database_type": "PostgreSQL" }));
    } else if open.name == "cognito" {
        put("namespace", "remote".into());
    }
    put("annotations", annotations(&open.fields).into());
    for flag in flags(&open.fields) {
        put(flag, true.into());
    }
    document.into()
}

/// X-Ray knows AWS's services, and draws them, by these names.
fn name(open: &Open) -> &str {
    match (open.root, open.name) {
        (None, "s3") => "S3",
        (None, "sqs") => "SQS",
        (None, "dynamodb") => "DynamoDB",
        (None, "ssm") => "SSM",
        (_, name) => name,
    }
}

fn is_aws(name: &str) -> bool {
    matches!(name, "s3" | "sqs" | "dynamodb" | "ssm")
}

fn aws(fields: &Fields) -> Value {
    fields.text("operation").map_or_else(|| json!({}), |operation| json!({ "operation": operation }))
}

fn http(fields: &Fields) -> Value {
    let mut http = Map::new();
    if let Some(method) = fields.text("method") {
        http.insert("request".to_owned(), json!({ "method": method }));
    }
    if let Some(status) = status(fields) {
        http.insert("response".to_owned(), json!({ "status": status }));
    }
    http.into()
}

fn annotations(fields: &Fields) -> Map<String, Value> {
    let told = fields.iter().filter(|(name, _)| ANNOTATIONS.contains(name));
    told.map(|(name, value)| (name.to_owned(), shortened(value))).collect()
}

/// Texts of annotations have at most 1,000 characters.
fn shortened(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| text.chars().take(1000).collect::<String>().into())
}

/// Whose fault it was, by the status, or by a field of that name that is there and not `false`.
fn flags(fields: &Fields) -> Vec<&'static str> {
    let status = status(fields).unwrap_or_default();
    let said = |name: &str| fields.get(name).is_some_and(|value| *value != Value::Bool(false));
    [
        ("error", (400..500).contains(&status) || said("error")),
        ("throttle", status == 429),
        ("fault", status >= 500 || said("fault")),
    ]
    .into_iter()
    .filter_map(|(name, is_so)| is_so.then_some(name))
    .collect()
}

fn status(fields: &Fields) -> Option<u64> {
    fields.get("status").and_then(Value::as_u64)
}
